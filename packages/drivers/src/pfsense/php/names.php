<?php
// Puts names live in the running resolver; nothing is written and nothing restarted.
//   arguments  owner, writer (optional), remove (names), add (records, "web.svc. 60 IN A 192.0.2.40"),
//              isRestarted (others started the resolver anew: the file it was started from may lack what is written by now)
//   answer     kind done, refused (message) or held
try {
	$lw_held = $lw_writer($lw_arguments);
	if ($lw_held !== null) {
		$toreturn = $lw_answer($lw_held);
	} elseif ($lw_get($config, array('unbound', 'enable')) === null) {
		$toreturn = $lw_answer(array('kind' => 'refused', 'message' => 'the DNS Resolver is switched off'));
	} else {
		$lw_message = $lw_names_live($lw_arguments['remove'], $lw_arguments['add']);
		if ($lw_message === '' && !empty($lw_arguments['isRestarted'])) {
			require_once('unbound.inc');
			$lw_read();
			unbound_add_host_entries();
		}
		$toreturn = $lw_answer($lw_message === ''
			? array('kind' => 'done')
			: array('kind' => 'refused', 'message' => $lw_message));
	}
} catch (Throwable $lw_error) {
	$toreturn = $lw_answer(array('kind' => 'failed', 'message' => $lw_error->getMessage()));
}
