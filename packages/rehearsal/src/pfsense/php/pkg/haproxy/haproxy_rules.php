<?php
// Conditions and actions of a front end of the HAProxy package, by their names in the configuration.

/** Expression: [mode it fits ('' any), syntax, a line it needs, seconds to wait for content]. %s is the value, {i} the case. */
const EMULATED_HAPROXY_ACLS = [
	'host_starts_with' => ['http', 'var(txn.txnhost) -m beg{i} %s', 'host'],
	'host_ends_with' => ['http', 'var(txn.txnhost) -m end{i} %s', 'host'],
	'host_matches' => ['http', 'var(txn.txnhost) -m str{i} %s', 'host'],
	'host_regex' => ['http', 'var(txn.txnhost) -m reg{i} %s', 'host'],
	'host_contains' => ['http', 'var(txn.txnhost) -m sub{i} %s', 'host'],
	'path_starts_with' => ['http', 'var(txn.txnpath) -m beg{i} %s', 'path'],
	'path_ends_with' => ['http', 'var(txn.txnpath) -m end{i} %s', 'path'],
	'path_matches' => ['http', 'var(txn.txnpath) -m str{i} %s', 'path'],
	'path_regex' => ['http', 'var(txn.txnpath) -m reg{i} %s', 'path'],
	'path_contains' => ['http', 'var(txn.txnpath) -m sub{i} %s', 'path'],
	'path_dir' => ['http', 'var(txn.txnpath) -m dir{i} %s', 'path'],
	'source_ip' => ['', 'src %s', ''],
	'traffic_is_http' => ['tcp', 'req.proto_http', 'accept-http'],
	'traffic_is_ssl' => ['tcp', 'req.ssl_ver gt 0', 'accept-ssl'],
	'ssl_sni_matches' => ['https', 'req.ssl_sni{i} %s', 'accept-hello'],
	'ssl_sni_contains' => ['https', 'req.ssl_sni -m sub{i} %s', 'accept-hello'],
	'ssl_sni_starts_with' => ['https', 'req.ssl_sni -m beg{i} %s', 'accept-hello'],
	'ssl_sni_ends_with' => ['https', 'req.ssl_sni -m end{i} %s', 'accept-hello'],
	'ssl_sni_regex' => ['https', 'req.ssl_sni -m reg{i} %s', 'accept-hello'],
	'custom' => ['', '%s', ''],
];

const EMULATED_HAPROXY_NEEDS = [
	'host' => 'http-request set-var(txn.txnhost) hdr(host)',
	'path' => 'http-request set-var(txn.txnpath) path',
	'accept-http' => 'tcp-request content accept if { req.proto_http }',
	'accept-ssl' => 'tcp-request content accept if { req.ssl_ver gt 0 }',
	'accept-hello' => 'tcp-request content accept if { req.ssl_hello_type 1 }',
];

/** Action: syntax; {x} is the action item's field named for action and x. */
const EMULATED_HAPROXY_ACTIONS = [
	'use_backend' => 'use_backend {backend}',
	'custom' => '{customaction}',
	'http-request_allow' => 'http-request allow',
	'http-request_deny' => 'http-request deny {deny_status}',
	'http-request_tarpit' => 'http-request tarpit {deny_status}',
	'http-request_auth' => 'http-request auth {realm}',
	'http-request_redirect' => 'http-request redirect {rule}',
	'http-request_add-header' => 'http-request add-header {name} {fmt}',
	'http-request_set-header' => 'http-request set-header {name} {fmt}',
	'http-request_del-header' => 'http-request del-header {name}',
	'http-request_set-path' => 'http-request set-path {fmt}',
	'http-response_add-header' => 'http-response add-header {name} {fmt}',
	'http-response_set-header' => 'http-response set-header {name} {fmt}',
	'http-response_del-header' => 'http-response del-header {name}',
	'tcp-request_connection_accept' => 'tcp-request connection accept',
	'tcp-request_connection_reject' => 'tcp-request connection reject',
	'tcp-request_content_accept' => 'tcp-request content accept',
	'tcp-request_content_reject' => 'tcp-request content reject',
];

/** Adds one front end's conditions and actions. A condition that does not fit the type of the front end is left out without a word. */
function emulated_haproxy_rules(array $frontend, string $type, array &$rules, array &$wanted): void {
	$negated = [];
	foreach ($frontend['ha_acls']['item'] ?? [] as $acl) {
		$known = EMULATED_HAPROXY_ACLS[$acl['expression'] ?? ''] ?? null;
		$negated[$acl['name']] = ($acl['not'] ?? '') === 'yes' ? '!' : '';
		if ($known === null || ($known[0] !== '' && $known[0] !== $type)) {
			continue;
		}
		[, $syntax, $need] = $known;
		$test = str_replace(['{i}', '%s'], [($acl['casesensitive'] ?? '') === 'yes' ? '' : ' -i', $acl['value'] ?? ''], $syntax);
		if ($acl['expression'] === 'source_ip' && is_alias($acl['value'] ?? '')) {
			global $aliastable;
			$test = "src {$aliastable[$acl['value']]}";
		}
		$rules['acls']["\tacl\t\t\t{$acl['name']}\t{$test}\n"] = true;
		if ($need !== '') {
			$rules['extras'][EMULATED_HAPROXY_NEEDS[$need]] = true;
			$rules['delay'] = str_starts_with($need, 'accept') ? 5 : $rules['delay'];
		}
	}
	$items = $frontend['a_actionitems']['item'] ?? [];
	if (!empty($frontend['backend_serverpool'])) {
		$items[] = ['action' => 'use_backend', 'use_backendbackend' => $frontend['backend_serverpool']];
	}
	foreach ($items as $item) {
		emulated_haproxy_action($item, $type, $negated, $rules, $wanted);
	}
}

function emulated_haproxy_action(array $item, string $type, array $negated, array &$rules, array &$wanted): void {
	$action = $item['action'] ?? '';
	$condition = '';
	foreach (preg_split('/\s+/', $item['acl'] ?? '', -1, PREG_SPLIT_NO_EMPTY) as $name) {
		$condition .= ' ' . ($negated[$name] ?? '') . $name;
	}
	$condition = $condition === '' ? '' : " if{$condition}";
	if ($action === 'use_backend') {
		$name = "{$item['use_backendbackend']}_ipvANY";
		$wanted[$name] ??= [$item['use_backendbackend'], $type];
		$where = $condition === '' ? 'defaults' : 'backends';
		$rules[$where] .= $condition === '' ? "\tdefault_backend {$name}\n" : "\tuse_backend {$name}{$condition}\n";
		return;
	}
	$fill = function (array $match) use ($item, $action): string {
		$value = $item[$action . $match[1]] ?? '';
		return $match[1] === 'deny_status' && $value !== '' ? "deny_status {$value}" : $value;
	};
	$line = rtrim(preg_replace_callback('/\{([\w-]+)\}/', $fill, EMULATED_HAPROXY_ACTIONS[$action] ?? ''));
	$rules['actions'] .= $line === '' ? '' : "\t{$line}{$condition}\n";
}
