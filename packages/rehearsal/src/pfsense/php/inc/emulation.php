<?php
// The emulator's own part of the library: which pfSense this is, how slow it is, and a journal of what was done to its services.

const EMULATED_JOURNAL = '/var/log/emulator.jsonl';

/** What the front was told about this router, as an array; see router-plan.ts. */
function emulated_router(): array {
	static $router = null;
	return $router ??= json_decode(getenv('LABWRIGHT_ROUTER') ?: '{}', true);
}

/** Whether this version has something; the names are those of version.ts. */
function emulated_has(string $feature): bool {
	return in_array($feature, emulated_router()['features'] ?? [], true);
}

/** One line of JSON for whoever watches the router: tests and figures count these. */
function emulated_note(string $what, array $details = []): void {
	$line = json_encode(['atMs' => (int)(microtime(true) * 1000), 'what' => $what] + $details, JSON_UNESCAPED_SLASHES);
	file_put_contents(EMULATED_JOURNAL, $line . "\n", FILE_APPEND | LOCK_EX);
}

/** Waits until this much time has passed since then: a part of the work takes as long as on the appliance that is emulated. */
function emulated_last(float $since, string $part): void {
	$leftMs = (emulated_router()['latency'][$part] ?? 0) - (microtime(true) - $since) * 1000;
	if ($leftMs > 0) {
		usleep((int)($leftMs * 1000));
	}
}

/** Addresses that are on an interface now, as `ip` tells: [['addr' => …, 'bits' => …], …]. */
function emulated_addresses(string $device, string $family): array {
	exec('ip -j addr show dev ' . escapeshellarg($device) . ' 2>/dev/null', $output);
	$links = json_decode(implode("\n", $output), true) ?: [];
	$found = [];
	foreach ($links[0]['addr_info'] ?? [] as $entry) {
		if ($entry['family'] === $family && $entry['scope'] !== 'link') {
			$found[] = ['addr' => $entry['local'], 'bits' => $entry['prefixlen']];
		}
	}
	return $found;
}
