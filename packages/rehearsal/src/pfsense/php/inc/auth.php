<?php
// Users and groups of config.xml: who may log in, and with which privileges.

const EMULATED_SYNC_PRIVILEGE = 'system-xmlrpc-ha-sync';

function emulated_user(string $name): ?array {
	foreach (emulated_list('system/user') as $user) {
		if ($user['name'] === $name) {
			return $user;
		}
	}
	return null;
}

/** As versions from 2.8 on give it: with its place in the list. Before, the entry alone. */
function getUserEntry($name) {
	$user = emulated_user($name);
	return emulated_has('user_items') ? ['idx' => null, 'item' => $user ?? []] : $user;
}

/** Of the local database: bcrypt, or the SHA-512 of newer versions. */
function authenticate_user($username, $password, $authcfg = null, &$attributes = []) {
	$user = emulated_user((string)$username);
	if ($user === null || isset($user['disabled']) || (string)$password === '') {
		return false;
	}
	foreach (['bcrypt-hash', 'sha512-hash'] as $kind) {
		if (!empty($user[$kind])) {
			return password_verify($password, $user[$kind]);
		}
	}
	return false;
}

/** Own privileges and those of the groups a user is a member of. */
function get_user_privileges($user) {
	$privileges = $user['priv'] ?? [];
	foreach (emulated_list('system/group') as $group) {
		if (in_array($user['uid'] ?? '', $group['member'] ?? [] ?: [], false)) {
			$privileges = [...$privileges, ...($group['priv'] ?? [])];
		}
	}
	return $privileges;
}

function userHasPrivilege($userent, $privid = false) {
	return $privid !== false && in_array($privid, get_user_privileges($userent), true);
}

function local_sync_accounts($u2add, $u2del, $g2add, $g2del) {
	return null;
}

function local_reset_accounts() {
	return null;
}
