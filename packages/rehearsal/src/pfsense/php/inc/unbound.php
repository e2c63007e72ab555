<?php
// The DNS resolver: unbound.conf and the files it includes, rendered from the configuration, and the program told about them.
//
//   /var/unbound/unbound.conf ─ access_lists.conf, host_entries.conf, dhcpleases_entries.conf, domainoverrides.conf, remotecontrol.conf

require_once 'util.inc';

function emulated_unbound_folder(string $subfolder = ''): string {
	global $g;
	return $g['unbound_chroot_path'] . $subfolder;
}

function create_unbound_chroot_path($cfgsubdir = '') {
	foreach (array_unique(['', $cfgsubdir]) as $subfolder) {
		$folder = emulated_unbound_folder($subfolder);
		safe_mkdir($folder);
		chown($folder, 'unbound');
		chgrp($folder, 'unbound');
	}
}

function emulated_write_unbound(string $subfolder, string $file, string $text): void {
	create_unbound_chroot_path($subfolder);
	file_put_contents(emulated_unbound_folder($subfolder) . "/{$file}", $text);
}

/** What unbound may be told about the type of the system domain's zone. */
function unbound_local_zone_types() {
	$types = ['deny', 'refuse', 'static', 'transparent', 'typetransparent', 'redirect', 'inform', 'inform_deny', 'nodefault'];
	return array_combine($types, $types);
}

function emulated_yes(array $settings, string $flag): string {
	return isset($settings[$flag]) ? 'yes' : 'no';
}

/** The lines of `server:` that a setting of its own stands behind. */
function emulated_unbound_server_options(array $settings): array {
	$or = fn (string $key, string $default) => ($settings[$key] ?? '') === '' ? $default : $settings[$key];
	$messageCache = (int)$or('msgcachesize', '4');
	$isDnssec = isset($settings['dnssec']);
	return [
		'port' => is_port($settings['port'] ?? '') ? $settings['port'] : '53',
		'verbosity' => $or('log_verbosity', '1'),
		'hide-identity' => emulated_yes($settings, 'hideidentity'),
		'hide-version' => emulated_yes($settings, 'hideversion'),
		'harden-glue' => 'yes',
		'do-ip4' => 'yes',
		'do-ip6' => emulated_is_on('system', 'ipv6allow') ? 'yes' : 'no',
		'do-udp' => 'yes',
		'do-tcp' => 'yes',
		'do-daemonize' => 'yes',
		'module-config' => $isDnssec ? '"validator iterator"' : '"iterator"',
		'unwanted-reply-threshold' => '0',
		'num-queries-per-thread' => $or('num_queries_per_thread', '512'),
		'jostle-timeout' => $or('jostle_timeout', '200'),
		'infra-host-ttl' => $or('infra_host_ttl', '900'),
		'infra-cache-numhosts' => $or('infra_cache_numhosts', '10000'),
		'outgoing-num-tcp' => $or('outgoing_num_tcp', '10'),
		'incoming-num-tcp' => $or('incoming_num_tcp', '10'),
		'edns-buffer-size' => is_numeric($settings['edns_buffer_size'] ?? '') ? $settings['edns_buffer_size'] : '1432',
		'cache-max-ttl' => $or('cache_max_ttl', '86400'),
		'cache-min-ttl' => $or('cache_min_ttl', '0'),
		'harden-dnssec-stripped' => emulated_yes($settings, 'dnssecstripped'),
		'msg-cache-size' => "{$messageCache}m",
		'rrset-cache-size' => (2 * $messageCache) . 'm',
		'qname-minimisation' => emulated_yes($settings, 'qname-minimisation'),
		'num-threads' => '1',
		'outgoing-range' => '4096',
		'prefetch' => emulated_yes($settings, 'prefetch'),
		'prefetch-key' => emulated_yes($settings, 'prefetchkey'),
		'use-caps-for-id' => emulated_yes($settings, 'use_caps'),
		'serve-expired' => emulated_yes($settings, 'dnsrecordcache'),
		'statistics-interval' => '0',
		'extended-statistics' => 'yes',
		'statistics-cumulative' => 'yes',
	] + ($isDnssec ? ['auto-trust-anchor-file' => emulated_unbound_folder() . '/root.key'] : []);
}

