// What is exposed as it stands on the router: names, addresses, and balancers with their back ends. Pure.
import type { Ipv4 } from '@labwright/core/addresses/ipv4';
import { asLabwrightError, LabwrightError } from '@labwright/core/errors/error';
import { type BalancerStanding, balancerSwitch } from '@labwright/drivers/pfsense/balancer-standing';
import type { Mark, Owner } from '@labwright/drivers/pfsense/config/mark';
import type { OwnedEntry } from '@labwright/drivers/pfsense/edits/plan-edits';
import {
  backEndEntry,
  frontEndEntry,
  isBalancerPath,
  type BackEnd,
  type HttpRoute,
} from '@labwright/drivers/pfsense/entries/balancer-entry';
import { hostEntries } from '@labwright/drivers/pfsense/entries/name-entry';
import { virtualIpEntry } from '@labwright/drivers/pfsense/entries/virtual-ip-entry';
import { interfaceFor, type RouterSetup } from '@labwright/drivers/pfsense/router-setup';
import type {
  BalancedRoute,
  Balancer,
  EndProblem,
  HttpBalancer,
  NameRecord,
  NetworkState,
  ServiceAddress,
  TcpBalancer,
} from '../controller/network-end.ts';
import { compareText } from '../exposures/eligible-nodes.ts';
import type { Backend, ExposureKey } from '../exposures/exposure.ts';
import { balancerName, digestOf, exposedMark } from './entry-names.ts';

/** Which of them are the router's: what it does not manage, somebody else does. */
export interface ExposureParts {
  readonly names: boolean;
  /** 'idle': the router's, and its HAProxy is not there or switched off. */
  readonly balancers: boolean | 'idle';
}

export interface ExposureEntries {
  readonly entries: readonly OwnedEntry[];
  /** Whose each entry is, by the key of its mark. */
  readonly subjects: ReadonlyMap<string, Subject>;
  /** What the router cannot hold at all. */
  readonly problems: readonly EndProblem[];
}

export interface Subject {
  readonly owners: readonly ExposureKey[];
  /** "web.svc", "10.1.3.100:80". */
  readonly subject: string;
}

interface Made extends Subject {
  readonly mark: Mark;
  readonly make: () => readonly OwnedEntry[];
}

export function exposureEntries(
  owner: Owner,
  state: NetworkState,
  setup: RouterSetup,
  parts: ExposureParts,
): ExposureEntries {
  const balances = parts.balancers === true;
  const made = [
    ...(parts.names ? state.names.map((name) => nameEntries(owner, name, setup)) : []),
    ...(balances ? state.addresses.map((address) => addressEntries(owner, address, setup)) : []),
    ...(balances ? state.balancers.map((balancer) => balancerEntries(owner, balancer)) : []),
  ];
  const entries: OwnedEntry[] = [];
  const subjects = new Map<string, Subject>();
  const problems: EndProblem[] = [
    ...(balances ? state.balancers.flatMap(routeProblems) : []),
    ...(parts.balancers === 'idle' ? state.addresses.flatMap((address) => idleProblems(address, setup.balancer)) : []),
  ];
  for (const { mark, owners, subject, make } of made) {
    try {
      const own = make();
      entries.push(...own);
      for (const { mark: of } of [{ mark }, ...own]) subjects.set(of.key, { owners, subject });
    } catch (thrown) {
      const error = asLabwrightError(thrown);
      if (error.kind === 'bug') throw thrown;
      const why = error.why === undefined ? error.message : `${error.message}: ${error.why}`;
      problems.push(...owners.map((each) => ({ owner: each, subject, why, fix: error.fix[0] ?? 'choose another' })));
    }
  }
  return { entries, subjects, problems };
}

function nameEntries(owner: Owner, { name, addresses, owners }: NameRecord, setup: RouterSetup): Made {
  const mark = exposedMark(owner, name);
  return { mark, owners, subject: name, make: () => hostEntries(mark, { name, addresses }, setup.nameServer) };
}

function addressEntries(owner: Owner, { address, owners }: ServiceAddress, setup: RouterSetup): Made {
  const mark = exposedMark(owner, address);
  const make = (): readonly OwnedEntry[] => {
    const at = interfaceFor(setup, address);
    if (at !== undefined) return [virtualIpEntry(mark, at.name, address)];
    throw new LabwrightError('LW8009', {
      what: `the address ${address} is in no network of the router`,
      fix: ['correct services of the network in the lab file'],
    });
  };
  return { mark, owners, subject: address, make };
}

function balancerEntries(owner: Owner, balancer: Balancer): Made {
  const place = `${balancer.address}:${balancer.port}`;
  const mark = exposedMark(owner, `${balancer.address}.${balancer.port}`);
  const owners = balancer.kind === 'tcp' ? [balancer.owner] : [...new Set(balancer.routes.map((each) => each.owner))];
  const make = () => (balancer.kind === 'tcp' ? tcpEntries(owner, mark, balancer) : httpEntries(owner, mark, balancer));
  return { mark, owners, subject: place, make };
}

/** Of a database, a terminal, a broker: idle for as long as they like. */
const tcpIdleMs = 24 * 60 * 60 * 1000;
/** Of a page that stays open and is told of news over its connection. */
const httpIdleMs = 60 * 60 * 1000;

