// What the snippets use of pfSense's own PHP: each function with the number of arguments it is given. Held against the snippets by a test.

export interface FunctionUse {
  readonly name: string;
  /** The most arguments it is given. */
  readonly takes: number;
  /** Positions, from 1, of those it changes. */
  readonly byReference: readonly number[];
}

const use = (name: string, takes: number, byReference: readonly number[] = []): FunctionUse => ({
  name,
  takes,
  byReference,
});

export const pfsenseFunctions: readonly FunctionUse[] = [
  use('dump_xml_config', 2),
  use('filter_configure', 0),
  use('haproxy_check_and_run', 2, [1]),
  use('host_firmware_version', 0),
  use('interface_ipalias_configure', 1, [1]),
  use('interface_vip_bring_down', 1),
  use('lock', 2),
  use('parse_xml_config', 2),
  use('services_dhcpd_configure', 0),
  use('services_dnsmasq_configure', 1),
  use('services_unbound_configure', 1),
  use('sigkillbypid', 2),
  use('system_hosts_generate', 0),
  use('unbound_add_host_entries', 0),
  use('unlock', 1),
  use('write_config', 1),
];

/** One of the two is there, by version: parse_config to 2.7.2, config_read_file from 2.8. */
export const configReaders: readonly FunctionUse[] = [use('config_read_file', 2), use('parse_config', 1)];

export const pfsensePrograms = ['/usr/bin/su', '/usr/local/sbin/unbound-control'] as const;
