<?php
// A person on the router's pages. A page reads the whole configuration when it is opened by a request, and at its end writes the whole
// of what it read with its own change: what others wrote in between is lost.
//
//   {"address", "user"} → {"opened": TIME} … {"edits", "description", "apply"} → {"saved": TIME}

require_once 'functions.inc';

/** The place of an edit in the configuration, made where it is not. */
function &emulated_place(array $path) {
	global $config;
	$at = &$config;
	foreach ($path as $key) {
		if (!is_array($at)) {
			$at = [];
		}
		$at = &$at[$key];
	}
	return $at;
}

function emulated_edit(array $edit): void {
	$path = $edit['path'];
	$place = &emulated_place(array_slice($path, 0, -1));
	$place = is_array($place) ? $place : [];
	$last = end($path);
	switch ($edit['kind']) {
		case 'set':
			$place[$last] = $edit['value'];
			break;
		case 'add':
			$list = is_array($place[$last] ?? null) ? $place[$last] : [];
			$place[$last] = [...$list, $edit['value']];
			break;
		case 'remove':
			unset($place[$last]);
			if (is_int($last)) {
				$place = array_values($place);
			}
			break;
	}
}

function emulated_answer_hand(array $answer): void {
	print json_encode($answer) . "\n";
}

$opening = json_decode((string)fgets(STDIN), true);
$_SERVER['REMOTE_ADDR'] = $opening['address'];
$emulated_user = "{$opening['user']}@{$opening['address']} (Local Database)";
require_once 'config.inc';
emulated_answer_hand(['opened' => (int)($config['revision']['time'] ?? 0)]);
$line = fgets(STDIN);
if ($line === false) {
	exit(0);
}
$saving = json_decode($line, true);
foreach ($saving['edits'] as $edit) {
	emulated_edit($edit);
}
write_config($saving['description']);
foreach ($saving['apply'] as $service) {
	match ($service) {
		'unbound' => services_unbound_configure(),
		'dnsmasq' => services_dnsmasq_configure(),
		'dhcpd' => services_dhcpd_configure(),
		'haproxy' => restart_service('haproxy'),
		'virtualip' => interfaces_vips_configure(),
	};
}
emulated_answer_hand(['saved' => (int)$config['revision']['time']]);
