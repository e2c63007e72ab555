<?php
// The router comes up: its addresses and its services, from the configuration.

require_once 'config.inc';

emulated_note('booting');
safe_mkdir('/var/etc');
interfaces_vips_configure();
services_dnsmasq_configure(false);
services_unbound_configure(false);
services_dhcpd_configure();
if (emulated_is_on('installedpackages/haproxy')) {
	require_once 'haproxy/haproxy.inc';
	haproxy_configure();
}
emulated_note('booted');
