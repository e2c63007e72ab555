<?php
// dhcpd.conf for ISC dhcpd 4.4, from <dhcpd>: a subnet with its pools for each interface, and a host for each static lease.

function emulated_isc_boot_files(array $settings, string $indent): string {
	$text = '';
	$branches = [];
	foreach (emulated_boot_files($settings) as ['name' => $name, 'archs' => $archs, 'file' => $file]) {
		if ($name === 'uefihttp') {
			$branches[] = ['substring (option vendor-class-identifier, 0, 10) = "HTTPClient"', $file];
		}
		foreach ($archs as $arch) {
			$branches[] = [sprintf('option arch = 00:%02x', $arch), $file];
		}
	}
	$plain = isset($settings['netboot']) ? $settings['filename'] ?? '' : '';
	foreach ($branches as $index => [$test, $file]) {
		$text .= $indent . ($index === 0 ? '' : '} else ') . "if {$test} {\n{$indent}\tfilename \"{$file}\";\n";
	}
	if ($branches === []) {
		return $plain === '' ? '' : "{$indent}filename \"{$plain}\";\n";
	}
	return $text . ($plain === '' ? '' : "{$indent}} else {\n{$indent}\tfilename \"{$plain}\";\n") . "{$indent}}\n";
}

/** Options of the form `option NAME VALUE;`, where there is a value. */
function emulated_isc_options(array $settings, string $indent): string {
	$list = fn (string $key) => implode(', ', array_filter($settings[$key] ?? [] ?: []));
	$quoted = fn (string $key) => empty($settings[$key]) ? '' : "\"{$settings[$key]}\"";
	$search = preg_split('/[ ;]+/', $settings['domainsearchlist'] ?? '', -1, PREG_SPLIT_NO_EMPTY);
	$options = [
		'option domain-search' => $search === [] ? '' : '"' . implode('", "', $search) . '"',
		'default-lease-time' => $settings['defaultleasetime'] ?? '',
		'max-lease-time' => $settings['maxleasetime'] ?? '',
		'option netbios-name-servers' => $list('winsserver'),
		'option ntp-servers' => $list('ntpserver'),
		'option tftp-server-name' => $quoted('tftp'),
		'option root-path' => isset($settings['netboot']) ? $quoted('rootpath') : '',
		'next-server' => isset($settings['netboot']) ? $settings['nextserver'] ?? '' : '',
	];
	$text = '';
	foreach (array_filter($options, fn ($value) => $value !== '') as $name => $value) {
		$text .= "{$indent}{$name} {$value};\n";
	}
	return $text;
}

/** Numbered options, each declared before it is used: what is declared, and what is used. */
function emulated_isc_numbered(array $settings, string $name, string $indent): array {
	$declared = '';
	$used = '';
	foreach ($settings['numberoptions']['item'] ?? [] as $index => $option) {
		$type = ($option['type'] ?? '') ?: 'text';
		$value = base64_decode($option['value'] ?? '');
		$declared .= "option custom-{$name}-{$index} code {$option['number']} = {$type};\n";
		$used .= "{$indent}option custom-{$name}-{$index} " . ($type === 'text' ? "\"{$value}\"" : $value) . ";\n";
	}
	return [$declared, $used];
}

function emulated_isc_pool(array $pool, string $class): string {
	$text = "\tpool {\n";
	foreach (['mac_allow' => 'allow', 'mac_deny' => 'deny'] as $key => $verb) {
		foreach (array_filter(explode(',', $pool[$key] ?? '')) as $mac) {
			$text .= "\t\t{$verb} members of \"" . str_replace(':', '', $mac) . "\";\n";
		}
	}
	if (isset($pool['denyunknown']) && $pool['denyunknown'] !== 'disabled') {
		$text .= $pool['denyunknown'] === 'class' ? "\t\tallow members of \"{$class}\";\n" : "\t\tdeny unknown-clients;\n";
	}
	$resolvers = array_filter($pool['dnsserver'] ?? []);
	$text .= $resolvers === [] ? '' : "\t\toption domain-name-servers " . implode(',', $resolvers) . ";\n";
	return "{$text}\t\trange {$pool['range']['from']} {$pool['range']['to']};\n\t}\n";
}

