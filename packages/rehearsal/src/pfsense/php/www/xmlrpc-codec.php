<?php
// XML-RPC as pfSense's server reads and writes it: values are PHP's own, so an empty map leaves as an empty array, a list as an
// array, any other array as a struct, and a null not at all.

final class emulated_fault extends Exception {
}

/** Method name and parameters. */
function emulated_decode_call(string $body): array {
	$call = @simplexml_load_string($body, SimpleXMLElement::class, LIBXML_NONET);
	if ($call === false || (string)$call->methodName === '') {
		throw new emulated_fault('Unable to parse request XML', 0);
	}
	$parameters = [];
	foreach ($call->params->param ?? [] as $parameter) {
		$parameters[] = emulated_decode_value($parameter->value);
	}
	return [(string)$call->methodName, $parameters];
}

function emulated_decode_value(SimpleXMLElement $value): mixed {
	$typed = $value->children()[0] ?? null;
	if ($typed === null) {
		return (string)$value;
	}
	return match ($typed->getName()) {
		'string', 'dateTime.iso8601' => (string)$typed,
		'int', 'i4' => (int)$typed,
		'double' => (float)$typed,
		'boolean' => trim((string)$typed) === '1',
		'base64' => base64_decode((string)$typed),
		'array' => array_map('emulated_decode_value', iterator_to_array($typed->data->value ?? [], false)),
		'struct' => emulated_decode_struct($typed),
		default => throw new emulated_fault("Unknown value type '{$typed->getName()}'", 0),
	};
}

function emulated_decode_struct(SimpleXMLElement $struct): array {
	$members = [];
	foreach ($struct->member as $member) {
		$members[(string)$member->name] = emulated_decode_value($member->value);
	}
	return $members;
}

function emulated_encode_text(string $text): string {
	return htmlspecialchars($text, ENT_XML1 | ENT_COMPAT | ENT_SUBSTITUTE);
}

function emulated_encode_value(mixed $value): string {
	if (is_array($value)) {
		$members = '';
		foreach ($value as $name => $member) {
			$inner = '<value>' . emulated_encode_value($member) . '</value>';
			$members .= array_is_list($value) ? $inner : '<member><name>' . emulated_encode_text((string)$name) . "</name>{$inner}</member>";
		}
		return array_is_list($value) ? "<array><data>{$members}</data></array>" : "<struct>{$members}</struct>";
	}
	return match (true) {
		is_bool($value) => '<boolean>' . (int)$value . '</boolean>',
		is_int($value) => "<int>{$value}</int>",
		is_float($value) => "<double>{$value}</double>",
		is_string($value) => '<string>' . emulated_encode_text($value) . '</string>',
		default => throw new Exception('Impossible to encode value of type ' . get_debug_type($value)),
	};
}

function emulated_encode_response(mixed $value): string {
	return "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<methodResponse><params><param><value>"
		. emulated_encode_value($value) . "</value></param></params></methodResponse>\n";
}

function emulated_encode_fault(int $code, string $text): string {
	return "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<methodResponse><fault><value>"
		. emulated_encode_value(['faultCode' => $code, 'faultString' => $text]) . "</value></fault></methodResponse>\n";
}
