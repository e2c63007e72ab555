<?php
// HAProxy's runtime socket.

/** The lines of its answer; none when it does not run. */
function haproxy_socket_command($command) {
	$socket = @stream_socket_client('unix:///tmp/haproxy.socket', $number, $text, 5);
	if ($socket === false) {
		return [];
	}
	fwrite($socket, "{$command}\n");
	$answer = stream_get_contents($socket);
	fclose($socket);
	return explode("\n", rtrim($answer, "\n"));
}
