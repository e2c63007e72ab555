<?php
// Diagnostics > Backup & Restore: an old backup becomes the configuration; the router is to be rebooted next.
//   restore.php FILE

require_once 'config.inc';

$emulated_user = 'admin@127.0.0.1 (Local Database)';
exit(config_restore($argv[1], basename($argv[1])) ? 0 : 1);
