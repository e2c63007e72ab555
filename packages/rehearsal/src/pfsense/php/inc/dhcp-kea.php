<?php
// kea-dhcp4.conf, from <dhcpd> and <kea>. Boot files exist for an interface, as client classes; those of a static lease are not
// rendered, as pfSense's are not. pfSense also lists each known machine once for all subnets; Debian's Kea 2.2 takes no such
// reservation without an address or a name, and knows the machines of a subnet by its own.

function emulated_kea_option(string $name, string $data): array {
	return ['name' => $name, 'data' => $data];
}

function emulated_kea_custom(?string $encoded): array {
	return empty($encoded) ? [] : (json_decode(base64_decode($encoded), true) ?: []);
}

/** Lists are put together, maps merged, anything else taken from the second. */
function emulated_kea_merge(array $one, array $other): array {
	foreach ($other as $key => $value) {
		$isDeeper = is_array($value) && is_array($one[$key] ?? null);
		if (is_int($key)) {
			$one[] = $value;
		} else {
			$one[$key] = $isDeeper ? emulated_kea_merge($one[$key], $value) : $value;
		}
	}
	return $one;
}

/** Classes that carry the boot files, and the names a subnet asks for them by. */
function emulated_kea_boot_classes(array $settings, string $interface): array {
	$classes = [];
	$add = function (string $kind, string $test, string $file) use (&$classes, $interface): void {
		$classes[] = [
			'name' => "ipxe_{$kind}_{$interface}",
			'test' => $test,
			'only-if-required' => true,
			'option-data' => [emulated_kea_option('boot-file-name', $file)],
		];
	};
	foreach (emulated_boot_files($settings) as ['name' => $name, 'archs' => $archs, 'file' => $file]) {
		$tests = array_map(fn (int $arch) => sprintf('option[93].hex == 0x%04x', $arch), $archs);
		$add($name, $archs === [] ? "substring(option[60].text, 0, 10) == 'HTTPClient'" : implode(' or ', $tests), $file);
	}
	if (isset($settings['netboot']) && !empty($settings['filename'])) {
		$others = array_map(fn (array $class) => "not member('{$class['name']}')", $classes);
		$add('legacy', $others === [] ? "member('ALL')" : implode(' and ', $others), $settings['filename']);
	}
	return $classes;
}

function emulated_kea_pool(array $pool, string $class): array {
	$tests = [];
	foreach ([
		'mac_allow' => ["member('mac_%s')", ' or '],
		'mac_deny' => ["not member('mac_%s')", ' and '],
	] as $key => [$form, $glue]) {
		$macs = array_filter(explode(',', $pool[$key] ?? ''));
		if ($macs !== []) {
			$tests[] = '(' . implode(
				$glue,
				array_map(fn ($mac) => sprintf($form, strtoupper(str_replace(':', '', $mac))), $macs),
			) . ')';
		}
	}
	if (isset($pool['denyunknown']) && $pool['denyunknown'] !== 'disabled') {
		$tests[] = "member('KNOWN')";
	}
	$rendered = ['pool' => "{$pool['range']['from']} - {$pool['range']['to']}", 'client-class' => $class];
	$resolvers = array_filter($pool['dnsserver'] ?? []);
	if ($resolvers !== []) {
		$rendered['option-data'] = [emulated_kea_option('domain-name-servers', implode(', ', $resolvers))];
	}
	return [$rendered, ['name' => $class, 'test' => $tests === [] ? "member('ALL')" : implode(' and ', $tests)]];
}

function emulated_kea_reservation(array $lease): array {
	$reservation = [];
	if (!empty($lease['mac'])) {
		$reservation['hw-address'] = strtolower(trim($lease['mac']));
	} elseif (!empty($lease['cid'])) {
		$reservation['client-id'] = preg_match('/^([0-9a-f]{2}:?)+$/i', $lease['cid']) ? $lease['cid'] : "'{$lease['cid']}'";
	}
	if (!empty($lease['ipaddr'])) {
		$reservation['ip-address'] = $lease['ipaddr'];
	}
	if (!empty($lease['hostname'])) {
		$reservation['hostname'] = strtr($lease['hostname'], ' .', '__');
	}
	$options = array_filter([
		'routers' => $lease['gateway'] ?? '',
		'domain-name' => $lease['domain'] ?? '',
		'domain-name-servers' => implode(', ', array_filter($lease['dnsserver'] ?? [] ?: [])),
		'ntp-servers' => implode(', ', array_filter($lease['ntpserver'] ?? [] ?: [])),
		'tftp-server-name' => $lease['tftp'] ?? '',
	]);
	foreach ($options as $name => $data) {
		$reservation['option-data'][] = emulated_kea_option($name, $data);
	}
	return emulated_kea_merge($reservation, emulated_kea_custom($lease['custom_kea_config'] ?? null));
}

