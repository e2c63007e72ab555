// Front ends and back ends as pfSense's HAProxy package keeps them.
//
//   a front end is an <item> of <ha_backends>, a back end an <item> of <ha_pools>: the package's names are older than its page.
import type { Cidr } from '@labwright/core/addresses/ipv4';
import { invariant } from '@labwright/core/errors/error';
import { type ConfigMap, textAt } from '../config/config-value.ts';
import { type Mark, formatMark, formatMarkComment } from '../config/mark.ts';
import { places } from '../config/place.ts';
import type { OwnedEntry } from '../edits/plan-edits.ts';

export interface BackEnd {
  readonly name: string;
  readonly servers: readonly BackEndServer[];
  readonly check: HealthCheck;
  readonly balance?: 'roundrobin' | 'leastconn' | 'source';
  /** How long an idle connection is kept; a database client is idle for longer than a browser. */
  readonly idleTimeoutMs?: number;
  /** 'usual' unless given. */
  readonly keepAlive?: KeepAlive;
  /** A refused connection takes a server out at once, and one good check takes it in again. */
  readonly isAlert?: boolean;
}

/**
 * What notices that the other side of an idle connection is gone. 'usual': the router's own two hours; 'quick': some ten
 * seconds, for HAProxy 2.4 and later.
 */
export type KeepAlive = 'usual' | 'quick';

export interface BackEndServer {
  readonly name: string;
  readonly address: string;
  /** The port that the client asked for when absent. */
  readonly port?: number;
  readonly weight?: number;
  /** Used when no other answers. */
  readonly isBackup?: boolean;
  /** Known and not used, until the running HAProxy is told that it is ready. */
  readonly isOff?: boolean;
}

export type HealthCheck =
  | { readonly kind: 'none' }
  /** A connection is opened. */
  | { readonly kind: 'tcp'; readonly intervalMs: number }
  | {
      readonly kind: 'http';
      readonly intervalMs: number;
      readonly method: 'GET' | 'HEAD' | 'OPTIONS';
      readonly path: string;
      /** Asked over TLS, whoever's certificate it is. */
      readonly isTls?: boolean;
      /** How long an answer may take; as long as an idle connection is kept when absent. */
      readonly timeoutMs?: number;
    };

export interface FrontEnd {
  readonly name: string;
  readonly address: FrontEndAddress;
  readonly port: number;
  readonly routing: Routing;
  /** Networks that may connect; everybody when absent. */
  readonly sources?: readonly Cidr[];
  readonly idleTimeoutMs?: number;
  readonly keepAlive?: KeepAlive;
  /**
   * What a client gets while no server answers; only with 'tcp'. 'refusal': at once. 'patience': half a second later, in which a
   * server may have come that it is then led to.
   */
  readonly whenDown?: 'refusal' | 'patience';
}

export type FrontEndAddress =
  | { readonly kind: 'every-ipv4' }
  | { readonly kind: 'every-ipv6' }
  | { readonly kind: 'one'; readonly address: string };

export type Routing =
  | { readonly kind: 'tcp'; readonly backEnd: string }
  | { readonly kind: 'http'; readonly routes: readonly HttpRoute[]; readonly otherwise?: string }
  /** TLS goes through unopened; its server name decides. */
  | { readonly kind: 'server-name'; readonly routes: readonly NameRoute[]; readonly otherwise?: string };

export interface HttpRoute {
  /** Every host when absent; "*.web.svc" is any one label before it. */
  readonly host?: string;
  readonly path: { readonly kind: 'exact' | 'prefix'; readonly value: string };
  readonly backEnd: string;
  /** Only for clients of these networks; for others the next route counts. */
  readonly sources?: readonly Cidr[];
}

export interface NameRoute {
  readonly serverName: string;
  readonly backEnd: string;
}

const base64 = (lines: readonly string[]): string => Buffer.from(lines.join('\n'), 'utf8').toString('base64');

/**
 * Without an id: the package writes one only when it is a number, and HAProxy counts by itself, so none of ours can meet
 * one of a person's. A connection that finds no server within 1 s tries another one.
 */
