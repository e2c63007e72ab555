<?php
// What every snippet begins with. Snippets run inside a method of pfSense's xmlrpc.php by eval, so they name no function and
// no class, and keep to PHP 7.4 (pfSense 2.5.2). CALLS.md lists what of pfSense they use. Before this text stands one line:
//   $lw_arguments = json_decode(base64_decode('…'), true);
global $config, $g;

// What pfSense's own functions print would end up in the middle of the answer.
ob_start();

$lw_config_file = "{$g['conf_path']}/config.xml";

/* The one answer of a snippet: a JSON text. XML-RPC itself would turn false, 0 and empty arrays into true, and fail at null. */
$lw_answer = function (array $answer): array {
	while (ob_get_level() > 0 && ob_end_clean()) {
		continue;
	}
	return array('r' => json_encode($answer, JSON_PARTIAL_OUTPUT_ON_ERROR | JSON_INVALID_UTF8_SUBSTITUTE));
};

/* A text that two values have in common exactly when they mean the same to pfSense. Twin of canonicalValue. */
$lw_normal = function ($value) use (&$lw_normal) {
	if (!is_array($value)) {
		return is_bool($value) ? '' : (string) $value;
	}
	$is_list = ($value === array_values($value));
	$result = array();
	foreach ($value as $key => $inner) {
		$normal = $lw_normal($inner);
		if ($is_list && $normal === '') {
			continue;
		}
		if ($is_list) {
			$result[] = $normal;
		} else {
			$result[(string) $key] = $normal;
		}
	}
	if (!$is_list) {
		ksort($result, SORT_STRING);
	}
	return count($result) === 0 ? '' : $result;
};
$lw_canonical = function ($value) use (&$lw_normal): string {
	return serialize($lw_normal($value));
};

/* The mark of an entry, or an empty text for a person's entry. Twin of markOf. */
$lw_mark = function ($entry, string $mark_in): string {
	$text = is_array($entry) && isset($entry[$mark_in]) && is_string($entry[$mark_in]) ? $entry[$mark_in] : '';
	if ($mark_in !== 'descr') {
		$lines = explode("\n", base64_decode($text));
		$text = substr($lines[0], 0, 2) === '# ' ? rtrim(substr($lines[0], 2), "\r") : '';
	}
	$label = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?';
	$is_mark = preg_match("~^labwright:{$label}(?:\\+rehearsal)?/{$label}/[a-z0-9][a-z0-9._\\~-]{0,99}\$~D", $text) === 1;
	return $is_mark ? $text : '';
};

/* What is at a path of keys; null where there is nothing. */
$lw_get = function ($tree, array $path) {
	foreach ($path as $key) {
		if (!is_array($tree) || !array_key_exists($key, $tree)) {
			return null;
		}
		$tree = $tree[$key];
	}
	return $tree;
};

/* The tree with a value put at a path; null takes away what is there. An empty element becomes a container where one is needed. */
$lw_put = function ($tree, array $path, $value) use (&$lw_put) {
	$key = array_shift($path);
	$tree = is_array($tree) ? $tree : array();
	if (count($path) > 0) {
		$tree[$key] = $lw_put(array_key_exists($key, $tree) ? $tree[$key] : array(), $path, $value);
	} elseif ($value === null) {
		unset($tree[$key]);
	} else {
		$tree[$key] = $value;
	}
	return $tree;
};

/* Reads config.xml anew: the array that xmlrpc.php began with is as old as the time this call stood in line. */
$lw_read = function () use ($lw_config_file): string {
	global $config;
	for ($try = 0; $try < 5; $try++) {
		$hash = hash_file('sha256', $lw_config_file);
		if (function_exists('config_read_file')) {
			$is_read = config_read_file(false, false);
		} else {
			$config = parse_config(true);
			$is_read = true;
		}
		if ($is_read && is_array($config) && $hash !== false && $hash === hash_file('sha256', $lw_config_file)) {
			return $hash;
		}
	}
	throw new Exception('config.xml could not be read, or changed at every look');
};

