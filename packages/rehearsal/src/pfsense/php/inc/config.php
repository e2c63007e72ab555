<?php
// Reads the configuration into $config, once for a process: at its beginning, and before it waits for any lock.

require_once 'functions.inc';

global $config;
$config ??= emulated_read_config();
