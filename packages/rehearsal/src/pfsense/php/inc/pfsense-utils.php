<?php
// What pfSense tells about itself.

function host_firmware_version() {
	global $g;
	$kernel = emulated_router()['kernel'];
	return [
		'firmware' => ['version' => $g['product_version']],
		'kernel' => ['version' => $kernel],
		'base' => ['version' => $kernel],
		'platform' => $g['product_label'],
		'config_version' => emulated_config('version'),
	];
}
