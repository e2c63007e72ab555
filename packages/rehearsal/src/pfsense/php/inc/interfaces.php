<?php
// Interfaces by their names in the configuration (lan, opt1, …) and virtual addresses, which are put on the namespace's interfaces.

function emulated_vip_of(string $name): ?array {
	if (!str_starts_with($name, '_vip')) {
		return null;
	}
	foreach (emulated_list('virtualip/vip') as $vip) {
		if (($vip['uniqid'] ?? '') === substr($name, 4)) {
			return $vip;
		}
	}
	return null;
}

/** The device's name: of an interface, or of the one that a virtual address is on. */
function get_real_interface($interface = 'wan', $family = 'all', $realv6iface = false, $flush = false) {
	$vip = emulated_vip_of((string)$interface);
	if ($vip !== null) {
		return get_real_interface($vip['interface']);
	}
	return emulated_config("interfaces/{$interface}/if") ?? ($interface === 'lo0' ? 'lo' : $interface);
}

function does_interface_exist($interface, $flush = true) {
	return is_string($interface) && $interface !== '' && is_dir("/sys/class/net/{$interface}");
}

function convert_real_interface_to_friendly_interface_name($interface = 'wan', $checkparent = false) {
	foreach (emulated_list('interfaces') as $name => $settings) {
		if (($settings['if'] ?? '') === $interface) {
			return $name;
		}
	}
	return null;
}

/** Enabled interfaces by name. */
function get_configured_interface_list($with_disabled = false) {
	$names = array_keys(array_filter(emulated_list('interfaces'), fn ($settings) => $with_disabled || isset($settings['enable'])));
	return array_combine($names, $names);
}

function get_configured_interface_with_descr($with_disabled = false) {
	$names = get_configured_interface_list($with_disabled);
	return array_map(fn ($name) => emulated_config("interfaces/{$name}/descr", strtoupper($name)), $names);
}

function get_interface_ip($interface = 'wan', $gateways_status = false) {
	$vip = emulated_vip_of((string)$interface);
	if ($vip !== null) {
		return is_ipaddrv4($vip['subnet']) ? $vip['subnet'] : null;
	}
	$address = emulated_config("interfaces/{$interface}/ipaddr");
	return is_ipaddrv4($address) ? $address : null;
}

function get_interface_ipv6($interface = 'wan', $flush = false, $linklocal_fallback = false, $gateways_status = false) {
	$vip = emulated_vip_of((string)$interface);
	$address = $vip === null ? emulated_config("interfaces/{$interface}/ipaddrv6") : $vip['subnet'];
	return is_ipaddrv6($address) ? $address : null;
}

function get_interface_subnet($interface = 'wan') {
	return emulated_config("interfaces/{$interface}/subnet");
}

function get_interface_subnetv6($interface = 'wan') {
	return emulated_config("interfaces/{$interface}/subnetv6");
}

function interface_has_gateway($friendly) {
	return emulated_config("interfaces/{$friendly}/gateway") !== null;
}

function get_interface_info($interface) {
	$device = get_real_interface($interface);
	if (!does_interface_exist($device)) {
		return null;
	}
	return [
		'if' => $device,
		'status' => 'up',
		'enable' => emulated_is_on("interfaces/{$interface}"),
		'ipaddr' => get_interface_ip($interface),
	];
}

function get_configured_vip_list($family = 'all', $type = null) {
	$list = [];
	foreach (emulated_list('virtualip/vip') as $vip) {
		if (in_array($vip['mode'], ['carp', 'ipalias'], true)) {
			$list["_vip{$vip['uniqid']}"] = $vip['subnet'];
		}
	}
	return $list;
}

function emulated_vip_device(array $vip): ?string {
	$device = get_real_interface($vip['interface']);
	return does_interface_exist($device) ? $device : null;
}

function does_vip_exist($vip) {
	$device = $vip && in_array($vip['mode'], ['carp', 'ipalias'], true) ? emulated_vip_device($vip) : null;
	if ($device === null) {
		return false;
	}
	$family = is_ipaddrv6($vip['subnet']) ? 'inet6' : 'inet';
	return in_array($vip['subnet'], array_column(emulated_addresses($device, $family), 'addr'), true);
}

/** On the interface, unless that is off. */
function interface_ipalias_configure(&$vip) {
	if ($vip['mode'] === 'ipalias') {
		emulated_put_address($vip);
	}
}

/** This emulation has one router: it is the master of every CARP address. */
function interface_carp_configure(&$vip, $maintenancemode_only = false, $ipalias_reload = false) {
	if ($vip['mode'] === 'carp') {
		emulated_put_address($vip);
	}
}

function emulated_put_address(array $vip): void {
	$device = emulated_vip_device($vip);
	$name = $device === null ? null : convert_real_interface_to_friendly_interface_name($device);
	if ($device === null || ($device !== 'lo' && ($name === null || !emulated_is_on("interfaces/{$name}")))) {
		return;
	}
	$address = "{$vip['subnet']}/{$vip['subnet_bits']}";
	$isNew = !does_vip_exist($vip);
	// An IPv6 address would otherwise answer only after it was looked for on the LAN.
	$flags = is_ipaddrv6($vip['subnet']) ? ' nodad' : '';
	mwexec('ip addr replace ' . escapeshellarg($address) . ' dev ' . escapeshellarg($device) . $flags);
	if ($isNew) {
		emulated_note('address added', ['address' => $address]);
	}
}

function interface_vip_bring_down($vip) {
	$device = emulated_vip_device($vip);
	if ($device !== null && in_array($vip['mode'], ['carp', 'ipalias'], true)) {
		$family = is_ipaddrv6($vip['subnet']) ? 'inet6' : 'inet';
		foreach (emulated_addresses($device, $family) as $there) {
			if ($there['addr'] === $vip['subnet']) {
				mwexec("ip addr del {$there['addr']}/{$there['bits']} dev " . escapeshellarg($device));
				emulated_note('address removed', ['address' => $there['addr']]);
			}
		}
	}
}

function interfaces_vips_configure($interface = '') {
	foreach (emulated_list('virtualip/vip') as $vip) {
		if ($interface === '' || $vip['interface'] === $interface) {
			interface_ipalias_configure($vip);
			interface_carp_configure($vip);
		}
	}
}

function interfaces_carp_setup() {
	return null;
}

function interfaces_sync_setup() {
	return null;
}

function interface_proxyarp_configure($interface = '') {
	return null;
}
