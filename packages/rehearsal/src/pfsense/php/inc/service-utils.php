<?php
// Services by name, as the page Status > Services has them.

const EMULATED_SERVICES = [
	'unbound' => ['unbound', 'services_unbound_configure'],
	'dnsmasq' => ['dnsmasq', 'services_dnsmasq_configure'],
	'dhcpd' => ['dhcpd', 'services_dhcpd_configure'],
	'kea-dhcp4' => ['kea-dhcp4', 'services_dhcpd_configure'],
	'haproxy' => ['haproxy', null],
];

function is_service_running($service, $ps = '') {
	return is_process_running(EMULATED_SERVICES[$service][0] ?? $service);
}

function is_service_enabled($service_name) {
	return emulated_is_on($service_name);
}

function get_service_status($service) {
	return is_service_running(is_array($service) ? $service['name'] : $service);
}

function emulated_start_service(string $name): void {
	if ($name === 'haproxy') {
		require_once 'haproxy/haproxy.inc';
		haproxy_configure();
	} elseif (isset(EMULATED_SERVICES[$name])) {
		(EMULATED_SERVICES[$name][1])(false);
	}
}

function start_service($name, $after_sync = false) {
	emulated_start_service($name);
}

function stop_service($name) {
	killbyname(EMULATED_SERVICES[$name][0] ?? $name);
	emulated_wait_gone(EMULATED_SERVICES[$name][0] ?? $name, 10);
}

function restart_service($name) {
	emulated_start_service($name);
}

function service_control_start($name, $extras) {
	emulated_start_service($name);
	return "{$name} has been started.";
}

function service_control_stop($name, $extras) {
	stop_service($name);
	return "{$name} has been stopped.";
}

function service_control_restart($name, $extras) {
	emulated_start_service($name);
	return "{$name} has been restarted.";
}
