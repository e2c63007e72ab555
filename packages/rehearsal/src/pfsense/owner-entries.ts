// What an owner made on the router's pages for the cluster's API before anybody managed it: a virtual address and, in HAProxy, a front
// end and a back end over every control plane there may be. It balances as the plain gateway's (gateway/balancer.ts) does.
import { createHash } from 'node:crypto';
import type { OwnerBalancer } from './router-plan.ts';

type Item = Readonly<Record<string, unknown>>;

/** Of the back end; HAProxy's own name for it, which the package makes, is this and "_ipvANY". */
const poolName = 'control-planes';
const dayMs = 24 * 3600 * 1000;

export function describeVirtualIps(wanted: readonly { readonly address: string; readonly descr: string }[]): Item[] {
  return wanted.map(({ address, descr }) => ({
    mode: 'ipalias',
    interface: 'lan',
    // pfSense makes 13 hexadecimal digits of the time.
    uniqid: createHash('sha256').update(address).digest('hex').slice(0, 13),
    descr,
    type: 'single',
    subnet_bits: '32',
    subnet: address,
  }));
}

/** Items of <ha_backends>, which are front ends, and of <ha_pools>, which are back ends. */
export function describeOwnerBalancer(balancer: OwnerBalancer): {
  readonly frontEnds: readonly Item[];
  readonly backEnds: readonly Item[];
} {
  const { address, port, serverName, controlPlanes } = balancer;
  const frontEnd = {
    name: 'kubernetes',
    descr: 'API of the cluster',
    status: 'active',
    type: 'tcp',
    backend_serverpool: poolName,
    a_extaddr: { item: [{ extaddr: 'custom', extaddr_custom: address, extaddr_port: String(port) }] },
    // Watches and `kubectl logs -f` may be silent for hours.
    client_timeout: String(dayMs),
    advanced: base64([
      'option clitcpka',
      ...['clitcpka-idle 5s', 'clitcpka-intvl 2s', 'clitcpka-cnt 3'],
      'timeout client-fin 10s',
      `tcp-request connection reject if { nbsrv(${poolName}_ipvANY) eq 0 }`,
    ]),
  };
  const backEnd = {
    name: poolName,
    id: '100',
    balance: 'roundrobin',
    check_type: 'HTTP',
    checkinter: '1000',
    httpcheck_method: 'GET',
    monitor_uri: '/readyz',
    monitor_httpversion: 'HTTP/1.1',
    connection_timeout: '2000',
    server_timeout: String(dayMs),
    retries: '3',
    // A line that each server gets.
    advanced: base64([
      `check-sni ${serverName} fastinter 500ms downinter 1s rise 1 fall 2 observe layer4 error-limit 1 on-error mark-down tcp-ut 10s`,
    ]),
    advanced_backend: base64([
      'option redispatch 1',
      'option srvtcpka',
      ...['srvtcpka-idle 5s', 'srvtcpka-intvl 2s', 'srvtcpka-cnt 3'],
      ...['timeout queue 5s', 'timeout server-fin 10s', 'timeout check 15s'],
      `http-check send hdr Host ${serverName}`,
      'http-check expect status 200',
    ]),
    ha_servers: {
      item: controlPlanes.map((server) => ({
        name: server.name,
        status: 'active',
        address: server.address,
        port: String(port),
        checkssl: 'yes',
      })),
    },
  };
  return { frontEnds: [frontEnd], backEnds: [backEnd] };
}

const base64 = (lines: readonly string[]): string => Buffer.from(lines.join('\n'), 'utf8').toString('base64');
