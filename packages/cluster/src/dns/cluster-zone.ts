// The names of a cluster: what Kubernetes' DNS specification (1.1.0) says about its Services, their endpoints and its pods.
//
//   SERVICE.NAMESPACE.svc.ZONE                  A: its address; headless: those of its ready endpoints; ExternalName: an alias
//   HOST.SERVICE.NAMESPACE.svc.ZONE             A: one endpoint; HOST is its host name, or its address with dashes
//   _PORT._PROTOCOL.SERVICE.NAMESPACE.svc.ZONE  SRV
//   A-B-C-D.NAMESPACE.pod.ZONE                  A: A.B.C.D, whatever pod that is (CoreDNS: "pods insecure", kubeadm's setting)
//   D.C.B.A.in-addr.arpa                        PTR, for addresses of Services and of endpoints of headless ones
//
// A store that is told of changes and looked names up in; it does no I/O.
import { type Cidr, cidrRange, type Ipv4, parseIpv4, rangeContains } from '@labwright/core/addresses/ipv4';
import type { EndpointSlice, Service } from '@labwright/drivers/kubernetes/kind';

export type ZoneRecord =
  | { readonly type: 'A'; readonly name: string; readonly data: Ipv4 }
  | { readonly type: 'SRV'; readonly name: string; readonly data: { readonly target: string; readonly port: number } }
  | { readonly type: 'PTR'; readonly name: string; readonly data: string }
  | { readonly type: 'TXT'; readonly name: string; readonly data: string };

export type Lookup =
  | { readonly kind: 'records'; readonly records: readonly ZoneRecord[]; readonly additional: readonly ZoneRecord[] }
  /** An ExternalName Service: the target is looked up in its place, here or elsewhere. */
  | { readonly kind: 'alias'; readonly target: string }
  /** The name exists, without records of that type. */
  | { readonly kind: 'no-data'; readonly zone: string }
  | { readonly kind: 'no-name'; readonly zone: string }
  /** Not of this cluster. */
  | { readonly kind: 'foreign' };

export interface ClusterZone {
  readonly putService: (service: Service) => void;
  readonly removeService: (service: Service) => void;
  readonly putSlice: (slice: EndpointSlice) => void;
  readonly removeSlice: (slice: EndpointSlice) => void;
  /** The name without its last dot, in any case; the type as text ("A", "AAAA", "SRV"). */
  lookup(name: string, type: string): Lookup;
}

export interface ClusterZoneOptions {
  /** "cluster.local" */
  readonly domain: string;
  /** Networks whose addresses have names here, or none at all: those of pods and Services. */
  readonly networks: readonly Cidr[];
}

/** What one Service has under its own name; keys are relative to it, '' is the name itself. */
interface ServiceNames {
  readonly alias?: string;
  readonly records: ReadonlyMap<string, readonly ZoneRecord[]>;
  /** Address to the names it stands for. */
  readonly reverse: ReadonlyMap<Ipv4, readonly string[]>;
}

const specification = '1.1.0';
const serviceLabel = 'kubernetes.io/service-name';

