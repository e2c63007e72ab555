<?php
// pfSense's global settings, as far as snippets and this library read them.

global $g, $config;
$g = [
	'product_name' => 'pfSense',
	'product_label' => emulated_router()['label'],
	'product_version' => emulated_router()['version'],
	'latest_config' => emulated_router()['configVersion'],
	'xml_rootobj' => 'pfsense',
	'platform' => 'pfSense',
	'etc_path' => '/etc',
	'tmp_path' => '/tmp',
	'varrun_path' => '/var/run',
	'varetc_path' => '/var/etc',
	'vardb_path' => '/var/db',
	'varlog_path' => '/var/log',
	'conf_path' => '/conf',
	'cf_conf_path' => '/cf/conf',
	'conf_default_path' => '/conf.default',
	'unbound_chroot_path' => '/var/unbound',
	'dhcpd_chroot_path' => '/var/dhcpd',
	'services_dhcp_server_enable' => true,
	'default_config_backup_count' => 30,
];

/** True while rc.bootup runs: then services say nothing and do not wait. */
function platform_booting(bool $only_on_console = false): bool {
	return getenv('LABWRIGHT_BOOTING') === '1';
}

if (emulated_has('g_get')) {
	function is_platform_booting(): bool {
		return platform_booting();
	}

	function g_get(string $key, mixed $default = null): mixed {
		global $g;
		return $g[$key] ?? $default;
	}

	function g_set(string $key, mixed $value, bool $force = false): mixed {
		global $g;
		return $g[$key] = $value;
	}
}
