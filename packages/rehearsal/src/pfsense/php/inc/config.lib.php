<?php
// config.xml: read, written whole with a backup of what was there, thirty backups kept. What a process changes is in $config, which
// it read when it began; nothing notices that the file has become another since. That is how edits are lost, here as in real life.
//
//   write_config:  backup of the file on disk, named for the revision in memory
//               →  revision block  →  lock, file replaced by rename, unlock  →  read again

/** What the library itself reads by, since versions before 2.7.0 have no config_get_path for snippets. */
function emulated_config(string $path, $default = null) {
	global $config;
	$value = $config;
	foreach (explode('/', $path) as $key) {
		if (!is_array($value) || !array_key_exists($key, $value)) {
			return $default;
		}
		$value = $value[$key];
	}
	return $value === '' && $default !== null ? $default : $value;
}

/** A key that is there and not null: how pfSense says "on". */
function emulated_is_on(string $path, string $flag = 'enable'): bool {
	$section = emulated_config($path);
	return is_array($section) && isset($section[$flag]);
}

/** The list at a path; none when there is none. */
function emulated_list(string $path): array {
	$list = emulated_config($path);
	return is_array($list) ? $list : [];
}

function init_config_arr($keys) {
	global $config;
	$at = &$config;
	foreach ($keys as $key) {
		if (!is_array($at[$key] ?? null)) {
			$at[$key] = [];
		}
		$at = &$at[$key];
	}
}

function emulated_read_config() {
	global $g;
	$read = parse_xml_config("{$g['conf_path']}/config.xml", [$g['xml_rootobj'], 'pfsense']);
	if ($read !== -1) {
		return $read;
	}
	$last = discover_last_backup();
	if ($last === false) {
		die('Config.xml is corrupted and is 0 bytes.  Could not restore a previous backup.');
	}
	copy("{$g['cf_conf_path']}/backup/{$last}", "{$g['cf_conf_path']}/config.xml");
	emulated_note('config restored', ['backup' => $last]);
	return parse_xml_config("{$g['conf_path']}/config.xml", $g['xml_rootobj']);
}

if (emulated_has('parse_config')) {
	/** Gives the array and leaves $config as it is. This emulation has no cache, so the argument changes nothing. */
	function parse_config($parse = false) {
		$lock = lock('config');
		$read = emulated_read_config();
		unlock($lock);
		return $read;
	}
}

if (emulated_has('config_read_file')) {
	/** Reads into $config. */
	function config_read_file(bool $use_backup = false, bool $use_cache = true) {
		global $config;
		$config = emulated_read_config();
		return true;
	}

	/** Writes $config as it is: no backup, no revision. True, or the reason why not. */
	function config_write_file() {
		global $config, $g;
		$lock = lock('config', LOCK_EX);
		$isWritten = safe_write_file("{$g['cf_conf_path']}/config.xml", dump_xml_config($config, $g['xml_rootobj']));
		unlock($lock);
		return $isWritten ? true : "Unable to open {$g['cf_conf_path']}/config.xml for writing.";
	}
}

function discover_last_backup() {
	global $g;
	$files = glob("{$g['cf_conf_path']}/backup/config-*.xml");
	natsort($files);
	foreach (array_reverse($files) as $file) {
		if (is_array(parse_xml_config($file, $g['xml_rootobj']))) {
			return basename($file);
		}
	}
	return false;
}

/** By a file of another name and a rename, on disk when it returns. */
function safe_write_file($file, $content, $force_binary = false) {
	$other = $file . '.' . getmypid();
	$handle = @fopen($other, 'w');
	if (!$handle) {
		return false;
	}
	$isWritten = fwrite($handle, is_array($content) ? implode("\n", $content) . "\n" : $content) && fsync($handle);
	fclose($handle);
	return $isWritten && rename($other, $file);
}