export function makeClusterZone({ domain, networks }: ClusterZoneOptions): ClusterZone {
  const zone = domain.toLowerCase();
  const ranges = networks.map(cidrRange);
  const services = new Map<string, Service>();
  /** By the Service they belong to, then by their own name. */
  const slices = new Map<string, Map<string, EndpointSlice>>();
  const names = new Map<string, ServiceNames>();
  /** How many Services each namespace has: its name exists as long as one does. */
  const namespaces = new Map<string, number>();
  const reverse = new Map<Ipv4, Set<string>>();

  const forget = (key: string): void => {
    for (const [address, targets] of names.get(key)?.reverse ?? []) {
      const known = reverse.get(address);
      for (const target of targets) known?.delete(target);
      if (known?.size === 0) reverse.delete(address);
    }
    if (names.delete(key)) count(namespaces, namespaceOf(key), -1);
  };
  const rebuild = (key: string): void => {
    forget(key);
    const service = services.get(key);
    if (service === undefined) return;
    const built = nameService(service, [...(slices.get(key)?.values() ?? [])], zone);
    names.set(key, built);
    count(namespaces, namespaceOf(key), 1);
    for (const [address, targets] of built.reverse) {
      const known = reverse.get(address) ?? new Set();
      for (const target of targets) known.add(target);
      reverse.set(address, known);
    }
  };
  const changeSlice = (slice: EndpointSlice, change: (own: Map<string, EndpointSlice>) => void): void => {
    const owner = slice.metadata.labels?.[serviceLabel];
    if (owner === undefined) return;
    const key = `${slice.metadata.namespace ?? ''}/${owner}`;
    const own = slices.get(key) ?? new Map<string, EndpointSlice>();
    change(own);
    if (own.size === 0) slices.delete(key);
    else slices.set(key, own);
    rebuild(key);
  };

  const lookupService = (labels: readonly string[], type: string): Lookup => {
    const [namespace, service, ...inner] = labels.toReversed();
    if (namespace === undefined) return { kind: 'no-data', zone };
    if (service === undefined) return namespaces.has(namespace) ? { kind: 'no-data', zone } : { kind: 'no-name', zone };
    const own = names.get(`${namespace}/${service}`);
    if (own === undefined) return { kind: 'no-name', zone };
    const below = inner.toReversed().join('.');
    if (own.alias !== undefined) return below === '' ? { kind: 'alias', target: own.alias } : { kind: 'no-name', zone };
    const records = own.records.get(below);
    if (records === undefined) {
      const isBranch = [...own.records.keys()].some((each) => each.endsWith(`.${below}`));
      return below === '' || isBranch ? { kind: 'no-data', zone } : { kind: 'no-name', zone };
    }
    const found = choose(records, type);
    if (found.length === 0) return { kind: 'no-data', zone };
    const targets = new Set(found.flatMap((record) => (record.type === 'SRV' ? [record.data.target] : [])));
    const additional = [...own.records.values()].flat().filter((each) => each.type === 'A' && targets.has(each.name));
    return { kind: 'records', records: found, additional };
  };

  const lookupReverse = (name: string, type: string): Lookup => {
    const address = parseReverseName(name);
    const isOurs = address !== undefined && ranges.some((range) => rangeContains(range, address));
    if (address === undefined || !isOurs) return { kind: 'foreign' };
    const targets = reverse.get(address);
    if (targets === undefined) return { kind: 'no-name', zone: name };
    if (type !== 'PTR' && type !== 'ANY') return { kind: 'no-data', zone: name };
    const records = [...targets].toSorted().map((data) => ({ type: 'PTR', name, data }) as const);
    return { kind: 'records', records, additional: [] };
  };

  return {
    putService(service) {
      const key = keyOf(service);
      services.set(key, service);
      rebuild(key);
    },
    removeService(service) {
      const key = keyOf(service);
      services.delete(key);
      forget(key);
    },
    putSlice: (slice) => changeSlice(slice, (own) => own.set(slice.metadata.name, slice)),
    removeSlice: (slice) => changeSlice(slice, (own) => own.delete(slice.metadata.name)),
    lookup(given, type) {
      const name = given.toLowerCase();
      if (name.endsWith('.in-addr.arpa')) return lookupReverse(name, type);
      if (name === zone) return { kind: 'no-data', zone };
      if (!name.endsWith(`.${zone}`)) return { kind: 'foreign' };
      const labels = name.slice(0, -zone.length - 1).split('.');
      const branch = labels.at(-1);
      if (branch === 'svc') return lookupService(labels.slice(0, -1), type);
      if (branch === 'pod') return lookupPod(name, labels.slice(0, -1), type, zone);
      if (name !== `dns-version.${zone}`) return { kind: 'no-name', zone };
      const records = choose([{ type: 'TXT', name, data: specification }], type);
      return records.length === 0 ? { kind: 'no-data', zone } : { kind: 'records', records, additional: [] };
    },
  };
}

