<?php
// Reads: version, revision, and config.xml itself unless the caller has it already.
//   arguments  known (SHA-256 of the text the caller has, or ''); owner and writer (both optional: takes or renews the right to write)
//   answer     version, platform, configVersion, hash, isPending, hasBalancer, heldBy (another writer, or ''),
//              resolver (a text that is another one after the resolver was started anew), config (gzip, base64; '' when it is the known one)
try {
	$lw_system = host_firmware_version();
	$lw_text = file_get_contents($lw_config_file);
	if ($lw_text === false || $lw_text === '') {
		throw new Exception("{$lw_config_file} could not be read");
	}
	$lw_hash = hash('sha256', $lw_text);
	$lw_pending = "{$g['varrun_path']}/labwright.pending";
	$lw_held = $lw_writer($lw_arguments);
	$lw_resolver_file = "{$g['varrun_path']}/unbound.pid";
	$lw_resolver_start = is_file($lw_resolver_file)
		? trim((string) @file_get_contents($lw_resolver_file)) . ' ' . @filemtime($lw_resolver_file)
		: '';
	$toreturn = $lw_answer(array(
		'kind' => 'state',
		'version' => (string) $lw_system['firmware']['version'],
		'platform' => (string) $lw_system['platform'],
		'configVersion' => (string) $lw_system['config_version'],
		'hash' => $lw_hash,
		'isPending' => is_file($lw_pending),
		'heldBy' => $lw_held === null ? '' : $lw_held['holder'],
		'resolver' => $lw_resolver_start,
		'hasBalancer' => is_file('/usr/local/pkg/haproxy/haproxy.inc'),
		'config' => $lw_hash === $lw_arguments['known'] ? '' : base64_encode(gzencode($lw_text, 6)),
	));
} catch (Throwable $lw_error) {
	$toreturn = $lw_answer(array('kind' => 'failed', 'message' => $lw_error->getMessage()));
}