export function backEndEntry(mark: Mark, backEnd: BackEnd): OwnedEntry {
  checkName(backEnd.name);
  const { check, idleTimeoutMs = 30_000, balance = 'roundrobin' } = backEnd;
  const lines = [
    'option redispatch 1',
    // A client keeps its server when another one comes or goes.
    ...(balance === 'source' ? ['hash-type consistent'] : []),
    ...(check.kind === 'http' && check.timeoutMs !== undefined ? [`timeout check ${check.timeoutMs}`] : []),
    ...keepAliveLines('srv', backEnd.keepAlive),
  ];
  const value: ConfigMap = {
    name: backEnd.name,
    balance,
    ...checkFields(check),
    connection_timeout: '1000',
    server_timeout: String(idleTimeoutMs),
    retries: '3',
    advanced_backend: base64([formatMarkComment(mark), ...lines]),
    ...(backEnd.isAlert === true ? { advanced: base64([alertWords]) } : {}),
    ha_servers:
      backEnd.servers.length === 0 ? '' : { item: backEnd.servers.map((server) => serverItem(server, check)) },
  };
  return { place: places.backEnds, mark, value };
}

/** Of every server. One check that fails is no death yet, but a client that was refused is. */
const alertWords = 'fastinter 500 downinter 1000 rise 1 fall 2 observe layer4 error-limit 1 on-error mark-down';

function keepAliveLines(side: 'cli' | 'srv', keepAlive: KeepAlive | undefined): readonly string[] {
  if (keepAlive === undefined) return [];
  const times = keepAlive === 'quick' ? ['idle 5s', 'intvl 2s', 'cnt 3'] : [];
  return [`option ${side}tcpka`, ...times.map((time) => `${side}tcpka-${time}`)];
}

function checkFields(check: HealthCheck): ConfigMap {
  switch (check.kind) {
    case 'none':
      return { check_type: 'none' };
    case 'tcp':
      return { check_type: 'Basic', checkinter: String(check.intervalMs) };
    case 'http':
      checkPath(check.path);
      return {
        check_type: 'HTTP',
        checkinter: String(check.intervalMs),
        httpcheck_method: check.method,
        monitor_uri: check.path,
      };
  }
}

function serverItem(server: BackEndServer, check: HealthCheck): ConfigMap {
  checkName(server.name);
  return {
    status: server.isOff === true ? 'disabled' : server.isBackup === true ? 'backup' : 'active',
    name: server.name,
    address: server.address,
    port: server.port === undefined ? '' : String(server.port),
    ...(check.kind === 'http' && check.isTls === true ? { checkssl: 'yes' } : {}),
    ...(server.weight === undefined ? {} : { weight: String(server.weight) }),
  };
}

export function frontEndEntry(mark: Mark, frontEnd: FrontEnd): OwnedEntry {
  checkName(frontEnd.name);
  const { routing, sources, idleTimeoutMs = 30_000 } = frontEnd;
  const backEnd = routing.kind === 'tcp' ? routing.backEnd : routing.otherwise;
  // The order of conditions and of what follows from them is their meaning: the longest path is asked for first.
  const rules =
    routing.kind === 'http'
      ? routing.routes.toSorted(bySharpness).map(httpRule)
      : routing.kind === 'server-name'
        ? routing.routes.map(nameRule)
        : [];
  const conditions = rules.flatMap((rule) => rule.conditions);
  const refusal = [
    ...(sources === undefined ? [] : [refuseOthers(sources)]),
    ...(routing.kind === 'tcp' ? downLines(frontEnd.whenDown, writtenName(routing.backEnd)) : []),
    ...keepAliveLines('cli', frontEnd.keepAlive),
  ];
  const value: ConfigMap = {
    name: frontEnd.name,
    descr: formatMark(mark),
    status: 'active',
    type: { tcp: 'tcp', http: 'http', 'server-name': 'https' }[routing.kind],
    a_extaddr: { item: [bindItem(frontEnd.address, frontEnd.port)] },
    client_timeout: String(idleTimeoutMs),
    ...(backEnd === undefined ? {} : { backend_serverpool: backEnd }),
    ...(routing.kind === 'http' ? { forwardfor: 'yes' } : {}),
    ...(conditions.length === 0 ? {} : { ha_acls: { item: conditions } }),
    ...(rules.length === 0 ? {} : { a_actionitems: { item: rules.map(({ action }) => action) } }),
    ...(refusal.length === 0 ? {} : { advanced: base64(refusal) }),
  };
  return { place: places.frontEnds, mark, value };
}

/** How long a connection waits for a server where there is none; who looks whether a front end answers waits longer. */
export const patienceMs = 500;

function downLines(whenDown: FrontEnd['whenDown'], pool: string): readonly string[] {
  switch (whenDown) {
    case undefined:
      return [];
    case 'refusal':
      return [`tcp-request connection reject if { nbsrv(${pool}) eq 0 }`];
    case 'patience':
      return [
        `tcp-request inspect-delay ${patienceMs}ms`,
        `tcp-request content accept if { nbsrv(${pool}) gt 0 }`,
        'tcp-request content reject if WAIT_END',
      ];
  }
}

