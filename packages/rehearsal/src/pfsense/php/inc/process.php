<?php
// Programs: run, watched by their pid files, signalled. The names of programs are FreeBSD's; router-root.ts puts Debian's there.

/** Exit code of a shell command; in the background, its pid. */
function mwexec($command, $nologentry = false, $clearsigmask = false, $background = false) {
	if ($background) {
		return (int)exec("nohup {$command} >/dev/null 2>&1 & echo $!");
	}
	exec("{$command} 2>&1", $output, $code);
	if ($code !== 0 && !$nologentry) {
		log_error("The command '{$command}' returned exit code '{$code}', the output was '" . implode(' ', $output) . "'");
	}
	return $code;
}

function mwexec_bg($command, $clearsigmask = false) {
	return mwexec($command, false, $clearsigmask, true);
}

function exec_command($command) {
	exec("{$command} 2>&1", $output);
	return implode("\n", $output);
}

function emulated_pid(string $file): int {
	return (int)trim((string)@file_get_contents($file));
}

/** A process that is there and has not ended: one that waits to be reaped counts as gone. */
function emulated_is_alive(int $pid): bool {
	return $pid > 0 && !preg_match('/^\d+ \(.*\) Z/s', (string)@file_get_contents("/proc/{$pid}/stat") ?: '0 () Z');
}

function isvalidpid($pidfile) {
	return emulated_is_alive(emulated_pid($pidfile));
}

/** Pids of the running programs of this name. */
function emulated_pids_of(string $name): array {
	$pids = [];
	foreach (glob('/proc/[0-9]*') as $folder) {
		$pid = (int)basename($folder);
		if (trim((string)@file_get_contents("{$folder}/comm")) === substr($name, 0, 15) && emulated_is_alive($pid)) {
			$pids[] = $pid;
		}
	}
	return $pids;
}

function is_process_running($process) {
	return $process && emulated_pids_of($process) !== [];
}

function isvalidproc($proc) {
	return is_process_running($proc);
}

function emulated_signal_number($signal): int {
	return is_numeric($signal) ? (int)$signal : constant('SIG' . preg_replace('/^SIG/', '', $signal));
}

/** 0 when it was sent (pkill's exit code), also when nothing runs. */
function sigkillbypid($pidfile, $sig, $waitfor = 0) {
	if (!isvalidpid($pidfile)) {
		return 0;
	}
	$sent = posix_kill(emulated_pid($pidfile), emulated_signal_number($sig));
	for ($tenths = $waitfor * 10; $tenths > 0 && isvalidpid($pidfile); $tenths--) {
		usleep(100000);
	}
	return $sent ? 0 : 1;
}

function killbypid($pidfile, $waitfor = 0) {
	return sigkillbypid($pidfile, 'TERM', $waitfor);
}

function sigkillbyname($procname, $sig) {
	foreach (emulated_pids_of($procname) as $pid) {
		posix_kill($pid, emulated_signal_number($sig));
	}
	return 0;
}

function killbyname($procname) {
	sigkillbyname($procname, 'TERM');
}

/** Waits up to so many seconds until no program of the name runs. */
function emulated_wait_gone(string $name, int $seconds): void {
	for ($tenths = $seconds * 10; $tenths > 0 && is_process_running($name); $tenths--) {
		usleep(100000);
	}
}
