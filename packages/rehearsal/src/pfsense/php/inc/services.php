<?php
// The services that are configured from config.xml: each is rendered, and its program started again as pfSense does.

require_once 'dhcp-isc.inc';
require_once 'dhcp-kea.inc';

/** Ends the resolver (its cache and what was added to it live are gone), renders everything, starts it. */
function services_unbound_configure($restart_dhcp = true, $interface = '') {
	global $g;
	$pidfile = "{$g['varrun_path']}/unbound.pid";
	$return = 0;
	require_once 'unbound.inc';
	if (emulated_is_on('unbound')) {
		sigkillbypid($pidfile, 'TERM');
		// In whole seconds, as pfSense waits.
		for ($seconds = 0; $seconds < 30 && is_process_running('unbound'); $seconds++) {
			sleep(1);
		}
		$return = system_hosts_generate();
		sync_unbound_service();
	} else {
		sigkillbypid($pidfile, 'KILL');
	}
	if (!platform_booting() && $restart_dhcp && services_dhcpd_configure() != 0) {
		$return = 1;
	}
	return $return;
}

/** Ends the forwarder, waits a second, starts it with arguments alone. */
function services_dnsmasq_configure($restart_dhcp = true) {
	global $g;
	$return = 0;
	sigkillbypid("{$g['varrun_path']}/dnsmasq.pid", 'TERM');
	if (emulated_is_on('dnsmasq')) {
		if (!platform_booting()) {
			sleep(1);
		}
		$return = system_hosts_generate();
		mwexec_bg('/usr/local/sbin/dnsmasq ' . implode(' ', array_map('escapeshellarg', emulated_dnsmasq_arguments())));
		emulated_note('dnsmasq started');
	}
	if (!platform_booting() && $restart_dhcp && services_dhcpd_configure() != 0) {
		$return = 1;
	}
	return $return;
}

function emulated_dnsmasq_arguments(): array {
	global $g;
	$settings = emulated_config('dnsmasq', []);
	$arguments = ['-C', '/dev/null', "--pid-file={$g['varrun_path']}/dnsmasq.pid", '--no-resolv'];
	if (!emulated_is_on('system/webgui', 'nodnsrebindcheck')) {
		array_push($arguments, '--rebind-localhost-ok', '--stop-dns-rebind');
	}
	if (is_port($settings['port'] ?? '')) {
		$arguments[] = "--port={$settings['port']}";
	}
	foreach (array_filter(explode(',', $settings['interface'] ?? '')) as $interface) {
		foreach (array_filter([get_interface_ip($interface), get_interface_ipv6($interface)]) as $address) {
			$arguments[] = "--listen-address={$address}";
		}
	}
	if (isset($settings['strictbind'])) {
		$arguments[] = '--bind-interfaces';
	}
	foreach (emulated_list('dnsmasq/domainoverrides') as $override) {
		$server = $override['ip'] === '!' ? '' : $override['ip'];
		array_push($arguments, "--server=/{$override['domain']}/{$server}", "--rebind-domain-ok=/{$override['domain']}/");
	}
	foreach (isset($settings['no_system_dns']) ? [] : get_dns_nameservers() as $server) {
		$arguments[] = "--server={$server}";
	}
	$arguments[] = isset($settings['strict_order']) ? '--strict-order' : '--all-servers';
	if (isset($settings['domain_needed'])) {
		$arguments[] = '--domain-needed';
	}
	$standard = ['dns-forward-max' => '5000', 'cache-size' => '10000', 'local-ttl' => '1'];
	foreach (preg_split('/\s+/', base64_decode($settings['custom_options'] ?? ''), -1, PREG_SPLIT_NO_EMPTY) as $custom) {
		$arguments[] = "--{$custom}";
		unset($standard[explode('=', $custom)[0]]);
	}
	foreach ($standard as $name => $value) {
		$arguments[] = "--{$name}={$value}";
	}
	return $arguments;
}

