<?php
// What write.php and restore.php have in common, after common.php: HAProxy's test of what is to be written, and how the router
// takes up what was.
$lw_pending_file = "{$g['varrun_path']}/labwright.pending";
$lw_package = '/usr/local/pkg/haproxy/haproxy.inc';

/* HAProxy's own test of a configuration that is not written yet. The package fills in what it misses, so it gets a copy. */
$lw_test_balancer = function (array $tree) use ($lw_package, $lw_plain): string {
	global $config;
	if (!is_file($lw_package)) {
		return 'the package haproxy is not installed';
	}
	require_once($lw_package);
	$saved = serialize($config);
	$config = unserialize(serialize($tree));
	$messages = '';
	$works = haproxy_check_and_run($messages, false);
	$config = unserialize($saved);
	return $works ? '' : 'HAProxy refused it: ' . $lw_plain($messages);
};

/*
 * The servers of the HAProxy that runs, "back end/server" to its administrative state, as "show servers state" tells it: 1 is
 * maintenance, 4 switched off by the configuration, 8 drained. With its process, since the one before answers for a moment more.
 */
$lw_servers = function () use ($lw_ask_balancer): array {
	$servers = array();
	$answer = $lw_ask_balancer('show info; show servers state');
	foreach (explode("\n", $answer) as $line) {
		$words = explode(' ', $line);
		if (count($words) > 7 && ctype_digit($words[0])) {
			$servers["{$words[1]}/{$words[3]}"] = (int) $words[6];
		}
	}
	$process = preg_match('/^Pid: ([0-9]+)/m', $answer, $found) === 1 ? $found[1] : '';
	return array('process' => $process, 'servers' => $servers);
};

/*
 * A reload forgets what HAProxy was told while it ran: that a server drains, or is used though it is switched off. Of a server
 * of which the configuration says what it said before, it is told that again; told twice where the process before took the command.
 * What does not work out is left to whoever told it first, who tells all of it from time to time.
 */
$lw_tell_again = function (array $before) use ($lw_servers, $lw_ask_balancer) {
	for ($tries = 0; $tries < 40; $tries++) {
		try {
			$now = $lw_servers();
			$commands = array();
			foreach ($before['servers'] as $server => $was) {
				$differs = isset($now['servers'][$server]) ? $was ^ $now['servers'][$server] : 0;
				if (($differs & 4) === 0 && ($differs & 9) !== 0) {
					$state = ($was & 8) !== 0 ? 'drain' : (($was & 1) !== 0 ? 'maint' : 'ready');
					$commands[] = "set server {$server} state {$state}";
				}
			}
			$is_new = $now['process'] !== '' && $now['process'] !== $before['process'];
			if ($is_new && count($commands) === 0) {
				return;
			}
			// A line may be 16 KiB long.
			foreach ($is_new ? array_chunk($commands, 50) : array() as $some) {
				$lw_ask_balancer(implode('; ', $some));
			}
			$is_told = $is_new;
		} catch (Throwable $error) {
			$is_told = false;
		}
		if (!$is_told) {
			usleep(25000);
		}
	}
};

/* A page that was saved a moment ago may be starting it anew; a second start beside that one would be in its way. */
$lw_wait_for_resolver = function () use ($lw_resolver): bool {
	for ($tenths = 0; $tenths < 50; $tenths++) {
		if ($lw_resolver('status', array())['code'] === 0) {
			return true;
		}
		usleep(100000);
	}
	return false;
};

