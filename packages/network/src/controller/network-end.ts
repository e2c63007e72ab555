// Where names, addresses and balancers of the lab are put: a router, a name server. An end is told the whole of what should be,
// never a change: what it holds of ours and is not in it goes, so nothing is lost by a missed call or a restart.
import { type Cidr, type Ipv4, parseIpv4 } from '@labwright/core/addresses/ipv4';
import { byExactness } from '../exposures/draft-ingress.ts';
import { compareText } from '../exposures/eligible-nodes.ts';
import type { Backend, Exposure, ExposureDecision, ExposureKey, HttpRoute } from '../exposures/exposure.ts';

export interface NameRecord {
  readonly name: string;
  /** IPv4 and IPv6. */
  readonly addresses: readonly string[];
  readonly owners: readonly ExposureKey[];
}

/** An address that the end itself answers on. */
export interface ServiceAddress {
  readonly address: Ipv4;
  readonly owners: readonly ExposureKey[];
}

interface BalancerPlace {
  readonly address: Ipv4;
  readonly port: number;
}

export interface TcpBalancer extends BalancerPlace {
  readonly kind: 'tcp';
  readonly owner: ExposureKey;
  readonly backends: readonly Backend[];
  /** As ExposedPort.standby. */
  readonly standby: readonly Backend[];
  readonly sourceRanges?: readonly Cidr[];
  readonly affinity: 'none' | 'client';
}

export interface BalancedRoute extends HttpRoute {
  readonly owner: ExposureKey;
  readonly sourceRanges?: readonly Cidr[];
}

/** By host and path; the routes in the order they are to be tried. */
export interface HttpBalancer extends BalancerPlace {
  readonly kind: 'http';
  readonly routes: readonly BalancedRoute[];
}

export type Balancer = TcpBalancer | HttpBalancer;

/** Each list in an order of its own that does not depend on how it came about: equal states are equal as text. */
export interface NetworkState {
  readonly names: readonly NameRecord[];
  readonly addresses: readonly ServiceAddress[];
  readonly balancers: readonly Balancer[];
}

/** What an end could not take, though everything else is in place: a person's own entry has the name, say. */
export interface EndProblem {
  readonly owner: ExposureKey;
  /** "web.svc", "10.1.3.100". */
  readonly subject: string;
  readonly why: string;
  readonly fix: string;
}

export interface NetworkEnd {
  /** "pfSense fw1", "the embedded name server"; for messages. */
  readonly name: string;
  /**
   * Makes what the end holds of ours equal to the state; ends when it answers so. Throws LabwrightError when that cannot be
   * known, and is called again then. Never called twice at a time.
   */
  put(state: NetworkState, signal: AbortSignal): Promise<readonly EndProblem[]>;
  /** Tells all that is not as it should be whenever that changes between two puts; ends with the signal. */
  watchProblems?(tell: (problems: readonly EndProblem[]) => void, signal: AbortSignal): void;
}

export function networkState({ exposures }: ExposureDecision): NetworkState {
  const routed = exposures.filter(({ balancer }) => balancer === 'router');
  return {
    names: namesOf(exposures),
    addresses: addressesOf(routed),
    balancers: [
      ...routed.filter(({ source }) => source.kind === 'Service').flatMap(tcpBalancers),
      ...httpBalancers(routed.filter(({ source }) => source.kind === 'Ingress')),
    ].toSorted((one, other) => compareText(one.address, other.address) || one.port - other.port),
  };
}

/** What has a name and no address yet has no record: "not there" is remembered for seconds, a wrong address for longer. */
function namesOf(exposures: readonly Exposure[]): readonly NameRecord[] {
  const records = new Map<string, { readonly addresses: Set<string>; readonly owners: Set<ExposureKey> }>();
  for (const { key, names, addresses } of exposures) {
    for (const name of addresses.length === 0 ? [] : names) {
      const record = records.get(name) ?? { addresses: new Set(), owners: new Set() };
      for (const address of addresses) record.addresses.add(address);
      record.owners.add(key);
      records.set(name, record);
    }
  }
  return [...records]
    .map(([name, { addresses, owners }]) => ({
      name,
      addresses: [...addresses].toSorted(),
      owners: [...owners].toSorted(),
    }))
    .toSorted((one, other) => compareText(one.name, other.name));
}

function addressesOf(routed: readonly Exposure[]): readonly ServiceAddress[] {
  const owners = new Map<Ipv4, ExposureKey[]>();
  for (const { key, addresses } of routed) {
    for (const address of addresses.flatMap((text) => parseIpv4(text) ?? [])) {
      const known = owners.get(address);
      if (known === undefined) owners.set(address, [key]);
      else known.push(key);
    }
  }
  return [...owners]
    .map(([address, keys]) => ({ address, owners: keys }))
    .toSorted((one, other) => compareText(one.address, other.address));
}

function tcpBalancers({ key, addresses, ports, sourceRanges, affinity }: Exposure): readonly TcpBalancer[] {
  return addresses
    .flatMap((text) => parseIpv4(text) ?? [])
    .flatMap((address) =>
      ports.map(({ port, backends, standby }) => ({
        kind: 'tcp' as const,
        address,
        port,
        owner: key,
        backends,
        standby,
        ...(sourceRanges === undefined ? {} : { sourceRanges }),
        affinity,
      })),
    );
}

function httpBalancers(ingresses: readonly Exposure[]): readonly HttpBalancer[] {
  const places = new Map<string, { readonly address: Ipv4; readonly port: number; readonly routes: BalancedRoute[] }>();
  for (const { key, addresses, ports, routes, sourceRanges } of ingresses) {
    for (const address of addresses.flatMap((text) => parseIpv4(text) ?? [])) {
      for (const { port } of ports) {
        const place = places.get(`${address}:${port}`) ?? { address, port, routes: [] };
        const limits = sourceRanges === undefined ? {} : { sourceRanges };
        place.routes.push(...routes.map((route) => ({ ...route, owner: key, ...limits })));
        places.set(`${address}:${port}`, place);
      }
    }
  }
  return [...places.values()].map(({ address, port, routes }) => ({
    kind: 'http',
    address,
    port,
    routes: routes.toSorted(byExactness),
  }));
}
