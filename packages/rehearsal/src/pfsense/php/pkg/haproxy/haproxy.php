<?php
// The HAProxy package: haproxy.cfg from installedpackages/haproxy, tested by the program itself, then handed over without a lost
// connection. In the configuration "ha_backends" are the front ends and "ha_pools" the back ends.

require_once 'functions.inc';
require_once 'haproxy/haproxy_rules.inc';
require_once 'haproxy/haproxy_socketinfo.inc';

const EMULATED_HAPROXY = 'installedpackages/haproxy';

function haproxy_version() {
	static $version = null;
	return $version ??= trim((string)shell_exec("haproxy -v | head -n 1 | awk '{ print $3 }'"));
}

function haproxy_is_running() {
	return is_process_running('haproxy');
}

function haproxy_find_backend($name) {
	foreach (emulated_list(EMULATED_HAPROXY . '/ha_pools/item') as $pool) {
		if ($pool['name'] === $name) {
			return $pool;
		}
	}
	return null;
}

/** The front end whose addresses one listens on: its own, or the primary's of a shared one. */
function get_primaryfrontend($frontend) {
	if (($frontend['secondary'] ?? '') !== 'yes') {
		return $frontend;
	}
	foreach (emulated_list(EMULATED_HAPROXY . '/ha_backends/item') as $other) {
		if ($other['name'] === ($frontend['primary_frontend'] ?? '')) {
			return $other;
		}
	}
	return $frontend;
}

function haproxy_portoralias_to_list($port_or_alias) {
	global $aliastable;
	if (alias_get_type($port_or_alias) === 'port') {
		return array_merge(...array_map('haproxy_portoralias_to_list', explode(' ', $aliastable[$port_or_alias])));
	}
	return is_portrange($port_or_alias) ? [$port_or_alias] : array_values(array_filter(explode(',', $port_or_alias), 'is_port'));
}

/** Addresses of one line of a front end's table. */
function emulated_haproxy_addresses(array $line): array {
	$where = $line['extaddr'] ?? '';
	return match (true) {
		$where === 'any_ipv4' => ['0.0.0.0'],
		$where === 'any_ipv6' => ['::'],
		$where === 'localhost_ipv4' => ['127.0.0.1'],
		$where === 'localhost_ipv6' => ['::1'],
		$where === 'custom' => [$line['extaddr_custom'] ?? ''],
		str_ends_with($where, '_ipv4') => array_filter([get_interface_ip(substr($where, 0, -5))]),
		str_ends_with($where, '_ipv6') => array_filter([get_interface_ipv6(substr($where, 0, -5))]),
		default => [$where],
	};
}

function emulated_haproxy_advanced(?string $encoded): string {
	$text = '';
	foreach (explode("\n", base64_decode($encoded ?? '')) as $line) {
		$text .= trim($line) === '' ? '' : "\t" . str_replace("\r", '', $line) . "\n";
	}
	return $text;
}

/** Certificate and key of the store, in one file for HAProxy. */
function emulated_haproxy_write_certificate(string $file, ?string $refid): void {
	foreach (emulated_list('cert') as $certificate) {
		if (($certificate['refid'] ?? '') === $refid) {
			safe_mkdir(dirname($file));
			file_put_contents($file, base64_decode($certificate['crt']) . "\n" . base64_decode($certificate['prv'] ?? ''));
		}
	}
}

function emulated_haproxy_binds(array $primary, array $group, string $folder): string {
	$name = $primary['name'];
	$certificates = [];
	foreach ($group as $frontend) {
		$refids = array_column($frontend['ha_certificates']['item'] ?? [], 'ssl_certificate');
		foreach (array_filter([$frontend['ssloffloadcert'] ?? '', ...$refids]) as $refid) {
			$file = "{$folder}/{$name}/{$refid}.pem";
			emulated_haproxy_write_certificate($file, $refid);
			$certificates[] = $file . (empty($frontend['sslsnifilter']) ? '' : " {$frontend['sslsnifilter']}");
		}
	}
	file_put_contents("{$folder}/{$name}.crt_list", implode("\n", $certificates) . "\n");
	$text = '';
	foreach ($primary['a_extaddr']['item'] ?? [] as $line) {
		foreach (emulated_haproxy_addresses($line) as $address) {
			foreach (haproxy_portoralias_to_list($line['extaddr_port'] ?? '') as $port) {
				$ssl = ($line['extaddr_ssl'] ?? '') === 'yes' ? " ssl crt-list {$folder}/{$name}.crt_list" : '';
				$more = rtrim(' ' . trim(($primary['advanced_bind'] ?? '') . ' ' . ($line['extaddr_advanced'] ?? '')));
				$text .= "\tbind\t\t\t{$address}:{$port} name {$address}:{$port}{$ssl}{$more}\n";
			}
		}
	}
	return $text;
}

