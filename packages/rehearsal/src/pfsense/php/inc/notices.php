<?php
// Notices, which people see as the bell in the page's header.

function file_notice($id, $notice, $category = 'General', $url = '', $priority = 1, $local_only = false) {
	emulated_note('notice', ['id' => $id, 'text' => $notice]);
	return time();
}

function notify_all_remote($msg) {
	return null;
}
