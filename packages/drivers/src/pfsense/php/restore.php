<?php
// Puts a backup in the place of the whole configuration, as a person agreed to. What is not taken up here is at the next reboot.
//   arguments  action (look: only whether this router can read it; write), config (gzip, base64), leaveOut (names of sections);
//              for write: owner, writer (optional), version, hash (of the config.xml that the person was shown the differences to),
//              description, subsystems (that take it up at once)
//   answer     kind able (latest: the version of configurations of this router), unable (it cannot be read), failed;
//              for write: written (hash, slipped, backup, reloads), equal (hash), moved, version, held as well
//
// A page that saves between our last look and write_config is found as write.php finds it, in the router's own backup. Here it is
// told and not merged: what the person agreed to lose is all that is not in the file.
try {
	/* The configuration in the file as pfSense itself reads it, or null. Others cannot read the file, and it never stays. */
	$lw_unpack = function (string $packed, array $leave_out) use ($g): ?array {
		$text = gzdecode(base64_decode($packed));
		$file = tempnam($g['tmp_path'], 'labwright');
		// pfSense ends the whole call at some mistakes in a file.
		register_shutdown_function(function () use ($file) {
			if (is_file($file)) {
				unlink($file);
			}
		});
		if ($text === false || file_put_contents($file, $text) !== strlen($text)) {
			throw new Exception("the file could not be put into {$g['tmp_path']}");
		}
		$tree = parse_xml_config($file, $g['xml_rootobj']);
		unlink($file);
		if (!is_array($tree) || !isset($tree['version'], $tree['system'], $tree['interfaces'])) {
			return null;
		}
		return array_diff_key($tree, array_flip($leave_out));
	};

	/* Alias addresses of one tree that the other has not, on the same interface. */
	$lw_aliases_without = function (array $tree, array $other) use ($lw_get): array {
		$lists = array();
		foreach (array($tree, $other) as $one) {
			$list = $lw_get($one, array('virtualip', 'vip'));
			$lists[] = array_filter(is_array($list) ? $list : array(), function ($vip) {
				return is_array($vip) && isset($vip['mode'], $vip['subnet'], $vip['interface']) && $vip['mode'] === 'ipalias';
			});
		}
		return array_values(array_filter($lists[0], function ($vip) use ($lists) {
			foreach ($lists[1] as $known) {
				if ($known['subnet'] === $vip['subnet'] && $known['interface'] === $vip['interface']) {
					return false;
				}
			}
			return true;
		}));
	};

	$lw_restore = function (array $arguments, array $tree) use ($lw_read, $lw_write_config, $lw_canonical, $lw_get, $lw_aliases_without, $lw_test_balancer, $lw_set_pending, $lw_reload_all, $lw_differences, $lw_config_file, $lw_package): array {
		global $config, $g;
		$system = host_firmware_version();
		if ($system['firmware']['version'] !== $arguments['version']) {
			return array('kind' => 'version', 'version' => (string) $system['firmware']['version']);
		}
		$hash = $lw_read();
		if ($hash !== $arguments['hash']) {
			return array('kind' => 'moved');
		}
		$was = $config;
		if (count($lw_differences($was, $tree)) === 0) {
			return array('kind' => 'equal', 'hash' => $hash);
		}
		$subsystems = $arguments['subsystems'];
		$complaint = '';
		if (in_array('haproxy', $subsystems, true)) {
			// Without the package there is nothing to take it up; what HAProxy refuses would be tried again and again.
			$complaint = is_file($lw_package) ? $lw_test_balancer($tree) : '';
			if ($complaint !== '' || !is_file($lw_package)) {
				$subsystems = array_values(array_diff($subsystems, array('haproxy')));
			}
		}
		// A page that writes at this very moment holds the lock; it is let finish, and then the file is looked at.
		$lock = lock('config', LOCK_EX);
		$is_same = hash_file('sha256', $lw_config_file) === $hash;
		unlock($lock);
		if (!$is_same) {
			return array('kind' => 'moved');
		}

		if (count($subsystems) > 0) {
			$aliases = array();
			foreach ($lw_aliases_without($was, $tree) as $vip) {
				$aliases[] = array('tag' => 'vip', 'before' => $vip, 'after' => null);
			}
			foreach ($lw_aliases_without($tree, $was) as $vip) {
				$aliases[] = array('tag' => 'vip', 'before' => null, 'after' => $vip);
			}
			$lw_set_pending($subsystems, $aliases);
		}
		$config = $tree;
		// write_config names its backup by the revision in memory: that of the file on disk, or it would take another's place.
		unset($config['revision']);
		if (isset($was['revision'])) {
			$config['revision'] = $was['revision'];
		}
		$time = isset($was['revision']['time']) && $was['revision']['time'] !== '' ? $was['revision']['time'] : 0;
		$backup = "{$g['cf_conf_path']}/backup/config-{$time}.xml";
		$refusal = $lw_write_config($arguments['description']);
		if ($refusal !== '') {
			return array('kind' => 'failed', 'message' => $refusal);
		}
		$revision = $config['revision'];
		$slipped = array();
		$found = is_file($backup) ? hash_file('sha256', $backup) : false;
		$theirs = $found === false || $found === $hash ? null : parse_xml_config($backup, $g['xml_rootobj']);
		// With our own revision it is what we wrote: a page that saved after us took the backup's name for its own.
		if (is_array($theirs) && $lw_canonical($lw_get($theirs, array('revision'))) !== $lw_canonical($revision)) {
			$slipped = $lw_differences($was, $theirs);
		}
		$reloads = count($subsystems) > 0 ? $lw_reload_all(null) : array();
		if ($complaint !== '') {
			$reloads['haproxy'] = $complaint;
		}
		return array(
			'kind' => 'written',
			'hash' => hash_file('sha256', $lw_config_file),
			'slipped' => $slipped,
			'backup' => $found === false ? '' : $backup,
			'reloads' => $reloads,
		);
	};

	$lw_held = $lw_arguments['action'] === 'write' ? $lw_writer($lw_arguments) : null;
	$lw_tree = $lw_held === null ? $lw_unpack($lw_arguments['config'], $lw_arguments['leaveOut']) : null;
	if ($lw_held !== null) {
		$toreturn = $lw_answer($lw_held);
	} elseif ($lw_tree === null) {
		$toreturn = $lw_answer(array('kind' => 'unable'));
	} elseif ($lw_arguments['action'] === 'look') {
		$toreturn = $lw_answer(array('kind' => 'able', 'latest' => (string) $g['latest_config']));
	} else {
		$toreturn = $lw_answer($lw_restore($lw_arguments, $lw_tree));
	}
} catch (Throwable $lw_error) {
	$toreturn = $lw_answer(array('kind' => 'failed', 'message' => $lw_error->getMessage()));
}
