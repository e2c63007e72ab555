<?php
// The packet filter: its reloads are counted, and nothing is filtered.

function filter_configure() {
	emulated_note('filter reload');
	return 0;
}

function filter_configure_sync($delete_states_if_needed = true) {
	return filter_configure();
}

function setup_gateways_monitor() {
	return null;
}
