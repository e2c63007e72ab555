<?php
// config.xml to PHP arrays and back, with pfSense's ways: which tags are lists, what an empty element is, how text is encoded.
//
//   <hosts>…</hosts><hosts>…</hosts>   hosts => [[…], […]]     a list, also of one; an empty one vanishes
//   <enable></enable>                  enable => ""            present, so "on" for whoever asks isset()
//   <descr><![CDATA[a &amp; b]]>       descr => "a & b"        entities inside CDATA too

/** Tags that are lists wherever they stand, by name. */
function listtags() {
	static $tags = null;
	return $tags ??= array_fill_keys(explode(' ', preg_replace('/\s+/', ' ', trim('
		acls alias aliasurl allowedhostname allowedip authserver bridged build_port_path ca cacert cert checkipservice clone
		columnitem config container crl depends_on_package disk dnsserver dnsupdate domainoverrides dyndns earlyshellcmd element
		encryption-algorithm-option field fieldname gateway_group gateway_item gif gre group hash-algorithm-option hosts
		ifgroupentry igmpentry interface_array item key l7rules lagg laggroup lbaction lbpool lbprotocol member menu mobilegroup
		mobilekey monitor_type mount npt ntpserver onetoone openvpn-client openvpn-csc openvpn-server option package pages
		passthrumac phase1 phase2 pipe pool ppp pppoe priv proxyarpnet qinqentry queue radnsserver roll route row rrddatafile
		rule schedule servernat servers serversdisabled service shellcmd sshkeyfile staticmap subqueue switch swport tab
		timerange tunnel user vip virtual_server vlan vlangroup voucherdbfile vxlan wgpeer widget winsserver wolentry
		xmldatafile
	'))), true);
}

/** Tags whose text is written as CDATA, by the beginning of their names. */
function is_cdata_entity($tag) {
	static $beginnings = [
		'aclname', 'auth_pass', 'auth_prompt', 'auth_user', 'certca', 'certname', 'city', 'common_name', 'descr', 'detail',
		'email', 'encryption_password', 'hint', 'ldap_attr', 'ldap_authcn', 'ldap_basedn', 'ldap_basedomain', 'ldap_bind',
		'ldap_extended_query', 'ldap_filter', 'ldap_pam_groupdn', 'ldap_pass', 'ldap_user', 'ldapbinddn', 'ldapbindpass',
		'login_banner', 'organization', 'password', 'proxypass', 'proxyuser', 'rangedescr', 'state', 'text', 'username',
		'varuserspassword', 'varusersusername',
	];
	foreach ($beginnings as $beginning) {
		if (str_starts_with((string)$tag, $beginning)) {
			return true;
		}
	}
	return false;
}

/** The elements that are open while a file is read, innermost last. */
final class emulated_config_reader {
	/** @var list<array{name: string, isList: bool, children: ?array, text: ?string}> */
	private array $open = [['name' => '', 'isList' => false, 'children' => null, 'text' => null]];

	public function begin($parser, string $tag): void {
		$name = strtolower($tag);
		$isList = isset(listtags()[$name]);
		$outer = &$this->open[array_key_last($this->open)];
		if (!$isList && isset($outer['children'][$name])) {
			$line = xml_get_current_line_number($parser);
			throw new Exception("XML error: {$tag} at line {$line} cannot occur more than once");
		}
		$outer['children'] ??= [];
		$this->open[] = ['name' => $name, 'isList' => $isList, 'children' => null, 'text' => null];
	}

	/** Pieces as the parser cuts them, at entities: a line end beside one is lost, as in real life. */
	public function text($parser, string $piece): void {
		$piece = trim($piece, "\t\n\r");
		$element = &$this->open[array_key_last($this->open)];
		if ($piece === '' || ($element['text'] === null && trim($piece, ' ') === '')) {
			return;
		}
		$element['text'] = ($element['text'] ?? '') . html_entity_decode($piece, ENT_QUOTES | ENT_SUBSTITUTE | ENT_XML1);
	}

	public function end($parser, string $tag): void {
		$element = array_pop($this->open);
		$value = $element['children'] ?? $element['text'] ?? '';
		$outer = &$this->open[array_key_last($this->open)];
		if (!$element['isList']) {
			$outer['children'][$element['name']] = $value;
			return;
		}
		$outer['children'][$element['name']] ??= [];
		if ($value !== '') {
			$outer['children'][$element['name']][] = $value;
		}
	}

	public function result(): array {
		return $this->open[0]['children'] ?? [];
	}
}

/** The array under the root element (one of several names), or -1 when the file is no such configuration. */
function parse_xml_config($file, $roots, $isstring = 'false') {
	$text = @file_get_contents($file);
	if ($text === false) {
		log_error('Could not open XML input');
		return -1;
	}
	$reader = new emulated_config_reader();
	$parser = xml_parser_create();
	xml_set_element_handler($parser, [$reader, 'begin'], [$reader, 'end']);
	xml_set_character_data_handler($parser, [$reader, 'text']);
	xml_parser_set_option($parser, XML_OPTION_SKIP_WHITE, 1);
	try {
		$isWhole = xml_parse($parser, $text, true) === 1;
		$problem = $isWhole ? '' : xml_error_string(xml_get_error_code($parser));
	} catch (Exception $failure) {
		$isWhole = false;
		$problem = $failure->getMessage();
	}
	if (!$isWhole) {
		log_error("XML error: {$problem} at line " . xml_get_current_line_number($parser) . " in {$file}");
		return -1;
	}
	foreach ((array)$roots as $root) {
		if (!empty($reader->result()[$root])) {
			return $reader->result()[$root];
		}
	}
	log_error('XML error: no ' . implode(' or ', (array)$roots) . ' object found!');
	return -1;
}

function dump_xml_config($tree, $root) {
	return "<?xml version=\"1.0\"?>\n<{$root}>\n" . emulated_xml_children($tree, 1) . "</{$root}>\n";
}

function emulated_xml_children(array $tree, int $depth): string {
	$text = '';
	foreach ($tree as $tag => $value) {
		$isList = is_array($value) && isset(listtags()[strtolower((string)$tag)]);
		foreach ($isList ? $value : [$value] as $element) {
			$text .= emulated_xml_element((string)$tag, $element, $depth);
		}
	}
	return $text;
}

function emulated_xml_element(string $tag, mixed $value, int $depth): string {
	if ($value === false) {
		return '';
	}
	$indent = str_repeat("\t", $depth);
	if (is_array($value) && $value !== []) {
		return "{$indent}<{$tag}>\n" . emulated_xml_children($value, $depth + 1) . "{$indent}</{$tag}>\n";
	}
	if ($value === true || $value === '' || $value === []) {
		return "{$indent}<{$tag}></{$tag}>\n";
	}
	$encoded = htmlentities((string)$value, ENT_QUOTES | ENT_SUBSTITUTE | ENT_XML1);
	return $indent . "<{$tag}>" . (is_cdata_entity($tag) ? "<![CDATA[{$encoded}]]>" : $encoded) . "</{$tag}>\n";
}
