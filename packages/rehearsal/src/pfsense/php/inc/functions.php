<?php
// Everything of the library that a page of pfSense has loaded when its own code begins.

require_once 'emulation.inc';
require_once 'globals.inc';
require_once 'util.inc';
require_once 'notices.inc';
require_once 'xmlparse.inc';
require_once 'config.lib.inc';
if (emulated_has('config_paths')) {
	require_once 'array-paths.inc';
}
require_once 'interfaces.inc';
require_once 'system.inc';
require_once 'services.inc';
require_once 'filter.inc';
require_once 'auth.inc';
require_once 'pfsense-utils.inc';
require_once 'service-utils.inc';