if (emulated_has('kea')) {
	function dhcp_get_backend() {
		return emulated_config('dhcpbackend', 'isc');
	}

	function dhcp_is_backend($dhcpbackend) {
		return dhcp_get_backend() === $dhcpbackend;
	}
}

function emulated_dhcp_backend(): string {
	return emulated_has('kea') ? dhcp_get_backend() : 'isc';
}

function is_dhcp_server_enabled() {
	foreach (emulated_list('dhcpd') as $interface) {
		if (is_array($interface) && isset($interface['enable'])) {
			return true;
		}
	}
	return false;
}

/** Ends whichever server runs, renders, starts. One at a time. Gives nothing, however it went. */
function services_dhcpd_configure($family = 'all', $blacklist = []) {
	$lock = lock('dhcpdconfigure', LOCK_EX);
	foreach (['dhcpd', 'kea-dhcp4'] as $server) {
		killbyname($server);
		emulated_wait_gone($server, 10);
	}
	if (is_dhcp_server_enabled()) {
		emulated_dhcp_backend() === 'kea' ? services_kea4_configure() : services_dhcpdv4_configure();
	}
	unlock($lock);
}

function services_dhcpdv6_configure($blacklist = []) {
	return 0;
}

/** Of one interface: what both servers are told alike, with the configuration's defaults. Null where it serves none. */
function emulated_dhcp_interface(string $name, mixed $settings): ?array {
	$address = get_interface_ip($name);
	if (!is_array($settings) || !isset($settings['enable']) || !emulated_is_on("interfaces/{$name}") || $address === null) {
		return null;
	}
	$bits = get_interface_subnet($name);
	$resolvers = array_values(array_filter($settings['dnsserver'] ?? []));
	if ($resolvers === []) {
		$isResolver = emulated_is_on('unbound') || emulated_is_on('dnsmasq');
		$resolvers = $isResolver ? [$address] : array_filter(get_dns_nameservers(), 'is_ipaddrv4');
	}
	$gateway = $settings['gateway'] ?? '';
	$pools = [];
	foreach ([$settings, ...($settings['pool'] ?? [])] as $pool) {
		$isInside = fn (string $end) => ip_in_subnet($pool['range'][$end] ?? '', "{$address}/{$bits}");
		if ($isInside('from') && $isInside('to')) {
			$pools[] = $pool;
		} else {
			file_notice('DHCP', "Invalid DHCP pool for {$name} detected.");
		}
	}
	return [
		'device' => get_real_interface($name),
		'subnet' => gen_subnet($address, $bits),
		'bits' => $bits,
		'resolvers' => $resolvers,
		'gateway' => $gateway === 'none' ? null : ($gateway ?: $address),
		'domain' => ($settings['domain'] ?? '') ?: emulated_config('system/domain'),
		'pools' => $pools,
	];
}

/** Boot files by what a client says it is: [['test' => 'arch'|'http', 'arch' => 7, 'file' => …], …]; the plain one comes last. */
function emulated_boot_files(array $settings): array {
	if (!isset($settings['netboot'])) {
		return [];
	}
	$files = [];
	if (!empty($settings['uefihttpboot'])) {
		$files[] = ['name' => 'uefihttp', 'archs' => [], 'file' => $settings['uefihttpboot']];
	}
	foreach (['32' => [6], '64' => [7, 9], '32arm' => [10], '64arm' => [11]] as $name => $archs) {
		if (!empty($settings["filename{$name}"])) {
			$files[] = ['name' => (string)$name, 'archs' => $archs, 'file' => $settings["filename{$name}"]];
		}
	}
	return $files;
}

function services_dhcrelay_configure() {
	return 0;
}

function services_radvd_configure($blacklist = []) {
	return 0;
}

function configure_cron() {
	return null;
}

function install_cron_job(
	$command,
	$active = false,
	$minute = '0',
	$hour = '*',
	$monthday = '*',
	$month = '*',
	$weekday = '*',
	$who = 'root',
	$write_config = true,
) {
	return null;
}