/** The back end has the same name: HAProxy keeps the two apart. */
export function tcpBackEndName(owner: Owner, { address, port }: Pick<TcpBalancer, 'address' | 'port'>): string {
  return balancerName(owner, `${address}-${port}`);
}

function tcpEntries(owner: Owner, mark: Mark, balancer: TcpBalancer): readonly OwnedEntry[] {
  const { address, port, sourceRanges, affinity } = balancer;
  const name = tcpBackEndName(owner, balancer);
  return [
    backEndEntry(mark, {
      ...balancedBackEnd(name, balancer, tcpIdleMs),
      ...(affinity === 'client' ? { balance: 'source' as const } : {}),
    }),
    frontEndEntry(mark, {
      name,
      address: { kind: 'one', address },
      port,
      routing: { kind: 'tcp', backEnd: name },
      ...(sourceRanges === undefined ? {} : { sources: sourceRanges }),
      idleTimeoutMs: tcpIdleMs,
      whenDown: 'patience',
      keepAlive: 'usual',
    }),
  ];
}

/**
 * A node that refuses or is silent is out within two seconds; who met it meanwhile is sent on to another one. The others are
 * there too, switched off: HAProxy is told at once that one of them serves, without a write.
 */
function balancedBackEnd(
  name: string,
  { backends, standby }: { readonly backends: readonly Backend[]; readonly standby: readonly Backend[] },
  idleTimeoutMs: number,
): BackEnd {
  const servers = [
    ...backends.map(({ node, address, port }) => ({ name: node, address, port })),
    ...standby.map(({ node, address, port }) => ({ name: node, address, port, isOff: true })),
  ];
  return {
    name,
    // A server keeps its place whether it serves or not, and with it the clients that its place gives it.
    servers: servers.toSorted((one, other) => compareText(one.name, other.name)),
    check: { kind: 'tcp', intervalMs: 1_000 },
    idleTimeoutMs,
    isAlert: true,
    keepAlive: 'usual',
  };
}

/** One back end for each place that routes lead to. */
export function httpBackEndName(
  owner: Owner,
  place: { readonly address: Ipv4; readonly port: number },
  route: Pick<BalancedRoute, 'target'>,
): string {
  const digest = digestOf(`${place.address}:${place.port} ${route.target}`, 6);
  return balancerName(owner, `${route.target.replaceAll(/[/:]/g, '-')}-${digest}`);
}

function idleProblems({ address, owners }: ServiceAddress, standing: BalancerStanding): readonly EndProblem[] {
  const isOff = standing === 'off';
  const why = isOff ? 'HAProxy is switched off on the router' : 'the router has no HAProxy';
  const fix = isOff ? `on the router: ${balancerSwitch}` : 'install the package haproxy on the router';
  return owners.map((owner) => ({ owner, subject: address, why, fix }));
}

/** The cluster's API lets paths through that would end a word of HAProxy's configuration. */
function routeProblems(balancer: Balancer): readonly EndProblem[] {
  if (balancer.kind === 'tcp') return [];
  return balancer.routes
    .filter(({ path }) => !isBalancerPath(path))
    .map(({ owner, host, path }) => ({
      owner,
      subject: `${host}${path}`.slice(0, 80),
      why: `the router cannot route the path "${path.slice(0, 80)}"`,
      fix: 'write its special characters as %20 and the like',
    }));
}

function httpEntries(owner: Owner, mark: Mark, balancer: HttpBalancer): readonly OwnedEntry[] {
  const { address, port } = balancer;
  const routes = balancer.routes.filter(({ path }) => isBalancerPath(path));
  const markOf = (what: string): Mark => ({ ...mark, key: `${mark.key}.${what}` });
  const targets = new Map(routes.map((route) => [httpBackEndName(owner, balancer, route), route]));
  // Who may not have a path gets an error there, and not what a shorter path leads to.
  const nobody = balancerName(owner, `${address}-${port}-nobody`);
  const isLimited = routes.some(({ sourceRanges }) => sourceRanges !== undefined);
  return [
    ...[...targets].map(([name, route]) =>
      backEndEntry(markOf(digestOf(name, 12)), balancedBackEnd(name, route, httpIdleMs)),
    ),
    ...(isLimited ? [backEndEntry(markOf('nobody'), { name: nobody, servers: [], check: { kind: 'none' } })] : []),
    frontEndEntry(mark, {
      name: balancerName(owner, `${address}-${port}`),
      address: { kind: 'one', address },
      port,
      routing: {
        kind: 'http',
        routes: routes.flatMap((route): readonly HttpRoute[] => {
          const place = {
            ...(route.host === '' ? {} : { host: route.host }),
            path: { kind: route.match, value: route.path },
          };
          const led = { ...place, backEnd: httpBackEndName(owner, balancer, route) };
          if (route.sourceRanges === undefined) return [led];
          return [
            { ...led, sources: route.sourceRanges },
            { ...place, backEnd: nobody },
          ];
        }),
      },
      idleTimeoutMs: httpIdleMs,
      keepAlive: 'usual',
    }),
  ];
}
