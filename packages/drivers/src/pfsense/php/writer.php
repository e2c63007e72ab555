<?php
// Takes, renews (seconds > 0) or gives back (seconds 0) the right to write as one owner.
//   arguments  owner, writer {holder, seconds}
//   answer     kind done or held
try {
	$lw_held = $lw_writer($lw_arguments);
	$toreturn = $lw_answer($lw_held === null ? array('kind' => 'done') : $lw_held);
} catch (Throwable $lw_error) {
	$toreturn = $lw_answer(array('kind' => 'failed', 'message' => $lw_error->getMessage()));
}