function emulated_isc_host(array $lease, array $interface, string $name): string {
	$text = "host {$name} {\n";
	$text .= empty($lease['mac']) ? '' : "\thardware ethernet {$lease['mac']};\n";
	$text .= empty($lease['cid']) ? '' : "\toption dhcp-client-identifier \"" . str_replace('"', '\"', $lease['cid']) . "\";\n";
	$text .= empty($lease['ipaddr']) ? '' : "\tfixed-address {$lease['ipaddr']};\n";
	$text .= empty($lease['hostname']) ? '' : "\toption host-name \"" . strtr($lease['hostname'], ' .', '__') . "\";\n";
	$text .= empty($lease['gateway']) ? '' : "\toption routers {$lease['gateway']};\n";
	$text .= empty($lease['domain']) ? '' : "\toption domain-name \"{$lease['domain']}\";\n";
	$resolvers = array_filter($lease['dnsserver'] ?? [] ?: []);
	$text .= $resolvers === [] ? '' : "\toption domain-name-servers " . implode(',', $resolvers) . ";\n";
	return $text . emulated_isc_options($lease, "\t") . emulated_isc_boot_files($lease, "\t") . "}\n";
}

/** The whole file, and the devices it serves. */
function emulated_dhcpd_conf(): array {
	$declared = '';
	$body = '';
	$devices = [];
	foreach (emulated_list('dhcpd') as $name => $settings) {
		$interface = emulated_dhcp_interface($name, $settings);
		if ($interface === null) {
			continue;
		}
		$devices[] = $interface['device'];
		$class = "s_{$name}";
		$lists = [...array_column($interface['pools'], 'mac_allow'), ...array_column($interface['pools'], 'mac_deny')];
		$macs = array_filter(explode(',', implode(',', $lists)));
		foreach (array_unique($macs) as $mac) {
			$length = substr_count($mac, ':') + 1;
			$body .= 'class "' . str_replace(':', '', $mac) . "\" {\n\tmatch if substring (hardware, 1, {$length}) = {$mac};\n}\n";
		}
		$body .= "class \"{$class}\" {\n\tmatch pick-first-value (option dhcp-client-identifier, hardware);\n}\n";
		$body .= "subnet {$interface['subnet']} netmask " . gen_subnet_mask($interface['bits']) . " {\n";
		foreach ($interface['pools'] as $pool) {
			$body .= emulated_isc_pool($pool, $class);
		}
		$body .= $interface['gateway'] === null ? '' : "\toption routers {$interface['gateway']};\n";
		$body .= "\toption domain-name \"{$interface['domain']}\";\n";
		$resolvers = implode(',', $interface['resolvers']);
		$body .= $resolvers === '' ? '' : "\toption domain-name-servers {$resolvers};\n";
		$body .= "\tping-check " . (isset($settings['disablepingcheck']) ? 'false' : 'true') . ";\n";
		[$more, $used] = emulated_isc_numbered($settings, $name, "\t");
		$declared .= $more;
		$body .= $used . emulated_isc_options($settings, "\t") . emulated_isc_boot_files($settings, "\t") . "}\n";
		foreach ($settings['staticmap'] ?? [] as $index => $lease) {
			$body .= emulated_isc_host($lease, $interface, "s_{$name}_{$index}");
			$body .= empty($lease['mac']) ? '' : "subclass \"{$class}\" 1:{$lease['mac']};\n";
		}
	}
	$domain = emulated_config('system/domain');
	$head = "option domain-name \"{$domain}\";\noption ldap-server code 95 = text;\n"
		. "option arch code 93 = unsigned integer 16;\n{$declared}"
		. "default-lease-time 7200;\nmax-lease-time 86400;\nlog-facility local7;\none-lease-per-client true;\n"
		. "deny duplicates;\nupdate-conflict-detection false;\nauthoritative;\n";
	return [$head . $body, $devices];
}

function services_dhcpdv4_configure() {
	global $g;
	$root = $g['dhcpd_chroot_path'];
	foreach (["{$root}/etc", "{$root}/var/db", "{$root}/var/run", "{$root}/dev"] as $folder) {
		safe_mkdir($folder);
	}
	[$text, $devices] = emulated_dhcpd_conf();
	file_put_contents("{$root}/etc/dhcpd.conf", $text);
	if (!platform_booting()) {
		sleep(1);
	}
	touch("{$root}/var/db/dhcpd.leases");
	unlink_if_exists("{$root}{$g['varrun_path']}/dhcpd.pid");
	mwexec("chown -R dhcpd:_dhcp {$root}/etc {$root}/var");
	if ($devices === []) {
		return 0;
	}
	// Debian's changes its root only after it has read its files, so it stays where it is.
	$files = "-cf {$root}/etc/dhcpd.conf -lf {$root}/var/db/dhcpd.leases -pf {$root}{$g['varrun_path']}/dhcpd.pid";
	$code = mwexec("/usr/local/sbin/dhcpd -user dhcpd -group _dhcp {$files} " . implode(' ', $devices));
	emulated_note('dhcpd started', ['exitCode' => $code]);
	return $code;
}