function backup_config() {
	global $config, $g;
	$folder = "{$g['cf_conf_path']}/backup";
	safe_mkdir($folder);
	$revision = is_array($config['revision'] ?? null) ? $config['revision'] : [];
	$time = ($revision['time'] ?? '') === '' ? 0 : $revision['time'];
	$file = "{$folder}/config-{$time}.xml";
	copy("{$g['cf_conf_path']}/config.xml", $file);
	$known = @unserialize((string)@file_get_contents("{$folder}/backup.cache")) ?: [];
	$known[$time] = [
		'description' => ($revision['description'] ?? '') === '' ? 'Unknown' : $revision['description'],
		'version' => ($config['version'] ?? '') === '' ? '?' : $config['version'],
		'filesize' => filesize($file),
	];
	safe_write_file("{$folder}/backup.cache", serialize($known));
	return true;
}

/** Backups beyond system/backupcount go, oldest first. */
function cleanup_backupcache($lock = false) {
	global $g;
	$folder = "{$g['cf_conf_path']}/backup";
	$count = emulated_config('system/backupcount', '');
	$kept = is_numeric($count) ? (int)$count : $g['default_config_backup_count'];
	$files = glob("{$folder}/config-*.xml");
	natsort($files);
	foreach (array_slice($files, 0, max(0, count($files) - $kept)) as $file) {
		unlink($file);
		emulated_note('backup evicted', ['file' => basename($file)]);
	}
	$known = @unserialize((string)@file_get_contents("{$folder}/backup.cache")) ?: [];
	$isThere = fn ($time) => file_exists("{$folder}/config-{$time}.xml");
	safe_write_file("{$folder}/backup.cache", serialize(array_filter($known, $isThere, ARRAY_FILTER_USE_KEY)));
}

/** Newest first, with a list of the times under 'versions'; false before the first. */
function get_backups() {
	global $g;
	$file = "{$g['cf_conf_path']}/backup/backup.cache";
	if (!file_exists($file)) {
		return false;
	}
	$known = unserialize(file_get_contents($file));
	ksort($known);
	$backups = [];
	foreach (array_reverse($known, true) as $time => $about) {
		$backups[] = ['time' => $time] + $about;
	}
	$backups['versions'] = array_keys($known);
	return $backups;
}

function get_config_user() {
	global $emulated_user;
	return $emulated_user ?? '(system)';
}

function make_config_revision_entry($desc = null, $override_user = null) {
	$user = $override_user ?: get_config_user();
	return ['time' => time(), 'description' => "{$user}: {$desc}", 'username' => $user];
}

/** The configuration as it is afterwards; -1 when it could not be written, false for a user who may not. */
function write_config($desc = 'Unknown', $backup = true, $write_config_only = false) {
	global $config, $g;
	$startedAt = microtime(true);
	$desc = str_replace(['-MaNuAlBaCkUp', '-NoReMoTeBaCkUp'], '', is_string($desc) && trim($desc) !== '' ? $desc : 'Unknown');
	if ($backup) {
		backup_config();
	}
	$config['revision'] = make_config_revision_entry($desc);
	$lock = lock('config', LOCK_EX);
	if (!safe_write_file("{$g['cf_conf_path']}/config.xml", dump_xml_config($config, $g['xml_rootobj']))) {
		unlock($lock);
		file_notice('config.xml', "Unable to open {$g['cf_conf_path']}/config.xml for writing in write_config()\n");
		return -1;
	}
	emulated_note('config written', ['description' => $config['revision']['description']]);
	log_error("Configuration Change: {$config['revision']['description']}");
	cleanup_backupcache(true);
	$written = parse_xml_config("{$g['conf_path']}/config.xml", $g['xml_rootobj']);
	if ($written === -1) {
		copy("{$g['cf_conf_path']}/config.xml", "{$g['cf_conf_path']}/config.xml.bad");
		$written = emulated_read_config();
	}
	$config = $written;
	emulated_last($startedAt, 'writeMs');
	unlock($lock);
	return $config;
}

/** Puts a file of the backup folder in the place of the configuration. Services are not told. */
function config_restore($path, $descr = null) {
	global $config, $g;
	if (!file_exists($path)) {
		return false;
	}
	backup_config();
	$lock = lock('config', LOCK_EX);
	copy($path, "{$g['cf_conf_path']}/config.xml");
	unlock($lock);
	$config = emulated_read_config();
	write_config('Reverted to "' . ($descr ?? basename($path)) . '"', false);
	return true;
}
