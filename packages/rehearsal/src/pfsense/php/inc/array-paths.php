<?php
// Reading and changing arrays by a path "a/b/0/c", which pfSense has since 2.7.0.

function emulated_path_keys(string $path): array {
	return array_values(array_filter(explode('/', $path), fn ($key) => $key !== ''));
}

/** The default also stands in for an empty text, when it is not null. */
function array_get_path(array &$arr, string $path, $default = null) {
	$value = $arr;
	foreach (emulated_path_keys($path) as $key) {
		if (!is_array($value) || !array_key_exists($key, $value)) {
			return $default;
		}
		$value = $value[$key];
	}
	return $value === '' && $default !== null ? $default : $value;
}

/** What is on the way and is not an array becomes an empty one. */
function array_init_path(mixed &$arr, ?string $path) {
	$at = &$arr;
	foreach ([null, ...emulated_path_keys($path ?? '')] as $key) {
		if ($key !== null) {
			$at = &$at[$key];
		}
		if (!is_array($at)) {
			$at = [];
		}
	}
}

/** Gives the value, or the default when a text stands in the way. */
function array_set_path(array &$arr, string $path, $value, $default = null) {
	$keys = emulated_path_keys($path);
	if ($keys === []) {
		if ($path !== '' || !is_array($value)) {
			return $default;
		}
		return $arr = $value;
	}
	$last = array_pop($keys);
	$at = &$arr;
	foreach ($keys as $key) {
		if (empty($at[$key])) {
			$at[$key] = [];
		}
		if (!is_array($at[$key])) {
			return $default;
		}
		$at = &$at[$key];
	}
	return $at[$last] = $value;
}

function array_path_enabled(array &$arr, string $path, $enable_key = 'enable', $default = false) {
	$value = array_get_path($arr, $path, []);
	return is_array($value) && isset($value[$enable_key]);
}

/** Gives what was there, null when nothing was. */
function array_del_path(array &$arr, string $path, $default = null) {
	$keys = emulated_path_keys($path);
	$last = array_pop($keys);
	$at = &$arr;
	foreach ($keys as $key) {
		if (!is_array($at) || !array_key_exists($key, $at)) {
			return $default;
		}
		$at = &$at[$key];
	}
	if ($last === null || !is_array($at) || !array_key_exists($last, $at)) {
		return $default;
	}
	$value = $at[$last];
	unset($at[$last]);
	return $value;
}

function config_get_path(string $path, $default = null) {
	global $config;
	return is_array($config) ? array_get_path($config, $path, $default) : $default;
}

function config_set_path(string $path, $value, $default = null) {
	global $config;
	$config ??= [];
	return array_set_path($config, $path, $value, $default);
}

function config_init_path(string $path) {
	global $config;
	array_init_path($config, $path);
}

function config_path_enabled(string $path, $enable_key = 'enable', $default = false) {
	global $config;
	return is_array($config) && array_path_enabled($config, $path, $enable_key);
}

function config_del_path(string $path, $default = null) {
	global $config;
	return is_array($config) ? array_del_path($config, $path, $default) : $default;
}