/* Has one part of the router take up what is written now. An empty text when it did, else what went wrong. */
$lw_reload = function (string $subsystem, array $pending, $names) use ($lw_get, $lw_mark, $lw_names_live, $lw_resolver, $lw_wait_for_resolver, $lw_package, $lw_plain, $lw_servers, $lw_tell_again): string {
	global $config, $g;
	if ($subsystem === 'names') {
		if ($lw_get($config, array('unbound', 'enable')) === null) {
			return 'the DNS Resolver is switched off';
		}
		require_once('unbound.inc');
		$told = $names !== null && $lw_names_live($names['remove'], $names['add']) === '';
		if (!$told && $names !== null && $lw_wait_for_resolver()) {
			$told = $lw_names_live($names['remove'], $names['add']) === '';
		}
		if ($told) {
			// For the next reload by others: DHCP leases make the resolver read its files again.
			unbound_add_host_entries();
			return '';
		}
		system_hosts_generate();
		$runs = $lw_resolver('status', array())['code'] === 0;
		if (!$runs) {
			services_unbound_configure(false);
			$runs = $lw_resolver('status', array())['code'] === 0;
		}
		return $runs ? '' : 'the DNS Resolver does not run';
	}
	if ($subsystem === 'forwarder') {
		system_hosts_generate();
		sigkillbypid("{$g['varrun_path']}/dnsmasq.pid", 'HUP');
		return '';
	}
	if ($subsystem === 'resolver-domains') {
		services_unbound_configure(false);
		return '';
	}
	if ($subsystem === 'forwarder-domains') {
		services_dnsmasq_configure(false);
		return '';
	}
	if ($subsystem === 'dhcp') {
		services_dhcpd_configure();
		return '';
	}
	if ($subsystem === 'virtual-ip') {
		$addresses = $lw_get($config, array('virtualip', 'vip'));
		$addresses = is_array($addresses) ? $addresses : array();
		foreach ($pending['down'] as $gone) {
			// Somebody may have made it an address of their own since.
			$is_there = false;
			foreach ($addresses as $address) {
				$is_there = $is_there || (isset($address['mode'], $address['subnet'], $address['interface']) &&
				    in_array($address['mode'], array('ipalias', 'carp'), true) &&
				    $address['subnet'] === $gone['subnet'] && $address['interface'] === $gone['interface']);
			}
			if (!$is_there) {
				interface_vip_bring_down($gone);
			}
		}
		foreach ($addresses as $address) {
			// Without the list, as an earlier Labwright left it, all of ours are taken up.
			$is_new = isset($pending['up'])
				? in_array($address['subnet'], $pending['up'], true)
				: $lw_mark($address, 'descr') !== '';
			if ($is_new) {
				interface_ipalias_configure($address);
			}
		}
		filter_configure();
		return '';
	}
	if ($subsystem === 'haproxy') {
		if (!is_file($lw_package)) {
			return 'the package haproxy is not installed';
		}
		require_once($lw_package);
		try {
			$before = $lw_servers();
		} catch (Throwable $error) {
			// It does not run yet, and was told nothing.
			$before = null;
		}
		$messages = '';
		if (!haproxy_check_and_run($messages, true)) {
			return 'HAProxy did not take it: ' . $lw_plain($messages);
		}
		if ($before !== null && $lw_get($config, array('installedpackages', 'haproxy', 'enable')) !== null) {
			$lw_tell_again($before);
		}
		return '';
	}
	return 'it is not known here';
};

/*
 * What is written and not taken up yet survives a call that dies half way, in a file that a reboot empties. $names is
 * null when it is not known which names an earlier call left.
 */
$lw_reload_all = function ($names) use ($lw_pending_file, $lw_reload): array {
	$pending = is_file($lw_pending_file) ? json_decode(file_get_contents($lw_pending_file), true) : null;
	if (!is_array($pending)) {
		return array();
	}
	$reloads = array();
	// HAProxy comes after the addresses it listens on.
	$order = array('virtual-ip', 'dhcp', 'resolver-domains', 'forwarder-domains', 'names', 'forwarder', 'haproxy');
	foreach (array_intersect($order, $pending['subsystems']) as $subsystem) {
		try {
			$reloads[$subsystem] = $lw_reload($subsystem, $pending, $names);
		} catch (Throwable $error) {
			$reloads[$subsystem] = $error->getMessage();
		}
	}
	$left = array_keys(array_filter($reloads, 'strlen'));
	if (count($left) === 0) {
		unlink($lw_pending_file);
	} else {
		$pending['subsystems'] = $left;
		if (!in_array('virtual-ip', $left, true)) {
			$pending['down'] = array();
			$pending['up'] = array();
		}
		file_put_contents($lw_pending_file, json_encode($pending));
	}
	return $reloads;
};
$lw_set_pending = function (array $subsystems, array $changes) use ($lw_pending_file): bool {
	$known = is_file($lw_pending_file) ? json_decode(file_get_contents($lw_pending_file), true) : null;
	$pending = is_array($known) ? $known : array('subsystems' => array(), 'down' => array(), 'up' => array());
	$pending['subsystems'] = array_values(array_unique(array_merge($pending['subsystems'], $subsystems)));
	foreach ($changes as $change) {
		$before = isset($change['tag']) && $change['tag'] === 'vip' ? $change['before'] : null;
		$after = $before === null ? null : $change['after'];
		if ($before !== null && ($after === null || $after['subnet'] !== $before['subnet'] || $after['interface'] !== $before['interface'])) {
			$pending['down'][] = $before;
		}
		if (isset($pending['up'], $change['tag']) && $change['tag'] === 'vip' && $change['after'] !== null) {
			$pending['up'][] = $change['after']['subnet'];
		}
	}
	file_put_contents($lw_pending_file, json_encode($pending));
	return is_array($known);
};

/* The names of the sections in which two configurations differ. */
$lw_differences = function (array $one, array $other) use ($lw_canonical): array {
	$names = array();
	foreach (array_unique(array_merge(array_keys($one), array_keys($other))) as $name) {
		$left = array_key_exists($name, $one) ? $one[$name] : null;
		$right = array_key_exists($name, $other) ? $other[$name] : null;
		if ($name !== 'revision' && $lw_canonical($left) !== $lw_canonical($right)) {
			$names[] = (string) $name;
		}
	}
	return $names;
};
