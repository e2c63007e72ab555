<?php
// pfSense's locks: a file in /tmp for each name, held by flock, so the kernel lets go of one whose process dies.

function emulated_open_lock($name) {
	global $g;
	if (!$name) {
		die('WARNING: A name must be given as parameter to lock() function.');
	}
	return fopen("{$g['tmp_path']}/{$name}.lock", 'c');
}

/** Waits for it, without an end. Shared unless told otherwise. */
function lock($lock, $op = LOCK_SH) {
	$handle = emulated_open_lock($lock);
	return $handle && flock($handle, $op) ? $handle : null;
}

/** Null when it is still taken after so many seconds. */
function try_lock($lock, $timeout = 5) {
	$handle = emulated_open_lock($lock);
	for ($tries = 0; $handle && !flock($handle, LOCK_EX | LOCK_NB); $tries++) {
		if ($tries >= $timeout) {
			fclose($handle);
			return null;
		}
		sleep(1);
	}
	return $handle ?: null;
}

function unlock($cfglckkey = 0) {
	if (is_resource($cfglckkey)) {
		flock($cfglckkey, LOCK_UN);
		fclose($cfglckkey);
	}
}

function unlock_force($lock) {
	global $g;
	@unlink("{$g['tmp_path']}/{$lock}.lock");
}