/** A front end with those that share its addresses; the back ends it leads to are added to the list. */
function emulated_haproxy_frontend(array $primary, array $group, string $folder, array &$wanted): string {
	$type = $primary['type'] ?? 'http';
	$mode = $type === 'https' ? 'tcp' : $type;
	$text = "frontend {$primary['name']}" . (count($group) > 1 ? '-merged' : '') . "\n";
	$text .= emulated_haproxy_binds($primary, $group, $folder) . "\tmode\t\t\t{$mode}\n\tlog\t\t\tglobal\n";
	foreach (['socket-stats', 'dontlognull', 'dontlog-normal', 'log-separate-errors'] as $option) {
		$text .= ($primary[$option] ?? '') === 'yes' ? "\toption\t\t\t{$option}\n" : '';
	}
	if ($mode === 'http') {
		$text .= in_array($primary['httpclose'] ?? '', ['', 'none'], true) ? '' : "\toption\t\t\t{$primary['httpclose']}\n";
		if (!empty($primary['forwardfor'])) {
			$text .= "\toption\t\t\tforwardfor\n\tacl https ssl_fc\n";
			$text .= "\thttp-request set-header\t\tX-Forwarded-Proto http if !https\n";
			$text .= "\thttp-request set-header\t\tX-Forwarded-Proto https if https\n";
		}
	}
	$text .= empty($primary['max_connections']) ? '' : "\tmaxconn\t\t\t{$primary['max_connections']}\n";
	$text .= "\ttimeout client\t\t" . (($primary['client_timeout'] ?? '') ?: 30000) . "\n";
	$text .= emulated_haproxy_advanced($primary['advanced'] ?? '');
	$rules = ['acls' => [], 'extras' => [], 'delay' => 0, 'actions' => '', 'backends' => '', 'defaults' => ''];
	foreach ($group as $frontend) {
		emulated_haproxy_rules($frontend, $type, $rules, $wanted);
	}
	$text .= $rules['delay'] > 0 ? "\ttcp-request inspect-delay\t{$rules['delay']}s\n" : '';
	$text .= implode('', array_keys($rules['acls']));
	foreach (array_keys($rules['extras']) as $extra) {
		$text .= "\t{$extra}\n";
	}
	return $text . $rules['actions'] . $rules['backends'] . $rules['defaults'] . "\n";
}

const EMULATED_HAPROXY_CHECKS = [
	'HTTP' => 'httpchk',
	'LDAP' => 'ldap-check',
	'MySQL' => 'mysql-check',
	'PostgreSQL' => 'pgsql-check',
	'Redis' => 'redis-check',
	'SMTP' => 'smtpchk HELO',
	'ESMTP' => 'smtpchk EHLO',
	'SSL' => 'ssl-hello-chk',
];

function emulated_haproxy_check(array $pool): string {
	$type = $pool['check_type'] ?? 'none';
	$option = EMULATED_HAPROXY_CHECKS[$type] ?? '';
	$request = [$pool['httpcheck_method'] ?? '', ($pool['monitor_uri'] ?? '') ?: '/', $pool['monitor_httpversion'] ?? ''];
	$more = match ($type) {
		'HTTP' => rtrim(' ' . implode(' ', $request)),
		'MySQL', 'PostgreSQL' => ' user ' . ($pool['monitor_username'] ?? ''),
		'SMTP', 'ESMTP' => ' ' . ($pool['monitor_domain'] ?? ''),
		default => '',
	};
	return $option === '' ? '' : "\toption\t\t\t{$option}{$more}\n";
}

function emulated_haproxy_backend(string $name, array $pool, string $type, string $folder): string {
	$mode = $type === 'https' ? 'tcp' : $type;
	$text = "backend {$name}\n\tmode\t\t\t{$mode}\n";
	$text .= is_numeric($pool['id'] ?? '') ? "\tid\t\t\t{$pool['id']}\n" : '';
	$text .= "\tlog\t\t\tglobal\n";
	$text .= ($pool['log-health-checks'] ?? '') === 'yes' ? "\toption\t\t\tlog-health-checks\n" : '';
	$text .= empty($pool['balance']) ? '' : "\tbalance\t\t\t{$pool['balance']}\n";
	$text .= "\ttimeout connect\t\t" . (($pool['connection_timeout'] ?? '') ?: 30000) . "\n";
	$text .= "\ttimeout server\t\t" . (($pool['server_timeout'] ?? '') ?: 30000) . "\n";
	$text .= "\tretries\t\t\t" . (is_numeric($pool['retries'] ?? '') ? $pool['retries'] : 3) . "\n";
	if (($pool['persist_sticky_type'] ?? '') === 'stick_sourceipv4') {
		$text .= "\tstick-table type ip size {$pool['persist_stick_tablesize']} expire {$pool['persist_stick_expire']}\n\tstick on src\n";
	}
	$text .= emulated_haproxy_check($pool) . emulated_haproxy_advanced($pool['advanced_backend'] ?? '');
	foreach ($pool['ha_servers']['item'] ?? [] as $server) {
		$text .= emulated_haproxy_server($server, $pool, $folder);
	}
	return "{$text}\n";
}