function emulated_kea_subnet(int $id, array $interface, array $settings, array &$classes, string $name): array {
	$subnet = ['id' => $id, 'subnet' => "{$interface['subnet']}/{$interface['bits']}"];
	$search = implode(', ', array_map('trim', array_filter(explode(';', $settings['domainsearchlist'] ?? ''))));
	$options = array_filter([
		'domain-name' => $settings['domain'] ?? '',
		'domain-search' => $search,
		'domain-name-servers' => implode(', ', $interface['resolvers']),
		'routers' => $interface['gateway'] ?? '',
		'ntp-servers' => implode(', ', array_filter($settings['ntpserver'] ?? [])),
		'tftp-server-name' => $settings['tftp'] ?? '',
		'root-path' => isset($settings['netboot']) ? $settings['rootpath'] ?? '' : '',
	]);
	foreach ($options as $option => $data) {
		$subnet['option-data'][] = emulated_kea_option($option, $data);
	}
	foreach ($interface['pools'] as $index => $pool) {
		[$rendered, $class] = emulated_kea_pool($pool, "pool_{$name}_{$index}");
		$subnet['pools'][] = $rendered;
		$classes[] = $class;
	}
	foreach (['defaultleasetime' => 'valid-lifetime', 'maxleasetime' => 'max-valid-lifetime'] as $key => $option) {
		if (!empty($settings[$key])) {
			$subnet[$option] = (int)$settings[$key];
		}
	}
	if (isset($settings['netboot']) && !empty($settings['nextserver'])) {
		$subnet['next-server'] = $settings['nextserver'];
	}
	$boot = emulated_kea_boot_classes($settings, $name);
	if ($boot !== []) {
		array_push($classes, ...$boot);
		$subnet['require-client-classes'] = array_column($boot, 'name');
	}
	foreach ($settings['staticmap'] ?? [] as $lease) {
		$subnet['reservations'][] = emulated_kea_reservation($lease);
	}
	return emulated_kea_merge($subnet, emulated_kea_custom($settings['custom_kea_config'] ?? null));
}

function emulated_kea_conf(): array {
	$classes = [];
	$subnets = [];
	$devices = [];
	$macs = [];
	foreach (emulated_list('dhcpd') as $name => $settings) {
		$interface = emulated_dhcp_interface($name, $settings);
		if ($interface === null) {
			continue;
		}
		$devices[] = $interface['device'];
		foreach ($interface['pools'] as $pool) {
			array_push($macs, ...array_filter(explode(',', ($pool['mac_allow'] ?? '') . ',' . ($pool['mac_deny'] ?? ''))));
		}
		$subnets[] = emulated_kea_subnet(count($subnets) + 1, $interface, $settings, $classes, $name);
	}
	foreach (array_unique($macs) as $mac) {
		$digits = str_replace(':', '', $mac);
		$test = sprintf("substring(hexstring(pkt4.mac, ''), 0, %d) == '%s'", strlen($digits), strtolower($digits));
		array_unshift($classes, ['name' => 'mac_' . strtoupper($digits), 'test' => $test]);
	}
	$conf = [
		'interfaces-config' => ['interfaces' => $devices],
		'lease-database' => ['type' => 'memfile', 'persist' => true, 'name' => '/var/db/kea/dhcp4.leases'],
		'loggers' => [[
			'name' => 'kea-dhcp4',
			'output_options' => [['output' => '/var/log/kea-dhcp4.log']],
			'severity' => emulated_config('kea/loglevel', 'WARN'),
		]],
		'valid-lifetime' => 7200,
		'max-valid-lifetime' => 86400,
		'ip-reservations-unique' => false,
		'host-reservation-identifiers' => ['hw-address', 'client-id', 'duid'],
		'echo-client-id' => false,
		'authoritative' => true,
		'option-data' => [emulated_kea_option('domain-name', (string)emulated_config('system/domain'))],
		'option-def' => [['space' => 'dhcp4', 'name' => 'ldap-server', 'code' => 95, 'type' => 'string']],
		'hooks-libraries' => [['library' => '/usr/local/lib/kea/hooks/libdhcp_lease_cmds.so']],
		'control-socket' => ['socket-type' => 'unix', 'socket-name' => '/var/run/kea/kea4-ctrl-socket'],
		'sanity-checks' => ['lease-checks' => 'fix-del'],
		'client-classes' => $classes,
		'subnet4' => $subnets,
	];
	return ['Dhcp4' => emulated_kea_merge($conf, emulated_kea_custom(emulated_config('kea/custom_kea_config')))];
}

function services_kea4_configure(bool $with_custom = true) {
	$file = '/usr/local/etc/kea/kea-dhcp4.conf';
	foreach (['/var/run/kea' => 0750, '/var/db/kea' => 0750, dirname($file) => 0755] as $folder => $mode) {
		safe_mkdir($folder, $mode);
	}
	unlink_if_exists('/var/run/kea/*');
	file_put_contents($file, json_encode(emulated_kea_conf(), JSON_UNESCAPED_SLASHES | JSON_PRETTY_PRINT) . "\n");
	$code = mwexec("/usr/local/sbin/kea-dhcp4 -t {$file}");
	if ($code !== 0) {
		file_notice('DHCP', 'Failed to start DHCP Server with custom configurations.');
		emulated_note('kea refused its configuration', ['exitCode' => $code]);
		return 1;
	}
	mwexec_bg("/usr/local/sbin/kea-dhcp4 -c {$file}");
	emulated_note('kea started');
	return 0;
}
