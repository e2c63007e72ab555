<?php
// Makes changes to entries of ours, writes config.xml once, and has them taken up.
//   arguments  owner ("labwright:LAB/CLUSTER/"), writer (optional), version, description, subsystems, remove and add (names.php),
//              changes: entry {path, tag, markIn, mayMake, mark, before, after, consent} or fields {path, before, after};
//              null stands for an absent before, after or field
//   answer     kind written (hash, writes, slipped, reloads), equal (hash, reloads), moved (changes), refused (message), held, version,
//              failed (message, writes)
//
// The router's pages take no lock that we could take too: a page reads config.xml when it is asked for, and writes the whole of
// it when it is done. Its write is told from ours in three steps. Just before write_config the file must still be the one that
// was read. write_config itself begins with a copy of the file on disk: that backup must be what was read as well. If it is
// not, a page wrote in between; its configuration is in that backup, so our changes are made to it and written once more.
// (A page that wrote after the backup and before the write, a few milliseconds, is not seen. One that reads before and writes
// after us drops our entries, not its own; the caller looks again later.)
$lw_writes = 0;
try {
	/* Twin of judgeEntryChange, then of the edit itself: the changed list, or null when it is moved. */
	$lw_change_list = function (array $list, array $change) use ($lw_canonical, $lw_mark) {
		$before = $change['before'];
		$after = $change['after'];
		$before_text = $before === null ? null : $lw_canonical($before);
		$after_text = $after === null ? null : $lw_canonical($after);
		$marked = 0;
		$found = array();
		$holders = 0;
		foreach ($list as $index => $entry) {
			$marked += $lw_mark($entry, $change['markIn']) === $change['mark'] ? 1 : 0;
			$text = $lw_canonical($entry);
			if ($text === $before_text) {
				$found[] = $index;
			}
			$holders += $text === $after_text ? 1 : 0;
		}
		$is_after_marked = $after !== null && $lw_mark($after, $change['markIn']) === $change['mark'];
		$is_before_marked = $before !== null && $lw_mark($before, $change['markIn']) === $change['mark'];
		if ($after === null ? $marked === 0 : ($holders === 1 && $marked === ($is_after_marked ? 1 : 0))) {
			return $list;
		}
		if ($before === null) {
			return $marked === 0 ? array_merge($list, array($after)) : null;
		}
		if (count($found) !== 1 || $marked !== ($is_before_marked ? 1 : 0)) {
			return null;
		}
		if ($after === null) {
			unset($list[$found[0]]);
		} else {
			$list[$found[0]] = $after;
		}
		return array_values($list);
	};

	/* No change may touch what is not marked as the owner's, whatever the arguments say. */
	$lw_check = function (array $change, string $owner) use ($lw_mark) {
		if ($change['kind'] === 'fields') {
			$names = array('netboot', 'nextserver', 'filename', 'filename32', 'filename64', 'filename32arm', 'filename64arm', 'uefihttpboot');
			$is_ours = count($change['path']) === 2 && $change['path'][0] === 'dhcpd' &&
			    count(array_diff(array_keys($change['after']), $names)) === 0;
		} else {
			$consent = isset($change['consent']) ? $change['consent'] : '';
			$is_ours = strncmp($change['mark'], $owner, strlen($owner)) === 0;
			foreach (array('before' => 'adopt', 'after' => 'release') as $side => $word) {
				$mark = $change[$side] === null ? $change['mark'] : $lw_mark($change[$side], $change['markIn']);
				$is_ours = $is_ours && ($mark === $change['mark'] || ($mark === '' && $consent === $word));
			}
		}
		if (!$is_ours) {
			throw new Exception('a change concerns an entry that is not of ' . $owner);
		}
	};

	/* Every change made to a tree; the numbers of those that cannot be made any more are in moved. */
	$lw_change_all = function (array $tree, array $changes) use ($lw_get, $lw_put, $lw_change_list): array {
		$moved = array();
		foreach ($changes as $number => $change) {
			$at = $lw_get($tree, $change['path']);
			if ($change['kind'] === 'fields') {
				foreach ($change['after'] as $name => $value) {
					$known = $change['before'][$name];
					$current = is_array($at) && array_key_exists($name, $at) ? $at[$name] : null;
					if ($current === $value) {
						continue;
					}
					if (!is_array($at) || $current !== $known) {
						$moved[] = $number;
						break;
					}
					$tree = $lw_put($tree, array_merge($change['path'], array($name)), $value);
				}
				continue;
			}
			$above = array_slice($change['path'], 0, count($change['path']) - $change['mayMake']);
			$holds_text = false;
			foreach (array_keys($change['path']) as $index) {
				$inner = $lw_get($tree, array_slice($change['path'], 0, $index + 1));
				$holds_text = $holds_text || (is_string($inner) && trim($inner) !== '');
			}
			if ($holds_text || $lw_get($tree, $above) === null) {
				if ($change['after'] !== null) {
					$moved[] = $number;
				}
				continue;
			}
			$list = is_array($at) && isset($at[$change['tag']]) && is_array($at[$change['tag']]) ? $at[$change['tag']] : array();
			$changed = $lw_change_list($list, $change);
			if ($changed === null) {
				$moved[] = $number;
			} elseif ($changed !== $list) {
				$place = array_merge($change['path'], array($change['tag']));
				$tree = $lw_put($tree, $place, count($changed) === 0 ? null : $changed);
			}
		}
		return array('tree' => $tree, 'moved' => $moved);
	};

	$lw_write = function (array $arguments) use ($lw_get, $lw_write_config, $lw_canonical, $lw_check, $lw_read, $lw_change_all, $lw_test_balancer, $lw_config_file, $lw_set_pending, $lw_reload_all, $lw_differences, &$lw_writes): array {
		global $config, $g;
		$system = host_firmware_version();
		if ($system['firmware']['version'] !== $arguments['version']) {
			return array('kind' => 'version', 'version' => (string) $system['firmware']['version']);
		}
		$changes = $arguments['changes'];
		foreach ($changes as $change) {
			$lw_check($change, $arguments['owner']);
		}
		$names = array('remove' => $arguments['remove'], 'add' => $arguments['add']);
		$needs_test = in_array('haproxy', $arguments['subsystems'], true);

		for ($try = 0; $try < 5; $try++) {
			$hash = $lw_read();
			$was = $config;
			$result = $lw_change_all($was, $changes);
			if (count($result['moved']) > 0) {
				return array('kind' => 'moved', 'changes' => $result['moved']);
			}
			if ($result['tree'] === $was) {
				return array('kind' => 'equal', 'hash' => $hash, 'reloads' => $lw_reload_all(null));
			}
			$complaint = $needs_test ? $lw_test_balancer($result['tree']) : '';
			if ($complaint !== '') {
				return array('kind' => 'refused', 'message' => $complaint);
			}
			// A page that writes at this very moment holds the lock; it is let finish, and then the file is looked at.
			$lock = lock('config', LOCK_EX);
			$is_same = hash_file('sha256', $lw_config_file) === $hash;
			unlock($lock);
			if (!$is_same) {
				continue;
			}

			$is_left_over = $lw_set_pending($arguments['subsystems'], $changes);
			$config = $result['tree'];
			$slipped = array();
			$given_up = array();
			while (true) {
				$time = isset($config['revision']['time']) && $config['revision']['time'] !== '' ? $config['revision']['time'] : 0;
				$backup = "{$g['cf_conf_path']}/backup/config-{$time}.xml";
				$refusal = $lw_write_config($arguments['description']);
				if ($refusal !== '') {
					return array('kind' => 'failed', 'message' => $refusal, 'writes' => $lw_writes);
				}
				$lw_writes++;
				// What was written, and not what is on the disk by now: write_config goes on to sync and to upload.
				$ours = hash('sha256', dump_xml_config($config, $g['xml_rootobj']));
				$revision = $config['revision'];
				$found = is_file($backup) ? hash_file('sha256', $backup) : false;
				if ($found === $hash || $found === false || $lw_writes >= 8) {
					break;
				}
				$theirs = parse_xml_config($backup, $g['xml_rootobj']);
				if (!is_array($theirs)) {
					break;
				}
				if ($lw_canonical($lw_get($theirs, array('revision'))) === $lw_canonical($revision)) {
					// It is what we wrote: a page that saved after us took the backup's name for its own.
					break;
				}
				// Also when it has nothing of ours to change: our write has just dropped it, and it is put back.
				$merged = $lw_change_all($theirs, $changes);
				$slipped = array_values(array_unique(array_merge($slipped, $lw_differences($was, $theirs))));
				$given_up = $merged['moved'];
				$was = $theirs;
				$hash = $ours;
				$config = $merged['tree'];
				// The next backup is then named for the write just made, and no backup of a person is overwritten.
				$config['revision'] = $revision;
			}
			return array(
				'kind' => 'written',
				'hash' => hash_file('sha256', $lw_config_file),
				'writes' => $lw_writes,
				'slipped' => $slipped,
				'moved' => $given_up,
				'reloads' => $lw_reload_all($is_left_over ? null : $names),
			);
		}
		return array('kind' => 'moved', 'changes' => array());
	};

	$lw_held = $lw_writer($lw_arguments);
	$toreturn = $lw_answer($lw_held === null ? $lw_write($lw_arguments) : $lw_held);
} catch (Throwable $lw_error) {
	$toreturn = $lw_answer(array('kind' => 'failed', 'message' => $lw_error->getMessage(), 'writes' => $lw_writes));
}
