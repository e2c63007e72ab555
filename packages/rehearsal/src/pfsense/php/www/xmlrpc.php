<?php
// One call of xmlrpc.php. The process is started ahead of its request, as php-fpm's are; it reads one line of JSON,
// {"address", "authorization", "body"}, answers, and ends. What code prints stands before the answer, as in real life.
//
//   request ─ configuration read ─ lock `xmlrpc` (one call at a time) ─ method ─ answer
//
// The configuration is read before the lock: a call that had to wait begins with one that may be out of date.

require_once 'functions.inc';
require_once __DIR__ . '/xmlrpc-codec.php';
require_once __DIR__ . '/xmlrpc-methods.php';

/** How the process ends after a refused login, for the front's login protection. */
const EMULATED_DENIED = 10;

const EMULATED_PHP8_FUNCTIONS = [
	'str_contains', 'str_starts_with', 'str_ends_with', 'get_debug_type', 'get_resource_id', 'fdiv', 'preg_last_error_msg',
	'array_is_list', 'fsync', 'fdatasync',
];

/** What PHP 7.4 of older versions does not know and the PHP that runs here does: syntax and functions. */
function emulated_refuse_php8(string $code): void {
	if (emulated_has('php8')) {
		return;
	}
	foreach (PhpToken::tokenize("<?php {$code}") as $token) {
		if ($token->is([T_MATCH, T_NULLSAFE_OBJECT_OPERATOR, T_ENUM, T_READONLY, T_ATTRIBUTE])) {
			throw new ParseError("syntax error, unexpected '{$token->text}'");
		}
		if ($token->is(T_STRING) && in_array($token->text, EMULATED_PHP8_FUNCTIONS, true)) {
			throw new Error("Call to undefined function {$token->text}()");
		}
	}
}

/** What the method may be called with: missing parameters and wrong kinds are refused, more than needed are not. */
function emulated_check_parameters(ReflectionMethod $method, array &$parameters): void {
	$needed = $method->getParameters();
	foreach ($needed as $index => $parameter) {
		$name = $parameter->getName();
		$isTimeout = in_array($name, ['timeout', 'dummy'], true);
		if (!array_key_exists($index, $parameters)) {
			$mayMiss = $name === 'dummy' ? !emulated_has('dummy_required') : $name === 'timeout' && !emulated_has('timeout_required');
			if (!$mayMiss) {
				throw new emulated_fault('server error. invalid method parameters', -32602);
			}
			$parameters[$index] = null;
		}
		$kind = preg_match("/@param (\\w+) \\\${$name}\\b/", (string)$method->getDocComment(), $match) ? $match[1] : '';
		$isWrong = ($kind === 'array' && !is_array($parameters[$index])) || ($kind === 'string' && !is_string($parameters[$index]));
		if (!$isTimeout && $isWrong) {
			throw new emulated_fault('server error. invalid method parameters', -32602);
		}
	}
}

function emulated_answer(string $name, array $parameters, pfsense_xmlrpc_server $server): mixed {
	$method = str_starts_with($name, 'pfsense.') ? substr($name, strlen('pfsense.')) : '';
	if ($method === '' || str_starts_with($method, '__') || !is_callable([$server, $method])) {
		throw new emulated_fault("server error. requested method '{$name}' not found", -32601);
	}
	$about = new ReflectionMethod($server, $method);
	emulated_check_parameters($about, $parameters);
	if ($method === 'exec_php') {
		emulated_refuse_php8($parameters[0]);
	}
	ini_set('default_socket_timeout', '60');
	return $about->invokeArgs($server, array_slice($parameters, 0, $about->getNumberOfParameters()));
}

$line = fgets(STDIN);
if ($line === false) {
	exit(0);
}
$emulated_started_at = microtime(true);
$request = json_decode($line, true);
$_SERVER['REMOTE_ADDR'] = $request['address'];
$_SERVER['SCRIPT_NAME'] = '/xmlrpc.php';
require_once 'config.inc';
ignore_user_abort(true);
// Warnings are swallowed by the server's own handler.
set_error_handler(fn () => true);
$lock = lock('xmlrpc', LOCK_EX);
$exitCode = 0;
try {
	[$name, $parameters] = emulated_decode_call(base64_decode($request['body']));
	$credentials = base64_decode(preg_replace('/^Basic\s+/i', '', $request['authorization'] ?? ''));
	[$user, $password] = [...explode(':', $credentials, 2), ''];
	$server = new pfsense_xmlrpc_server($user, $password, $request['address']);
	print emulated_encode_response(emulated_answer($name, $parameters, $server));
} catch (emulated_fault $fault) {
	$exitCode = in_array($fault->getCode(), [-1, -2], true) ? EMULATED_DENIED : 0;
	print emulated_encode_fault($fault->getCode(), $fault->getMessage());
} catch (Exception $failure) {
	print emulated_encode_fault(1, 'Unhandled ' . get_class($failure) . ' exception:' . $failure->getMessage());
}
unlock($lock);
exit($exitCode);