/* Writes the configuration in memory. An empty text when it did, else why not. */
$lw_write_config = function (string $description): string {
	$written = write_config($description);
	if (is_array($written)) {
		return '';
	}
	return $written === false
		? 'write_config refused: the user may not write the configuration'
		: 'write_config could not write config.xml';
};

/* What the HAProxy package says is meant for a page. */
$lw_plain = function ($messages): string {
	$text = html_entity_decode(strip_tags(str_replace('<br/>', ' ', (string) $messages)), ENT_QUOTES);
	return trim(preg_replace('/\s+/', ' ', $text));
};

/* What the running HAProxy answers to one line on its socket. */
$lw_ask_balancer = function (string $line): string {
	$socket = @stream_socket_client('unix:///tmp/haproxy.socket', $number, $reason, 2);
	if ($socket === false) {
		throw new Exception("the socket of HAProxy does not answer: {$reason}");
	}
	stream_set_timeout($socket, 2);
	fwrite($socket, "{$line}\n");
	$answer = stream_get_contents($socket);
	fclose($socket);
	return trim($answer);
};

/* Runs a program with lines on its standard input; no shell has a part in it. */
$lw_run = function (array $command, array $lines): array {
	$pipes = array();
	$process = proc_open($command, array(array('pipe', 'r'), array('pipe', 'w'), array('redirect', 1)), $pipes);
	if (!is_resource($process)) {
		return array('code' => -1, 'output' => "{$command[0]} could not be started");
	}
	foreach ($lines as $line) {
		if (@fwrite($pipes[0], "{$line}\n") === false) {
			break;
		}
	}
	fclose($pipes[0]);
	$output = stream_get_contents($pipes[1]);
	fclose($pipes[1]);
	return array('code' => proc_close($process), 'output' => $output);
};
$lw_resolver = function (string $action, array $lines) use ($lw_run): array {
	// $action is one of our own words, and records go in by standard input, so nothing needs quoting.
	$command = "/usr/local/sbin/unbound-control -c /var/unbound/unbound.conf {$action}";
	return $lw_run(array('/usr/bin/su', '-m', 'unbound', '-c', $command), $lines);
};

/*
 * Takes names out of the running resolver and puts records in; new names first, since somebody may be waiting for them. An
 * empty text when it worked, else what it said.
 */
$lw_names_live = function (array $remove, array $add) use ($lw_resolver): string {
	$is_moved = function (string $record) use ($remove): bool {
		return in_array(explode(' ', $record)[0], $remove, true);
	};
	$moved = array_values(array_filter($add, $is_moved));
	$steps = array(
		array('local_datas', array_values(array_diff($add, $moved))),
		array('local_datas_remove', $remove),
		array('local_datas', $moved),
	);
	foreach ($steps as $step) {
		$action = $step[0];
		$lines = $step[1];
		if (count($lines) === 0) {
			continue;
		}
		$result = $lw_resolver($action, $lines);
		if ($result['code'] !== 0 || preg_match('/^error/m', $result['output']) === 1) {
			return trim("{$action}: {$result['output']}");
		}
	}
	return '';
};

/*
 * One writer at a time for each owner: its name and the router's time until which it may write lie in a file that a reboot
 * empties. The lock of xmlrpc.php makes this atomic. Null when the writer of the arguments may go on, else who may.
 */
$lw_writer = function (array $arguments) use ($g) {
	if (!isset($arguments['writer'])) {
		return null;
	}
	$writer = $arguments['writer'];
	$file = "{$g['varrun_path']}/labwright." . substr(hash('sha256', $arguments['owner']), 0, 16) . '.writer';
	$known = is_file($file) ? json_decode(file_get_contents($file), true) : null;
	$is_held = is_array($known) && isset($known['holder'], $known['until']) && $known['until'] > time();
	if ($is_held && $known['holder'] !== $writer['holder']) {
		return array('kind' => 'held', 'holder' => $known['holder'], 'seconds' => $known['until'] - time());
	}
	if ($writer['seconds'] > 0) {
		$text = json_encode(array('holder' => $writer['holder'], 'until' => time() + $writer['seconds']));
		file_put_contents("{$file}.new", $text);
		rename("{$file}.new", $file);
	} elseif (is_file($file)) {
		unlink($file);
	}
	return null;
};
