<?php
// The methods behind xmlrpc.php. Code that is sent runs inside a method of this class, in the scope it has on pfSense.

final class pfsense_xmlrpc_server {
	private const WHOLE_SECTIONS = [
		'aliases', 'ca', 'cert', 'crl', 'dhcpd', 'dhcrelay', 'dhcrelay6', 'dnshaper', 'dnsmasq', 'filter', 'ipsec', 'nat',
		'openvpn', 'schedules', 'shaper', 'unbound', 'wol',
	];

	private bool $isLoop;

	public function __construct(private string $user, private string $password, string $address) {
		$this->isLoop = emulated_config('hasync/synchronizetoip') === $address;
	}

	private function auth(): void {
		global $emulated_user, $emulated_started_at;
		if (!authenticate_user($this->user, $this->password)) {
			throw new emulated_fault('Authentication failed: Invalid username or password', -1);
		}
		$user = emulated_user($this->user);
		if ($user['uid'] != '0' && !userHasPrivilege($user, EMULATED_SYNC_PRIVILEGE)) {
			throw new emulated_fault('Authentication failed: not enough privileges', -2);
		}
		$emulated_user = '(system)@' . $_SERVER['REMOTE_ADDR'];
		emulated_last($emulated_started_at, 'callMs');
	}

	public function host_firmware_version($dummy, $timeout) {
		$this->auth();
		return host_firmware_version();
	}

	/** @param string $code */
	public function exec_php($code) {
		$this->auth();
		$toreturn = null;
		eval($code);
		// Whatever counts as false in PHP leaves as true.
		return $toreturn ?: true;
	}

	/** @param string $code */
	public function exec_shell($code) {
		$this->auth();
		mwexec($code);
		return true;
	}

	/** @param array $section */
	public function backup_config_section($section) {
		global $config;
		$this->auth();
		return array_intersect_key($config, array_flip($section));
	}

	/** @param array $sections */
	public function restore_config_section($sections, $timeout) {
		global $config;
		$this->auth();
		if ($this->isLoop) {
			return true;
		}
		$before = $config;
		$names = array_keys($sections);
		$whole = [...self::WHOLE_SECTIONS, ...(emulated_has('kea') ? ['kea', 'kea6'] : [])];
		foreach (array_intersect($whole, $names) as $name) {
			$config[$name] = $sections[$name];
			unset($sections[$name]);
		}
		$kept = array_key_exists('virtualip', $sections) ? $this->keptAddresses() : [];
		if (emulated_has('static_routes_flap')) {
			emulated_note('static routes set again');
			// Packages get theirs by a hook that none here has.
			unset($sections['installedpackages']);
		}
		$config = array_merge_recursive_unique($config, $sections);
		if ($kept !== []) {
			$config['virtualip']['vip'] = [...array_reverse($kept), ...($config['virtualip']['vip'] ?? [])];
		}
		write_config('Merged in config (' . implode(', ', $names) . ' sections) from XMLRPC client.');
		if (isset($sections['virtualip'])) {
			interfaces_vips_configure();
		}
		$this->apply($before);
		return true;
	}

	/** Addresses on real interfaces are this router's own: they stay, in front of those that are sent. */
	private function keptAddresses(): array {
		$isKind = fn (array $vip) => in_array($vip['mode'], ['ipalias', 'proxyarp'], true);
		$isOwn = fn (array $vip) => $isKind($vip) && !str_starts_with($vip['interface'], '_vip');
		return array_values(array_filter(emulated_list('virtualip/vip'), $isOwn));
	}

	/** What changed is restarted; before 2.5.0, everything was. */
	private function apply(array $before): void {
		global $config;
		filter_configure();
		system_routing_configure();
		$hasChanged = fn (string $name) => !emulated_has('restart_changed_only') || ($config[$name] ?? null) != ($before[$name] ?? null);
		if ($hasChanged('dnsmasq')) {
			services_dnsmasq_configure(false);
		}
		if ($hasChanged('unbound')) {
			services_unbound_configure(false);
		}
		if ($hasChanged('dhcpd') || $hasChanged('kea')) {
			services_dhcpd_configure();
		}
	}

	/** @param array $section */
	public function merge_installedpackages_section($section, $timeout) {
		global $config;
		$this->auth();
		if (!$this->isLoop) {
			$config['installedpackages'] = array_merge($config['installedpackages'] ?: [], $section);
			write_config('Merged in config (' . implode(', ', array_keys($section)) . ' sections) from XMLRPC client.');
		}
		return true;
	}

	/** @param array $section */
	public function merge_config_section($section, $timeout) {
		global $config;
		$this->auth();
		if (!$this->isLoop) {
			$config = $this->overlay($config, $section);
			write_config('Merged in config (' . implode(', ', array_keys($section)) . ' sections) from XMLRPC client.');
		}
		return true;
	}

	/** Only what is there already is changed. */
	private function overlay(array $tree, array $changes): array {
		foreach (array_intersect_key($changes, $tree) as $name => $value) {
			$tree[$name] = is_array($value) && is_array($tree[$name]) ? $this->overlay($tree[$name], $value) : $value;
		}
		return $tree;
	}

	public function interfaces_carp_configure() {
		$this->auth();
		if (!$this->isLoop) {
			interfaces_vips_configure();
		}
		return true;
	}

	public function reboot() {
		$this->auth();
		mwexec_bg('/etc/rc.reboot');
		return true;
	}
}
