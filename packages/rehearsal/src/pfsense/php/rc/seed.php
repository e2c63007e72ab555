<?php
// The configuration of a router as it was when its owner had set it up: a LAN, who may log in, resolver, DHCP, HAProxy. Reads what is
// wanted as JSON, and leaves a configuration that is there as it is.

require_once 'functions.inc';

$wanted = json_decode(stream_get_contents(STDIN), true);
if (file_exists("{$g['cf_conf_path']}/config.xml")) {
	exit(0);
}

$users = [];
foreach ($wanted['users'] as $index => $user) {
	$isAdmin = $user['role'] === 'admin';
	$users[] = [
		'name' => $user['name'],
		'descr' => $isAdmin ? 'System Administrator' : '',
		'scope' => $isAdmin ? 'system' : 'user',
		'groupname' => $isAdmin ? 'admins' : '',
		'bcrypt-hash' => password_hash($user['password'], PASSWORD_BCRYPT, ['cost' => 10]),
		'uid' => $isAdmin ? '0' : (string)(2000 + $index),
		'priv' => match ($user['role']) {
			'admin' => ['user-shell-access'],
			'sync' => ['system-xmlrpc-ha-sync'],
			'none' => [],
		},
	];
}

$lan = $wanted['lan'];
$resolver = $wanted['resolver'];
$dhcp = $wanted['dhcp'];
$boot = $dhcp['boot'] ?? null;
$owner = "admin@{$lan['address']} (Local Database)";
$config = [
	'version' => $g['latest_config'],
	'lastchange' => '',
	'system' => [
		'optimization' => 'normal',
		'hostname' => $wanted['hostname'],
		'domain' => $wanted['domain'],
		'group' => [
			['name' => 'all', 'description' => 'All Users', 'scope' => 'system', 'gid' => '1998'],
			['name' => 'admins', 'description' => 'System Administrators', 'scope' => 'system', 'gid' => '1999', 'member' => ['0'], 'priv' => ['page-all']],
		],
		'user' => $users,
		'nextuid' => (string)(2000 + count($users)),
		'nextgid' => '2000',
		'timezone' => 'Etc/UTC',
		// The form leaves the usual port out, and then nothing says 443 but its absence.
		'webgui' => ['protocol' => 'https', 'loginautocomplete' => '', 'ssl-certref' => $wanted['certificateId']]
			+ ($wanted['port'] === 443 ? [] : ['port' => (string)$wanted['port']]),
		'ipv6allow' => '',
		'dnsserver' => [],
	],
	'interfaces' => [
		'wan' => ['if' => 'wan0', 'descr' => 'WAN', 'ipaddr' => 'dhcp'],
		'lan' => ['enable' => '', 'if' => $lan['device'], 'descr' => 'LAN', 'ipaddr' => $lan['address'], 'subnet' => (string)$lan['bits']],
	],
	'dhcpd' => [
		'lan' => ($dhcp['isOn'] ? ['enable' => ''] : []) + [
			'range' => ['from' => $dhcp['from'] ?? '', 'to' => $dhcp['to'] ?? ''],
			'domain' => $wanted['domain'],
		] + ($boot === null ? [] : [
			'netboot' => '',
			'nextserver' => $boot['nextServer'],
			'filename' => $boot['bios'],
			'filename64' => $boot['uefi64'],
		]) + [
			'staticmap' => array_map(fn (array $lease) => ['mac' => $lease['mac'], 'ipaddr' => $lease['address'], 'hostname' => $lease['name'], 'descr' => ''], $dhcp['leases']),
		],
	],
	'filter' => ['rule' => [['type' => 'pass', 'interface' => 'lan', 'descr' => 'Default allow LAN to any rule']]],
	// Without DNSSEC: with no network to fetch its anchor from, every answer would be refused.
	'unbound' => ($resolver === 'unbound' ? ['enable' => ''] : []) + [
		'active_interface' => 'all',
		'outgoing_interface' => 'all',
		'custom_options' => base64_encode($wanted['resolverOptions']),
		'hideidentity' => '',
		'hideversion' => '',
		'dnssecstripped' => '',
		'port' => '',
		'system_domain_local_zone_type' => 'transparent',
		'hosts' => array_map(fn (array $host) => $host + ['descr' => '', 'aliases' => ''], $wanted['hosts']),
	],
	'dnsmasq' => $resolver !== 'dnsmasq' ? '' : [
		'enable' => '',
		'hosts' => array_map(fn (array $host) => $host + ['descr' => '', 'aliases' => ''], $wanted['hosts']),
	],
	'virtualip' => $wanted['virtualIps'] === [] ? '' : ['vip' => $wanted['virtualIps']],
	'installedpackages' => [
		'package' => [['name' => 'haproxy', 'descr' => 'The Reliable, High Performance TCP/HTTP(S) Load Balancer', 'version' => '0.63_2']],
		'haproxy' => [
			'enable' => '',
			'maxconn' => '1000',
			'nbthread' => '1',
			'ha_backends' => $wanted['frontEnds'] === [] ? '' : ['item' => $wanted['frontEnds']],
			'ha_pools' => $wanted['backEnds'] === [] ? '' : ['item' => $wanted['backEnds']],
		],
	],
	'revision' => ['time' => (string)time(), 'description' => "{$owner}: set up", 'username' => $owner],
] + (emulated_has('kea') ? ['dhcpbackend' => $dhcp['backend']] : []);
safe_mkdir("{$g['cf_conf_path']}/backup");
safe_write_file("{$g['cf_conf_path']}/config.xml", dump_xml_config($config, $g['xml_rootobj']));
