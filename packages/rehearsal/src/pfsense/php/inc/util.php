<?php
// Small functions that everything on pfSense uses: addresses, names, ports, files, notes for the log.

require_once 'locks.inc';
require_once 'process.inc';

function log_error($error) {
	global $g;
	file_put_contents("{$g['varlog_path']}/system.log", date('M j H:i:s') . ' php: ' . $error . "\n", FILE_APPEND);
}

if (emulated_has('logger')) {
	function logger(int $priority, mixed $message, string|null $prefix = null, int|null $facilities = null): void {
		log_error(($prefix === null ? '' : "{$prefix}: ") . (is_array($message) ? implode(' ', $message) : $message));
	}

	function localize_text(...$args) {
		return vsprintf(array_shift($args), $args);
	}
}

function unlink_if_exists($fn) {
	foreach (glob($fn) ?: [$fn] as $file) {
		if (is_file($file)) {
			unlink($file);
		}
	}
}

function safe_mkdir($path, $mode = 0755) {
	return is_dir($path) || @mkdir($path, $mode, true);
}

function rmdir_recursive($path) {
	mwexec('rm -rf ' . escapeshellarg($path));
}

function is_ipaddrv4($ipaddr) {
	return is_string($ipaddr) && filter_var($ipaddr, FILTER_VALIDATE_IP, FILTER_FLAG_IPV4) !== false;
}

function is_ipaddrv6($ipaddr) {
	return is_string($ipaddr) && filter_var(explode('%', $ipaddr)[0], FILTER_VALIDATE_IP, FILTER_FLAG_IPV6) !== false;
}

/** 4, 6 or false. */
function is_ipaddr($ipaddr) {
	return is_ipaddrv4($ipaddr) ? 4 : (is_ipaddrv6($ipaddr) ? 6 : false);
}

function is_numericint($arg) {
	return (is_int($arg) || is_string($arg)) && preg_match('/^\d+$/', (string)$arg) === 1;
}

/** 4, 6 or false. */
function is_subnet($subnet) {
	if (!is_string($subnet) || substr_count($subnet, '/') !== 1) {
		return false;
	}
	[$address, $bits] = explode('/', $subnet);
	$family = is_ipaddr($address);
	return $family && is_numericint($bits) && $bits <= ($family === 4 ? 32 : 128) ? $family : false;
}

/** The first address of the network that an address is in. */
function gen_subnet($ipaddr, $bits) {
	if (!is_ipaddr($ipaddr) || !is_numericint((string)$bits)) {
		return '';
	}
	$bytes = inet_pton($ipaddr);
	for ($index = 0; $index < strlen($bytes); $index++) {
		$kept = max(0, min(8, $bits - 8 * $index));
		$bytes[$index] = chr(ord($bytes[$index]) & (0xff << (8 - $kept)) & 0xff);
	}
	return inet_ntop($bytes);
}

function gen_subnet_mask($bits) {
	return long2ip($bits == 0 ? 0 : (0xffffffff << (32 - $bits)) & 0xffffffff);
}

function ip_in_subnet($addr, $subnet) {
	if (!is_ipaddr($addr) || !is_subnet($subnet) || is_ipaddr($addr) !== is_subnet($subnet)) {
		return false;
	}
	[$network, $bits] = explode('/', $subnet);
	return gen_subnet($addr, $bits) === gen_subnet($network, $bits);
}

function is_inrange_v4($test, $start, $end) {
	return ip2long($test) >= ip2long($start) && ip2long($test) <= ip2long($end);
}

function is_macaddr($macaddr, $partial = false) {
	return is_string($macaddr) && preg_match('/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i', $macaddr) === 1;
}

function is_hostname($hostname, $allow_wildcard = false) {
	$label = '[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?';
	$first = $allow_wildcard ? "(\\*|{$label})" : $label;
	return is_string($hostname) && preg_match("/^{$first}(\\.{$label})*$/i", $hostname) === 1;
}

function is_domain($domain, $allow_wildcard = false, $trailing_dot = true) {
	return is_string($domain) && is_hostname($trailing_dot ? rtrim($domain, '.') : $domain, $allow_wildcard);
}

function is_port($port, $validate_name = true) {
	return is_numericint($port) && $port >= 1 && $port <= 65535;
}

function is_portrange($portrange) {
	$ports = explode(':', (string)$portrange);
	return count($ports) === 2 && is_port($ports[0]) && is_port($ports[1]);
}

/** Aliases of the firewall by name: what they stand for, blanks between. */
function alias_make_table() {
	global $aliastable;
	$aliastable = [];
	foreach (emulated_list('aliases/alias') as $alias) {
		$aliastable[$alias['name']] = $alias['address'] ?? '';
	}
}

function is_alias($name) {
	global $aliastable;
	return isset($aliastable[$name]);
}

function alias_get_type($name) {
	foreach (emulated_list('aliases/alias') as $alias) {
		if ($alias['name'] === $name) {
			return $alias['type'];
		}
	}
	return '';
}

/** Two trees in one: keys of the second win, lists of the second stand in the place of the first's. */
function array_merge_recursive_unique($array0, $array1) {
	foreach ($array1 as $key => $value) {
		$isDeeper = is_array($value) && is_array($array0[$key] ?? null);
		$array0[$key] = $isDeeper ? array_merge_recursive_unique($array0[$key], $value) : $value;
	}
	return $array0;
}

function msort($array, $id = 'id', $sort_order = SORT_ASC, $sort_flags = SORT_NATURAL | SORT_FLAG_CASE) {
	usort($array, fn ($one, $other) => strnatcasecmp($one[$id] ?? '', $other[$id] ?? '') * ($sort_order === SORT_ASC ? 1 : -1));
	return $array;
}

function is_subsystem_dirty($subsystem = '') {
	global $g;
	return $subsystem !== '' && file_exists("{$g['varrun_path']}/{$subsystem}.dirty");
}

function mark_subsystem_dirty($subsystem = '') {
	global $g;
	file_put_contents("{$g['varrun_path']}/{$subsystem}.dirty", 'DIRTY');
}

function clear_subsystem_dirty($subsystem = '') {
	global $g;
	@unlink("{$g['varrun_path']}/{$subsystem}.dirty");
}

function send_event($cmd) {
	emulated_note('event', ['command' => $cmd]);
}
