<?php
// For tests: as much of pfSense's PHP as the snippets call, over one folder, so that they run as what they are. Every call
// that would reload something goes to the file "calls". A file "slip-at-lock", "slip-at-backup" or "slip-after-write" is
// another page's config.xml: at that moment it takes the place of config.xml, once. A file "writes-left" has the number of
// writes that succeed.
error_reporting(E_ALL);
set_error_handler(function ($number, $message, $file, $line) {
	if (error_reporting() & $number) {
		throw new ErrorException($message, 0, $number, $file, $line);
	}
	return false;
});

$folder = $argv[1];
$profile = json_decode(file_get_contents("{$folder}/profile.json"), true);
$g = array('conf_path' => "{$folder}/conf", 'cf_conf_path' => "{$folder}/conf", 'varrun_path' => "{$folder}/run", 'tmp_path' => "{$folder}/tmp", 'xml_rootobj' => 'pfsense', 'latest_config' => '22.9');

function note_call(string $name): void {
	file_put_contents("{$GLOBALS['folder']}/calls", "{$name}\n", FILE_APPEND);
}

function slip(string $moment): void {
	$file = "{$GLOBALS['folder']}/slip-{$moment}";
	if (is_file($file)) {
		rename($file, "{$GLOBALS['folder']}/conf/config.xml");
	}
}

function is_list_tag(string $tag): bool {
	return in_array($tag, array('hosts', 'item', 'staticmap', 'pool', 'vip', 'domainoverrides', 'config', 'dnsserver', 'user', 'rule'), true);
}

function value_of(SimpleXMLElement $element) {
	if (count($element->children()) === 0) {
		return html_entity_decode(trim((string) $element, "\t\n\r"), ENT_QUOTES);
	}
	$value = array();
	foreach ($element->children() as $tag => $child) {
		$tag = strtolower($tag);
		if (is_list_tag($tag)) {
			$value[$tag][] = value_of($child);
		} else {
			$value[$tag] = value_of($child);
		}
	}
	return $value;
}

function parse_xml_config($file, $rootobj) {
	$root = @simplexml_load_file($file);
	return $root === false ? -1 : value_of($root);
}

function dump_value(string $tag, $value, int $depth): string {
	$indent = str_repeat("\t", $depth);
	if (!is_array($value)) {
		$text = htmlentities($value);
		return "{$indent}<{$tag}>" . (strpos($tag, 'descr') === 0 && $text !== '' ? "<![CDATA[{$text}]]>" : $text) . "</{$tag}>\n";
	}
	if ($value === array()) {
		return "{$indent}<{$tag}></{$tag}>\n";
	}
	return "{$indent}<{$tag}>\n" . dump_values($value, $depth + 1) . "{$indent}</{$tag}>\n";
}

function dump_values(array $values, int $depth): string {
	$text = '';
	foreach ($values as $tag => $value) {
		foreach (is_list_tag($tag) && is_array($value) ? $value : array($value) as $one) {
			$text .= dump_value($tag, $one, $depth);
		}
	}
	return $text;
}

function dump_xml_config($config, $rootobj): string {
	return "<?xml version=\"1.0\"?>\n<{$rootobj}>\n" . dump_values($config, 1) . "</{$rootobj}>\n";
}

function read_config_file(): array {
	return parse_xml_config("{$GLOBALS['g']['conf_path']}/config.xml", 'pfsense');
}

if ($profile['line'] === '2.8') {
	function config_read_file(bool $use_backup = false, bool $use_cache = true): bool {
		$GLOBALS['config'] = read_config_file();
		return true;
	}
} else {
	function parse_config($parse = false): array {
		return read_config_file();
	}
}

function lock($name, $operation = LOCK_SH) {
	slip('at-lock');
	return fopen('php://memory', 'w');
}

function unlock($handle): void {
	fclose($handle);
}

function write_config($description) {
	global $config, $g;
	$left = "{$GLOBALS['folder']}/writes-left";
	if (is_file($left)) {
		$number = (int) file_get_contents($left);
		if ($number === 0) {
			return -1;
		}
		file_put_contents($left, (string) ($number - 1));
	}
	slip('at-backup');
	// What a hand put there may be no number.
	$time = isset($config['revision']['time']) ? (int) $config['revision']['time'] : 0;
	copy("{$g['cf_conf_path']}/config.xml", "{$g['cf_conf_path']}/backup/config-{$time}.xml");
	$config['revision'] = array('time' => (string) ($time + 1), 'description' => "admin: {$description}", 'username' => 'admin');
	file_put_contents("{$g['cf_conf_path']}/config.xml.new", dump_xml_config($config, $g['xml_rootobj']));
	rename("{$g['cf_conf_path']}/config.xml.new", "{$g['cf_conf_path']}/config.xml");
	note_call('write_config');
	$config = read_config_file();
	slip('after-write');
	return $config;
}

function host_firmware_version(): array {
	return array(
		'firmware' => array('version' => $GLOBALS['profile']['version']),
		'platform' => $GLOBALS['profile']['platform'],
		'config_version' => isset($GLOBALS['config']['version']) ? $GLOBALS['config']['version'] : '',
	);
}

foreach (array('system_hosts_generate', 'services_unbound_configure', 'services_dnsmasq_configure', 'services_dhcpd_configure', 'unbound_add_host_entries', 'filter_configure') as $name) {
	eval("function {$name}() { echo 'noise'; note_call('{$name}'); return 0; }");
}

function sigkillbypid($file, $signal): void {
	note_call("sigkillbypid {$signal} " . basename($file));
}

function interface_ipalias_configure(&$vip): void {
	note_call("interface_ipalias_configure {$vip['subnet']}");
}

function interface_vip_bring_down($vip): void {
	note_call("interface_vip_bring_down {$vip['subnet']}");
}

class Server {
	public function exec_php($code) {
		eval($code);
		if ($toreturn) {
			return $toreturn;
		}
		return true;
	}
}

set_include_path("{$folder}/include");
$config = read_config_file();
echo json_encode((new Server())->exec_php(stream_get_contents(STDIN)));