/** Where it answers: on all interfaces, or on the addresses of those that are named. */
function emulated_unbound_interfaces(array $settings): array {
	$names = array_filter(explode(',', $settings['active_interface'] ?? ''));
	if ($names === [] || in_array('all', $names, true)) {
		return ['interface-automatic: yes'];
	}
	$lines = [];
	foreach ($names as $name) {
		$addresses = is_ipaddr($name) ? [$name] : array_filter([get_interface_ip($name), get_interface_ipv6($name)]);
		foreach ($addresses as $address) {
			$lines[] = "interface: {$address}";
		}
	}
	return $lines;
}

const EMULATED_PRIVATE_NETWORKS = [
	'127.0.0.0/8', '10.0.0.0/8', '::ffff:a00:0/104', '172.16.0.0/12', '::ffff:ac10:0/108', '169.254.0.0/16', '::ffff:a9fe:0/112',
	'192.168.0.0/16', '::ffff:c0a8:0/112', 'fd00::/8', 'fe80::/10',
];

function unbound_generate_config_text($unboundcfg = null, $cfgsubdir = '') {
	$settings = $unboundcfg ?? emulated_config('unbound', []);
	$folder = emulated_unbound_folder($cfgsubdir);
	$isGuarded = !emulated_is_on('system/webgui', 'nodnsrebindcheck');
	$lines = [
		'# Resolver of the emulated router, rendered from its config.xml.',
		'server:',
		unbound_add_domain_overrides('reverse'),
	];
	array_push(
		$lines,
		"chroot: {$folder}",
		'username: "unbound"',
		"directory: \"{$folder}\"",
		'pidfile: "/var/run/unbound.pid"',
		'use-syslog: yes',
	);
	foreach (emulated_unbound_server_options($settings) as $option => $value) {
		$lines[] = "{$option}: {$value}";
	}
	array_push($lines, ...emulated_unbound_interfaces($settings));
	if ($isGuarded) {
		foreach (EMULATED_PRIVATE_NETWORKS as $network) {
			$lines[] = "private-address: {$network}";
		}
		$lines[] = unbound_add_domain_overrides('private');
	}
	foreach (['access_lists', 'host_entries', 'dhcpleases_entries', 'domainoverrides'] as $part) {
		$lines[] = "include: {$folder}/{$part}.conf";
	}
	if (isset($settings['forwarding'])) {
		$lines[] = "forward-zone:\n\tname: \".\"";
		$port = isset($settings['forward_tls_upstream']) ? '@853' : '';
		if ($port !== '') {
			$lines[] = "\tforward-tls-upstream: yes";
		}
		foreach (get_dns_nameservers() as $server) {
			$lines[] = "\tforward-addr: {$server}{$port}";
		}
	}
	if (!empty($settings['custom_options'])) {
		$lines[] = base64_decode($settings['custom_options']);
	}
	$lines[] = "include: {$folder}/remotecontrol.conf";
	return implode("\n", array_filter($lines, fn ($line) => $line !== '')) . "\n";
}

function unbound_generate_config($unboundcfg = null, $cfgsubdir = '') {
	$text = unbound_generate_config_text($unboundcfg, $cfgsubdir);
	unbound_add_host_entries($cfgsubdir);
	unbound_add_domain_overrides('', $cfgsubdir);
	unbound_acls_config($cfgsubdir);
	emulated_write_unbound($cfgsubdir, 'unbound.conf', $text);
}