function emulated_haproxy_server(array $server, array $pool, string $folder): string {
	$status = ($server['status'] ?? '') ?: 'active';
	if ($status === 'inactive') {
		return '';
	}
	$isTemplate = is_numeric($server['istemplate'] ?? '');
	$words = ["\tserver" . ($isTemplate ? '-template' : '') . "\t\t\t{$server['name']}", $isTemplate ? $server['istemplate'] : ''];
	$words[] = $server['address'] . (empty($server['port']) ? '' : ":{$server['port']}");
	$words[] = is_numeric($server['id'] ?? '') ? "id {$server['id']}" : '';
	$isSsl = ($server['ssl'] ?? '') === 'yes';
	$isCheckSsl = ($server['checkssl'] ?? '') === 'yes';
	$words[] = $isSsl ? 'ssl' : '';
	$words[] = $isCheckSsl ? 'check-ssl' : '';
	$words[] = !empty($server['cookie']) ? "cookie {$server['cookie']}" : '';
	$words[] = ($pool['check_type'] ?? 'none') === 'none' ? '' : 'check inter ' . (($pool['checkinter'] ?? '') ?: 1000);
	$words[] = $status === 'active' ? '' : $status;
	$words[] = is_numeric($server['weight'] ?? '') ? "weight {$server['weight']}" : '';
	$words[] = is_numeric($server['maxconn'] ?? '') ? "maxconn {$server['maxconn']}" : '';
	if ($isSsl || $isCheckSsl) {
		$authority = "{$folder}/ca_" . ($server['ssl-server-ca'] ?? '') . '.pem';
		$isVerified = ($server['sslserververify'] ?? '') === 'yes';
		emulated_haproxy_write_certificate($authority, $isVerified ? $server['ssl-server-ca'] ?? '' : null);
		$words[] = $isVerified ? "ca-file {$authority}" : 'verify none';
	}
	$words[] = base64_decode($pool['advanced'] ?? '');
	$words[] = $server['advanced'] ?? '';
	return implode(' ', array_filter(array_map('rtrim', $words), fn ($word) => $word !== '')) . "\n";
}

function emulated_haproxy_global(array $settings): string {
	$text = "# Rendered from the emulated router's config.xml.\nglobal\n";
	$text .= empty($settings['maxconn']) ? '' : "\tmaxconn\t\t\t{$settings['maxconn']}\n";
	$text .= empty($settings['remotesyslog']) ? '' : "\tlog\t\t\t{$settings['remotesyslog']}\t{$settings['logfacility']}\t{$settings['loglevel']}\n";
	$text .= "\tstats socket /tmp/haproxy.socket level admin expose-fd listeners\n\tuid\t\t\t80\n\tgid\t\t\t80\n";
	$text .= "\tnbthread\t\t" . (($settings['nbthread'] ?? '') ?: 1) . "\n";
	$text .= "\thard-stop-after\t\t" . (($settings['hard_stop_after'] ?? '') ?: '15m') . "\n";
	$text .= "\tchroot\t\t\t/tmp/haproxy_chroot\n\tdaemon\n";
	$text .= empty($settings['ssldefaultdhparam']) ? '' : "\ttune.ssl.default-dh-param\t{$settings['ssldefaultdhparam']}\n";
	$text .= "\tserver-state-file /tmp/haproxy_server_state\n" . emulated_haproxy_advanced($settings['advanced'] ?? '') . "\n";
	if (!empty($settings['localstatsport'])) {
		$text .= "listen HAProxyLocalStats\n\tbind 127.0.0.1:{$settings['localstatsport']} name localstats\n\tmode http\n"
			. "\tstats enable\n\tstats admin if TRUE\n\tstats uri /haproxy/haproxy_stats.php?haproxystats=1\n"
			. "\ttimeout client 5000\n\ttimeout connect 5000\n\ttimeout server 5000\n\n";
	}
	if (emulated_list(EMULATED_HAPROXY . '/dns_resolvers/item') !== []) {
		$text .= "resolvers globalresolvers\n";
		foreach (emulated_list(EMULATED_HAPROXY . '/dns_resolvers/item') as $resolver) {
			$text .= "\tnameserver {$resolver['name']} {$resolver['server']}:{$resolver['port']}\n";
		}
		$text .= "\tresolve_retries 3\n\ttimeout retry 1s\n\thold valid 10s\n\n";
	}
	return $text;
}