function refuseOthers(sources: readonly Cidr[]): string {
  const others = sources.length === 0 ? '' : ` unless { src ${sources.join(' ')} }`;
  return `tcp-request connection reject${others}`;
}

/** The package writes a back end under its name and the families it serves; ours serve both. */
export function writtenName(backEnd: string): string {
  return `${backEnd}_ipvANY`;
}

function bindItem(address: FrontEndAddress, port: number): ConfigMap {
  const at =
    address.kind === 'one'
      ? { extaddr: 'custom', extaddr_custom: address.address }
      : { extaddr: address.kind === 'every-ipv4' ? 'any_ipv4' : 'any_ipv6' };
  return { ...at, extaddr_port: String(port) };
}

interface Rule {
  readonly conditions: readonly ConfigMap[];
  readonly action: ConfigMap;
}

/** Exact before prefix, long before short, a named host before a wildcard and that before every host. */
function bySharpness(one: HttpRoute, other: HttpRoute): number {
  const rank = ({ host }: HttpRoute): number => (host === undefined ? 0 : host.startsWith('*.') ? 1 : 2);
  const hosts = rank(other) - rank(one);
  const kinds = Number(other.path.kind === 'exact') - Number(one.path.kind === 'exact');
  return hosts || kinds || other.path.value.length - one.path.value.length;
}

/**
 * Conditions of one name are alternatives, names in one action must all hold: that is how HAProxy reads them. A prefix ends
 * at a slash (/shop and /shop/cart, not /shopping), as Ingress wants it.
 */
function httpRule(route: HttpRoute, index: number): Rule {
  const { host, path, backEnd, sources } = route;
  checkPath(path.value);
  const condition = (kind: 'host' | 'path' | 'net', expression: string, value: string): ConfigMap => ({
    name: `${kind}${index}`,
    expression,
    value,
    ...(kind === 'path' ? { casesensitive: 'yes' } : {}),
  });
  const trimmed = path.value.replace(/\/+$/, '');
  const paths =
    path.kind === 'exact'
      ? [condition('path', 'path_matches', path.value)]
      : trimmed === ''
        ? []
        : [condition('path', 'path_matches', trimmed), condition('path', 'path_starts_with', `${trimmed}/`)];
  const hosts = host === undefined ? [] : [hostCondition(host, condition)];
  // An address that no client has: a condition needs a value.
  const nobody = '255.255.255.255';
  const nets =
    sources === undefined ? [] : [condition('net', 'source_ip', sources.length === 0 ? nobody : sources.join(' '))];
  const conditions = [...hosts, ...paths, ...nets];
  return { conditions, action: useBackEnd(conditions, backEnd) };
}

function hostCondition(
  host: string,
  condition: (kind: 'host', expression: string, value: string) => ConfigMap,
): ConfigMap {
  const isWildcard = host.startsWith('*.');
  const name = isWildcard ? host.slice(2) : host;
  invariant(/^[a-z0-9-]+(\.[a-z0-9-]+)*$/.test(name), `"${host}" is a host that HAProxy takes`);
  if (!isWildcard) return condition('host', 'host_matches', name);
  return condition('host', 'host_regex', `^[^.]+[.]${name.replaceAll('.', '[.]')}$`);
}

function nameRule({ serverName, backEnd }: NameRoute, index: number): Rule {
  const conditions = [{ name: `name${index}`, expression: 'ssl_sni_matches', value: serverName }];
  return { conditions, action: useBackEnd(conditions, backEnd) };
}

function useBackEnd(conditions: readonly ConfigMap[], backEnd: string): ConfigMap {
  const names = new Set(conditions.map((condition) => textAt(condition, 'name')));
  return { action: 'use_backend', use_backendbackend: backEnd, acl: [...names].join(' ') };
}

/** What would end a word or a line of HAProxy's configuration is refused before it gets there. */
function checkName(name: string): void {
  invariant(/^[A-Za-z0-9._-]{1,100}$/.test(name), `"${name}" is a name that HAProxy takes`);
}

function checkPath(path: string): void {
  invariant(isBalancerPath(path), `"${path}" is a path that HAProxy takes`);
}

export function isBalancerPath(path: string): boolean {
  return /^\/[A-Za-z0-9._~!$&()*+,;=:@%/-]*$/.test(path);
}