/** 0 when unbound-checkconf is content; what it says otherwise is in the output. */
function test_unbound_config($unboundcfg, &$output) {
	$folder = emulated_unbound_folder('/test');
	rmdir_recursive($folder);
	unbound_generate_config($unboundcfg, '/test');
	unbound_remote_control_setup('/test');
	exec("cd {$folder} && /usr/local/sbin/unbound-checkconf {$folder}/unbound.conf 2>&1", $output, $code);
	if ($code === 0) {
		rmdir_recursive($folder);
	}
	return $code;
}

function unbound_remote_control_setup($cfgsubdir = '') {
	$folder = emulated_unbound_folder($cfgsubdir);
	if (file_exists("{$folder}/remotecontrol.conf") && file_exists("{$folder}/unbound_control.key")) {
		return;
	}
	$text = "remote-control:\n\tcontrol-enable: yes\n\tcontrol-interface: 127.0.0.1\n\tcontrol-port: 953\n";
	foreach (['server', 'control'] as $side) {
		$text .= "\t{$side}-key-file: \"{$folder}/unbound_{$side}.key\"\n\t{$side}-cert-file: \"{$folder}/unbound_{$side}.pem\"\n";
	}
	emulated_write_unbound($cfgsubdir, 'remotecontrol.conf', $text);
	do_as_unbound_user('unbound-control-setup', $cfgsubdir);
}

/** Domain overrides by domain: as forward zones in their file, or as lines of `server:` ("private", "reverse"). */
function unbound_add_domain_overrides($pvt_rev = '', $cfgsubdir = '') {
	$servers = [];
	$overTls = [];
	foreach (msort(emulated_list('unbound/domainoverrides'), 'domain') as $override) {
		$servers[$override['domain']][] = $override;
		if (isset($override['forward_tls_upstream'])) {
			$overTls[$override['domain']] = true;
		}
	}
	$text = '';
	foreach ($servers as $domain => $overrides) {
		if ($pvt_rev === 'private') {
			$text .= "private-domain: \"{$domain}\"\ndomain-insecure: \"{$domain}\"\n";
		} elseif ($pvt_rev === 'reverse') {
			$text .= preg_match('/\.(in-addr|ip6)\.arpa\.?$/', $domain) ? "local-zone: \"{$domain}\" typetransparent\n" : '';
		} else {
			$text .= "forward-zone:\n\tname: \"{$domain}\"\n" . (isset($overTls[$domain]) ? "\tforward-tls-upstream: yes\n" : '');
			foreach ($overrides as $override) {
				$port = isset($overTls[$domain]) && !str_contains($override['ip'], '@') ? '@853' : '';
				$name = isset($overTls[$domain]) && !empty($override['tls_hostname']) ? "#{$override['tls_hostname']}" : '';
				$text .= "\tforward-addr: {$override['ip']}{$port}{$name}\n";
			}
		}
	}
	if ($pvt_rev !== '') {
		return rtrim($text, "\n");
	}
	emulated_write_unbound($cfgsubdir, 'domainoverrides.conf', $text);
}

/** host_entries.conf: the system's domain first, then each other; the first name of an address is its reverse name. No TTLs. */
function unbound_add_host_entries($cfgsubdir = '') {
	$byDomain = [];
	foreach (system_hosts_entries(emulated_config('unbound', [])) as $host) {
		$byDomain[$host['domain']][] = $host;
	}
	$own = emulated_config('system/domain');
	$wanted = emulated_config('unbound/system_domain_local_zone_type');
	$isKnown = isset(unbound_local_zone_types()[$wanted ?? '']) && !emulated_is_on('unbound', 'disable_auto_added_host_entries');
	$type = $isKnown ? $wanted : 'transparent';
	$text = '';
	$reversed = [];
	if (isset($byDomain[$own])) {
		$text .= "local-zone: \"{$own}.\" {$type}\n";
		foreach ($byDomain[$own] as $host) {
			$text .= emulated_unbound_records($host, $reversed, $host['name'] === 'localhost', $type === 'redirect');
		}
		unset($byDomain[$own]);
	}
	$isShort = emulated_is_on('unbound', 'always_add_short_names');
	foreach ($byDomain as $hosts) {
		foreach ($hosts as $host) {
			$text .= emulated_unbound_records($host, $reversed, $isShort, false);
		}
	}
	emulated_write_unbound($cfgsubdir, 'host_entries.conf', $text);
	touch(emulated_unbound_folder($cfgsubdir) . '/dhcpleases_entries.conf');
}

