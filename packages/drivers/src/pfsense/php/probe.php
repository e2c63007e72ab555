<?php
// Looks whether what the snippets use of pfSense is there, and as they take it. Changes nothing; no value of the
// configuration leaves the router.
//   arguments  functions: list of {name, file, takes, byReference}; programs: list of paths
//   answer     kind probed: functions, paths, programs, backups, resolver, balancer
try {
	$lw_includes = array('unbound.inc', '/usr/local/pkg/haproxy/haproxy.inc');
	foreach ($lw_includes as $lw_file) {
		if ($lw_file[0] !== '/' || is_file($lw_file)) {
			require_once($lw_file);
		}
	}
	$lw_functions = array();
	foreach ($lw_arguments['functions'] as $lw_use) {
		if (!function_exists($lw_use['name'])) {
			$lw_functions[$lw_use['name']] = 'not there';
			continue;
		}
		$lw_function = new ReflectionFunction($lw_use['name']);
		$lw_parameters = $lw_function->getParameters();
		$lw_references = array();
		foreach (array_slice($lw_parameters, 0, $lw_use['takes']) as $lw_parameter) {
			if ($lw_parameter->isPassedByReference()) {
				$lw_references[] = $lw_parameter->getPosition() + 1;
			}
		}
		if ($lw_function->getNumberOfRequiredParameters() > $lw_use['takes']) {
			$lw_functions[$lw_use['name']] = 'needs ' . $lw_function->getNumberOfRequiredParameters() . ' arguments';
		} elseif (count($lw_parameters) < $lw_use['takes']) {
			$lw_functions[$lw_use['name']] = 'takes ' . count($lw_parameters) . ' arguments';
		} elseif ($lw_references !== $lw_use['byReference']) {
			$lw_functions[$lw_use['name']] = 'takes by reference: ' . implode(', ', $lw_references);
		} else {
			$lw_functions[$lw_use['name']] = 'as used';
		}
	}

	$lw_paths = array();
	foreach (array('conf_path', 'cf_conf_path', 'varrun_path', 'xml_rootobj') as $lw_name) {
		$lw_paths[$lw_name] = isset($g[$lw_name]) ? (string) $g[$lw_name] : 'not there';
	}
	$lw_programs = array();
	foreach ($lw_arguments['programs'] as $lw_path) {
		$lw_programs[$lw_path] = is_executable($lw_path) ? 'there' : 'not there';
	}

	$lw_backups = glob("{$g['cf_conf_path']}/backup/config-*.xml");
	$lw_named = 'none';
	if (is_array($lw_backups) && count($lw_backups) > 0) {
		$lw_backup = parse_xml_config(end($lw_backups), $g['xml_rootobj']);
		$lw_time = $lw_get($lw_backup, array('revision', 'time'));
		$lw_named = basename(end($lw_backups)) === "config-{$lw_time}.xml" ? 'named by their revision' : 'named otherwise';
	}
	$lw_status = $lw_resolver('status', array());
	// What is read around a reload.
	$lw_form = '/^Pid: [0-9]+$.*^1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state /ms';
	try {
		$lw_says = $lw_ask_balancer('show info; show servers state');
		$lw_balancer = preg_match($lw_form, $lw_says) === 1 ? 'tells its process and servers' : 'tells servers otherwise';
	} catch (Throwable $lw_error) {
		$lw_balancer = 'none';
	}
	$toreturn = $lw_answer(array(
		'kind' => 'probed',
		'functions' => $lw_functions,
		'paths' => $lw_paths,
		'programs' => $lw_programs,
		'backups' => $lw_named,
		'resolver' => $lw_status['code'] === 0 ? 'answers its control program' : 'code ' . $lw_status['code'],
		'balancer' => $lw_balancer,
	));
} catch (Throwable $lw_error) {
	$toreturn = $lw_answer(array('kind' => 'failed', 'message' => $lw_error->getMessage()));
}
