// The rehearsal's plain gateway and resolver until a router is emulated: Debian's unbound, told the lab's names.

export interface ResolverName {
  readonly name: string;
  readonly address: string;
}

export interface ResolverOptions {
  readonly address: string;
  readonly network: string;
  readonly domain: string;
  readonly names: readonly ResolverName[];
}

/** unbound.conf: authoritative for the lab's domain and for its reverse names, and nothing is asked further up. */
export function formatResolverConfig(options: ResolverOptions): string {
  const records = options.names.flatMap(({ name, address }) => [
    `  local-data: "${name}.${options.domain}. 300 IN A ${address}"`,
    `  local-data-ptr: "${address} 300 ${name}.${options.domain}"`,
  ]);
  return [
    'server:',
    '  do-daemonize: no',
    '  use-syslog: no',
    '  logfile: ""',
    '  verbosity: 1',
    '  chroot: ""',
    '  username: ""',
    '  pidfile: ""',
    '  directory: "/"',
    `  interface: ${options.address}`,
    `  access-control: ${options.network} allow`,
    '  do-ip6: no',
    // No Internet in a rehearsal: a name that is not the lab's does not exist, and says so at once.
    '  local-zone: "." static',
    `  local-zone: "${options.domain}." static`,
    ...records,
    'remote-control:',
    '  control-enable: no',
    '',
  ].join('\n');
}