function emulated_unbound_records(array $host, array &$reversed, bool $isShort, bool $isRedirect): string {
	$family = is_ipaddr($host['ipaddr']);
	if ($family === false) {
		return '';
	}
	$type = $family === 4 ? 'A' : 'AAAA';
	$text = isset($reversed[$host['ipaddr']]) ? '' : "local-data-ptr: \"{$host['ipaddr']} {$host['fqdn']}\"\n";
	$reversed[$host['ipaddr']] = true;
	$text .= $isShort ? "local-data: \"{$host['name']}. {$type} {$host['ipaddr']}\"\n" : '';
	$text .= $isRedirect ? "local-zone: \"{$host['fqdn']}.\" redirect\n" : '';
	return $text . "local-data: \"{$host['fqdn']}. {$type} {$host['ipaddr']}\"\n";
}

/** Who may ask: the router itself, its networks, and what the access lists say. */
function unbound_acls_config($cfgsubdir = '') {
	$text = "access-control: 127.0.0.1/32 allow_snoop\naccess-control: ::1 allow_snoop\n";
	foreach (array_keys(get_configured_interface_list()) as $name) {
		$networks = [
			[get_interface_ip($name), get_interface_subnet($name)],
			[get_interface_ipv6($name), get_interface_subnetv6($name)],
		];
		foreach ($networks as [$address, $bits]) {
			if ($address !== null && !interface_has_gateway($name)) {
				$text .= 'access-control: ' . gen_subnet($address, $bits) . "/{$bits} allow\n";
			}
		}
	}
	$actions = ['allow snoop' => 'allow_snoop', 'deny nonlocal' => 'deny_non_local', 'refuse nonlocal' => 'refuse_non_local'];
	foreach (emulated_list('unbound/acls') as $list) {
		$text .= "#{$list['aclname']}\n";
		foreach ($list['row'] ?? [] as $row) {
			$text .= "access-control: {$row['acl_network']}/{$row['mask']} " . ($actions[$list['aclaction']] ?? $list['aclaction']) . "\n";
		}
	}
	emulated_write_unbound($cfgsubdir, 'access_lists.conf', $text);
}

/** Writes what it is told by and starts it; nothing happens to one that runs. */
function sync_unbound_service() {
	create_unbound_chroot_path();
	unbound_remote_control_setup();
	unbound_generate_config();
	if (!is_process_running('unbound')) {
		do_as_unbound_user('start');
	}
}

function do_as_unbound_user($cmd, $param1 = '') {
	$folder = emulated_unbound_folder();
	$asUser = fn (string $command) => mwexec("/usr/bin/su -m unbound -c '{$command}'", true);
	switch ($cmd) {
		case 'start':
			mwexec("/usr/local/sbin/unbound -c {$folder}/unbound.conf");
			emulated_note('unbound started');
			break;
		case 'stop':
		case 'reload':
			$asUser("/usr/local/sbin/unbound-control -c {$folder}/unbound.conf {$cmd}");
			emulated_note("unbound {$cmd}");
			break;
		case 'unbound-control-setup':
			$asUser("/usr/local/sbin/unbound-control-setup -d {$folder}{$param1}");
			break;
	}
}

function unbound_control($action) {
	match ($action) {
		'start' => emulated_is_on('unbound') && !is_process_running('unbound') ? do_as_unbound_user('start') : null,
		'stop' => emulated_is_on('unbound') ? do_as_unbound_user('stop') : null,
		'reload' => emulated_is_on('unbound') && is_process_running('unbound') ? do_as_unbound_user('reload') : null,
		default => null,
	};
}

function unbound_hosts_generate() {
	unbound_add_host_entries();
	unbound_control('reload');
}
