<?php
// The running HAProxy: tests the configuration as it is in config.xml, reloads it without losing a connection, or tells it
// over its socket that servers come and go.
//   arguments  owner, writer (optional), action (check, reload, servers), commands (for servers)
//   answer     kind done (output), refused (message) or held
try {
	$lw_held = $lw_writer($lw_arguments);
	$lw_package = '/usr/local/pkg/haproxy/haproxy.inc';
	if ($lw_held !== null) {
		$toreturn = $lw_answer($lw_held);
	} elseif (!is_file($lw_package)) {
		$toreturn = $lw_answer(array('kind' => 'refused', 'message' => 'the package haproxy is not installed'));
	} elseif ($lw_arguments['action'] === 'servers') {
		$lw_output = array();
		$lw_server = '[A-Za-z0-9._-]+/[A-Za-z0-9._-]+';
		$lw_change = '(?:state (?:ready|drain|maint)|health up|weight [0-9]{1,3}|addr [0-9A-Fa-f.:]+ port [0-9]{1,5})';
		foreach ($lw_arguments['commands'] as $lw_command) {
			if (preg_match("~^set server {$lw_server} {$lw_change}\$~D", $lw_command) !== 1) {
				throw new Exception("\"{$lw_command}\" is no command for a server");
			}
			$lw_output[] = $lw_ask_balancer($lw_command);
		}
		$toreturn = $lw_answer(array('kind' => 'done', 'output' => $lw_output));
	} else {
		$lw_read();
		require_once($lw_package);
		$lw_messages = '';
		$lw_works = haproxy_check_and_run($lw_messages, $lw_arguments['action'] === 'reload');
		$lw_message = $lw_plain($lw_messages);
		$toreturn = $lw_answer($lw_works
			? array('kind' => 'done', 'output' => array($lw_message))
			: array('kind' => 'refused', 'message' => $lw_message));
	}
} catch (Throwable $lw_error) {
	$toreturn = $lw_answer(array('kind' => 'failed', 'message' => $lw_error->getMessage()));
}
