// The rehearsal's load balancer for the Kubernetes API until a router is emulated: Debian's HAProxy (2.6) on the gateway, with
// the address of the cluster's endpoint.

export interface BalancerServer {
  readonly name: string;
  readonly address: string;
}

export interface BalancerOptions {
  /** The endpoint of the cluster, and the port its API has there and on each control plane. */
  readonly address: string;
  readonly port: number;
  /** The endpoint's name with its domain: what health checks ask for. */
  readonly serverName: string;
  /** Every machine that is a control plane or may become one. */
  readonly controlPlanes: readonly BalancerServer[];
}

const poolName = 'control-planes';

/**
 * haproxy.cfg. A control plane takes part while its /readyz answers 200, asked each second; a slow answer is no death. While none does, a connection is
 * reset at once: what waits for the API must not hang. Connections that are open are left to TCP, so that an API which is
 * slow to answer a check for a moment does not lose its watches; a peer that is gone is noticed within some ten seconds.
 */
export function formatBalancerConfig(options: BalancerOptions): string {
  const { address, port, serverName, controlPlanes } = options;
  return [
    'global',
    '  log stdout format raw local0 notice',
    '  maxconn 2000',
    '  nbthread 1',
    'defaults',
    '  mode tcp',
    '  log global',
    '  option dontlognull',
    '  option clitcpka',
    '  option srvtcpka',
    '  clitcpka-idle 5s',
    '  clitcpka-intvl 2s',
    '  clitcpka-cnt 3',
    '  srvtcpka-idle 5s',
    '  srvtcpka-intvl 2s',
    '  srvtcpka-cnt 3',
    // A try at one that is down goes on with another; the first refusal takes it out of the round.
    '  option redispatch 1',
    '  retries 3',
    '  timeout connect 2s',
    '  timeout queue 5s',
    // Watches and `kubectl logs -f` may be silent for hours.
    '  timeout client 24h',
    '  timeout server 24h',
    '  timeout client-fin 10s',
    '  timeout server-fin 10s',
    // Control planes without KVM take many seconds to answer while a neighbour boots.
    '  timeout check 15s',
    'frontend api',
    `  bind ${address}:${port}`,
    `  tcp-request connection reject if { nbsrv(${poolName}) eq 0 }`,
    `  default_backend ${poolName}`,
    `backend ${poolName}`,
    '  balance roundrobin',
    '  option httpchk',
    `  http-check send meth GET uri /readyz ver HTTP/1.1 hdr Host ${serverName}`,
    '  http-check expect status 200',
    `  default-server check check-ssl verify none check-sni ${serverName} inter 1s fastinter 500ms downinter 1s rise 1 fall 2 observe layer4 error-limit 1 on-error mark-down tcp-ut 10s`,
    ...controlPlanes.map((server) => `  server ${server.name} ${server.address}:${port}`),
    '',
  ].join('\n');
}
