<?php
// Names of hosts from the configuration: into /etc/hosts, and through unbound.inc into the resolver.

/** The router's own names. Each entry is ipaddr, fqdn, name, domain; the order is that of the answers' reverse names. */
function system_hosts_local_entries() {
	$domain = emulated_config('system/domain');
	$hostname = emulated_config('system/hostname');
	$entry = fn ($address, $name) => ['ipaddr' => $address, 'fqdn' => "{$name}.{$domain}", 'name' => $name, 'domain' => $domain];
	$entries = [$entry('127.0.0.1', 'localhost'), $entry('::1', 'localhost')];
	$interfaces = emulated_config('interfaces/lan') ? ['lan'] : array_keys(get_configured_interface_list());
	foreach ($interfaces as $interface) {
		$addresses = array_filter([get_interface_ip($interface), get_interface_ipv6($interface)]);
		foreach ($addresses as $address) {
			$entries[] = $entry($address, $hostname);
		}
		if ($addresses !== []) {
			break;
		}
	}
	return $entries;
}

/** Host overrides of the resolver or forwarder, with their aliases. */
function system_hosts_override_entries($dnscfg) {
	if (!is_array($dnscfg) || !isset($dnscfg['enable'])) {
		return [];
	}
	$entries = [];
	foreach ($dnscfg['hosts'] ?? [] ?: [] as $host) {
		$aliases = is_array($host['aliases'] ?? null) && is_array($host['aliases']['item'] ?? null) ? $host['aliases']['item'] : [];
		foreach ([$host, ...$aliases] as $named) {
			foreach (explode(',', $host['ip']) as $address) {
				$entries[] = emulated_host_entry($address, $named['host'] ?? '', $named['domain'] ?? '');
			}
		}
	}
	return $entries;
}

function emulated_host_entry(string $address, string $name, string $domain): array {
	return ['ipaddr' => $address, 'fqdn' => ($name === '' ? '' : "{$name}.") . $domain, 'name' => $name, 'domain' => $domain];
}

/** Static leases that have a name and an address. */
function system_hosts_dhcpd_entries() {
	$entries = [];
	foreach (emulated_list('dhcpd') as $interface) {
		if (!is_array($interface) || !isset($interface['enable'])) {
			continue;
		}
		foreach ($interface['staticmap'] ?? [] as $lease) {
			if (!empty($lease['ipaddr']) && !empty($lease['hostname'])) {
				$domain = ($lease['domain'] ?? '') ?: (($interface['domain'] ?? '') ?: emulated_config('system/domain'));
				$entries[] = emulated_host_entry($lease['ipaddr'], $lease['hostname'], $domain);
			}
		}
	}
	return $entries;
}

function system_hosts_entries($dnscfg) {
	$dnscfg = is_array($dnscfg) ? $dnscfg : [];
	$local = isset($dnscfg['disable_auto_added_host_entries']) ? [] : system_hosts_local_entries();
	$overrides = system_hosts_override_entries($dnscfg);
	$leases = isset($dnscfg['enable'], $dnscfg['regdhcpstatic']) ? system_hosts_dhcpd_entries() : [];
	return isset($dnscfg['dhcpfirst']) ? [...$local, ...$overrides, ...$leases] : [...$local, ...$leases, ...$overrides];
}

/** /etc/hosts; with the resolver on, also its host entries, which a reload then reads. 0 when it was written. */
function system_hosts_generate() {
	global $g;
	$forwarder = emulated_is_on('dnsmasq');
	$text = '';
	foreach (system_hosts_entries(emulated_config($forwarder ? 'dnsmasq' : 'unbound', [])) as $host) {
		$names = $host['name'] === 'localhost' ? "{$host['name']} {$host['fqdn']}" : "{$host['fqdn']} {$host['name']}";
		$text .= "{$host['ipaddr']}\t{$names}\n";
	}
	if (file_put_contents("{$g['etc_path']}/hosts", $text) === false) {
		log_error('Cannot open hosts file in system_hosts_generate().');
		return 1;
	}
	if (emulated_is_on('unbound')) {
		require_once 'unbound.inc';
		unbound_hosts_generate();
	}
	return 0;
}

/** Names of dynamic leases: not emulated, as the lab's machines have static ones. */
function system_dhcpleases_configure() {
	return null;
}

function system_routing_configure($interface = '', $ipproto = '') {
	return null;
}

function system_resolvconf_generate($dynupdate = false) {
	return true;
}

function get_dns_nameservers($add_v6_brackets = false, $hostns = false) {
	return array_values(array_filter(emulated_list('system/dnsserver'), 'is_ipaddr'));
}

function system_reboot() {
	mwexec_bg('/etc/rc.reboot');
}