/** "10.0.96.10.in-addr.arpa" is 10.96.0.10. */
function parseReverseName(name: string): Ipv4 | undefined {
  return parseIpv4(name.slice(0, -'.in-addr.arpa'.length).split('.').toReversed().join('.'));
}

function lookupPod(name: string, labels: readonly string[], type: string, zone: string): Lookup {
  if (labels.length < 2) return { kind: 'no-data', zone };
  const address = labels.length === 2 ? parseIpv4((labels[0] ?? '').replaceAll('-', '.')) : undefined;
  if (address === undefined) return { kind: 'no-name', zone };
  const records = choose([{ type: 'A', name, data: address }], type);
  return records.length === 0 ? { kind: 'no-data', zone } : { kind: 'records', records, additional: [] };
}

function nameService({ metadata, spec }: Service, slices: readonly EndpointSlice[], zone: string): ServiceNames {
  const origin = `${metadata.name}.${metadata.namespace ?? ''}.svc.${zone}`;
  const records = new Map<string, ZoneRecord[]>();
  const reverse = new Map<Ipv4, string[]>();
  const add = (below: string, record: ZoneRecord): void => push(records, below, record);
  const addPort = (port: number, name: string | undefined, protocol: string | undefined, target: string): void => {
    const data = { target, port };
    // CoreDNS gives every port at the name of the Service itself.
    add('', { type: 'SRV', name: origin, data });
    if (name === undefined || name === '') return;
    const below = `_${name}._${(protocol ?? 'TCP').toLowerCase()}`;
    add(below, { type: 'SRV', name: `${below}.${origin}`, data });
  };

  if (spec.type === 'ExternalName') {
    return { records, reverse, ...(spec.externalName === undefined ? {} : { alias: spec.externalName }) };
  }
  const address = parseIpv4(spec.clusterIP ?? '');
  if (address !== undefined) {
    add('', { type: 'A', name: origin, data: address });
    for (const { name, port, protocol } of spec.ports ?? []) addPort(port, name, protocol, origin);
    push(reverse, address, origin);
    return { records, reverse };
  }
  if (spec.clusterIP !== 'None') return { records, reverse };

  const seen = new Set<string>();
  for (const slice of slices.filter(({ addressType }) => addressType === 'IPv4')) {
    for (const endpoint of slice.endpoints ?? []) {
      // Unknown counts as ready.
      if (endpoint.conditions?.ready === false && spec.publishNotReadyAddresses !== true) continue;
      const [own] = endpoint.addresses.flatMap((text) => parseIpv4(text) ?? []);
      if (own === undefined) continue;
      const host = (endpoint.hostname ?? own.replaceAll('.', '-')).toLowerCase();
      const target = `${host}.${origin}`;
      for (const { name, port, protocol } of slice.ports ?? []) {
        if (typeof port === 'number') addPort(port, name ?? undefined, protocol ?? undefined, target);
      }
      // While endpoints move between slices one may be in two.
      if (seen.has(`${host} ${own}`)) continue;
      seen.add(`${host} ${own}`);
      add('', { type: 'A', name: origin, data: own });
      add(host, { type: 'A', name: target, data: own });
      push(reverse, own, target);
    }
  }
  return { records, reverse };
}

function choose(records: readonly ZoneRecord[], type: string): readonly ZoneRecord[] {
  return type === 'ANY' ? records : records.filter((record) => record.type === type);
}

const keyOf = ({ metadata }: Service): string => `${metadata.namespace ?? ''}/${metadata.name}`;
const namespaceOf = (key: string): string => key.slice(0, key.indexOf('/'));

function push<Key, Value>(map: Map<Key, Value[]>, key: Key, value: Value): void {
  const known = map.get(key);
  if (known === undefined) map.set(key, [value]);
  else known.push(value);
}

function count(map: Map<string, number>, key: string, change: 1 | -1): void {
  const value = (map.get(key) ?? 0) + change;
  if (value === 0) map.delete(key);
  else map.set(key, value);
}