/** Parts that are not there are made, in the configuration that this process has in memory: its next write has them, as in real life. */
function emulated_haproxy_fill_in(): void {
	global $config;
	init_config_arr(['installedpackages', 'haproxy']);
	$settings = &$config['installedpackages']['haproxy'];
	foreach (['ha_backends', 'ha_pools', 'email_mailers', 'dns_resolvers', 'files'] as $part) {
		$settings[$part] = is_array($settings[$part] ?? null) ? $settings[$part] : [];
		$settings[$part]['item'] ??= $part === 'files' ? null : [];
	}
}

/** haproxy.cfg into the folder, with its certificates. A back end that no active front end leads to is not written. */
function haproxy_writeconf($configpath) {
	alias_make_table();
	emulated_haproxy_fill_in();
	safe_mkdir('/tmp/haproxy_chroot');
	rmdir_recursive($configpath);
	safe_mkdir($configpath);
	$groups = [];
	foreach (emulated_list(EMULATED_HAPROXY . '/ha_backends/item') as $frontend) {
		if (($frontend['status'] ?? '') === 'active') {
			$primary = get_primaryfrontend($frontend);
			$groups[$primary['name']]['primary'] ??= $primary;
			$groups[$primary['name']]['group'][] = $frontend;
		}
	}
	$wanted = [];
	$text = emulated_haproxy_global(emulated_config(EMULATED_HAPROXY, []));
	foreach ($groups as ['primary' => $primary, 'group' => $group]) {
		$text .= emulated_haproxy_frontend($primary, $group, $configpath, $wanted);
	}
	foreach ($wanted as $name => [$backend, $type]) {
		$pool = haproxy_find_backend($backend);
		$text .= $pool === null ? '' : emulated_haproxy_backend($name, $pool, $type, $configpath);
	}
	file_put_contents("{$configpath}/haproxy.cfg", $text);
}

/** Tests a rendering in a folder of its own; only a good one is taken into use, and only when told so. */
function haproxy_check_and_run(&$messages, $reload) {
	global $g, $haproxy_run_message;
	$folder = "{$g['varetc_path']}/haproxy_test";
	haproxy_writeconf($folder);
	exec("/usr/local/sbin/haproxy -c -V -f {$folder}/haproxy.cfg 2>&1", $output, $code);
	$messages = '';
	if ($code !== 0) {
		$messages = 'Errors found while starting haproxy';
		foreach ($output as $line) {
			$messages .= '<br/>' . htmlspecialchars($line) . "\n";
		}
		emulated_note('haproxy refused its configuration', ['output' => implode("\n", $output)]);
		return false;
	}
	if (!$reload) {
		// As the package gives it: what HAProxy said, which counts as true.
		return 'Configuration file is valid';
	}
	rmdir_recursive($folder);
	$isGood = haproxy_check_run(1) == 0;
	$messages = $haproxy_run_message;
	return $isGood;
}

function haproxy_configure() {
	return haproxy_check_run(1);
}

/** A new process takes the listening sockets of the one that runs, which ends when its connections have. 0 when it went well. */
function haproxy_check_run($reload) {
	global $g, $haproxy_run_message;
	$lock = lock('haproxy', LOCK_EX);
	$folder = "{$g['varetc_path']}/haproxy";
	$haproxy_run_message = '';
	$code = 0;
	if ($reload) {
		if (haproxy_is_running()) {
			file_put_contents('/tmp/haproxy_server_state', implode("\n", haproxy_socket_command('show servers state')) . "\n");
		}
		haproxy_writeconf($folder);
	}
	if (emulated_is_on(EMULATED_HAPROXY)) {
		$pidfile = "{$g['varrun_path']}/haproxy.pid";
		$command = "/usr/local/sbin/haproxy -f {$folder}/haproxy.cfg -p {$pidfile} -D";
		$isReload = haproxy_is_running();
		if ($isReload) {
			$how = emulated_is_on(EMULATED_HAPROXY, 'terminate_on_reload') ? '-st' : '-sf';
			$command .= " -x /tmp/haproxy.socket {$how} " . implode(' ', array_map('intval', file($pidfile)));
		}
		exec("{$command} 2>&1", $output, $code);
		foreach ($output as $line) {
			$haproxy_run_message .= '<br/>' . htmlspecialchars($line) . "\n";
		}
		emulated_note($isReload ? 'haproxy reloaded' : 'haproxy started', ['exitCode' => $code]);
	} elseif ($reload && haproxy_is_running()) {
		haproxy_kill();
	}
	unlock($lock);
	return $code;
}

function haproxy_kill($killimmediately = true) {
	sigkillbyname('haproxy', $killimmediately ? 'KILL' : 'USR1');
	emulated_note('haproxy stopped');
}
