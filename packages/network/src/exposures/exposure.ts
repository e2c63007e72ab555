// The words of this package: what is exposed, what is not and why, and the state of cluster and lab that both follow from.
import type { Cidr, Ipv4, Ipv4Range } from '@labwright/core/addresses/ipv4';
import type { Node } from '@labwright/drivers/kubernetes/kind';
import type { ExposedService, ExposedSlice, Ingress } from '../cluster/exposed-kinds.ts';

/** The object that asks to be exposed. */
export interface ExposureSource {
  readonly kind: 'Service' | 'Ingress';
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/** "Service default/web": one an object, whatever its uid. */
export type ExposureKey = string;

export function exposureKey({ kind, namespace, name }: Omit<ExposureSource, 'uid'>): ExposureKey {
  return `${kind} ${namespace}/${name}`;
}

/** Where a balancer sends a connection. */
export interface Backend {
  readonly node: string;
  readonly address: Ipv4;
  /** A node port. */
  readonly port: number;
}

export interface ExposedPort {
  readonly name?: string;
  readonly port: number;
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  /** Those that take new connections, in the order of their names. Empty where none can. */
  readonly backends: readonly Backend[];
  /** The other nodes, as far as they may ever take any: a balancer knows them beforehand, and only has to be told of a move. */
  readonly standby: readonly Backend[];
}

export interface HttpRoute {
  /** '' is any host; "*.web.svc" any one label before it. */
  readonly host: string;
  readonly path: string;
  readonly match: 'exact' | 'prefix';
  /** "default/web:80", for people. */
  readonly target: string;
  readonly backends: readonly Backend[];
  /** As ExposedPort.standby. */
  readonly standby: readonly Backend[];
}

/** Who takes the connections: MetalLB, the router, or something in the cluster that has a class of its own. */
export type BalancerKind = 'metallb' | 'router' | 'other';

export interface Exposure {
  readonly key: ExposureKey;
  readonly source: ExposureSource;
  /** Without the last dot; in the order they were asked for. */
  readonly names: readonly string[];
  /** IPv4 and IPv6. Empty while somebody else has yet to give one. */
  readonly addresses: readonly string[];
  readonly balancer: BalancerKind;
  readonly loadBalancerClass?: string;
  readonly ports: readonly ExposedPort[];
  /** Of an Ingress, in the order they are to be tried. */
  readonly routes: readonly HttpRoute[];
  /** Networks that may connect; absent for everybody, empty for nobody. */
  readonly sourceRanges?: readonly Cidr[];
  /** One client keeps its backend: a balancer hides the client's address, so it is the balancer's to do. */
  readonly affinity: 'none' | 'client';
}

export type RefusalReason =
  | 'protocol'
  | 'no-node-port'
  | 'no-ports'
  | 'range-full'
  | 'no-range'
  | 'address'
  | 'address-taken'
  | 'address-used'
  | 'router-unseen'
  | 'name-invalid'
  | 'name-outside'
  | 'name-reserved'
  | 'name-taken'
  | 'port-reserved'
  | 'route-taken'
  | 'route-target'
  | 'source-ranges'
  | 'tls'
  | 'no-router'
  | 'type';

/** Something of an object that is not exposed; the rest of it may be. */
export interface Refusal {
  readonly key: ExposureKey;
  readonly source: ExposureSource;
  readonly reason: RefusalReason;
  /** What of it: "web.svc", "53/UDP", "10.1.3.100". */
  readonly subject: string;
  /** One sentence. */
  readonly why: string;
  /** The way out. */
  readonly fix: string;
}

export interface ExposureDecision {
  /** In the order of their keys. */
  readonly exposures: readonly Exposure[];
  /** In the order of their keys, then as they were found. */
  readonly refusals: readonly Refusal[];
}

/** A port that the router listens on itself. */
export interface RouterPort {
  readonly port: number;
  /** "the router's web page". */
  readonly purpose: string;
  /** Absent where it listens on all of its addresses. */
  readonly address?: Ipv4;
}

/** Addresses that somebody else has on the router. */
export interface UsedRange {
  readonly range: Ipv4Range;
  /** What goes on after "the address is": "leased out by the router's DHCP on lan". */
  readonly what: string;
}

/** What the router says of itself. */
export interface RouterView {
  readonly ports: readonly RouterPort[];
  readonly used: readonly UsedRange[];
  /** Of ours, there already: whoever came to have them as well came later. */
  readonly placed: readonly Ipv4[];
}

/** What the lab says, and its router. */
export interface ExposureSettings {
  /** Names end in one of these. */
  readonly domains: readonly string[];
  readonly balancer: 'metallb' | 'router';
  readonly ingress: 'traefik' | 'router';
  /** Whether the router's balancer is ours to set up; without it nothing can ask for it by its class. */
  readonly routerBalances: boolean;
  /** Where addresses of services come from. */
  readonly range?: Ipv4Range;
  /** Addresses that nothing exposed may have, and whose they are: the cluster's endpoint, appliances, machines, us. */
  readonly takenAddresses: ReadonlyMap<Ipv4, string>;
  /** Whole names that stand for something else, and for what: "pve1.home.arpa" is host pve1. */
  readonly reservedNames: ReadonlyMap<string, string>;
  readonly routerPorts: readonly RouterPort[];
  /** Of the router; nothing exposed is given one of them. Absent where there is none of ours to look at. */
  readonly usedAddresses?: Pick<RouterView, 'used' | 'placed'>;
  /** Why which addresses are free is not known: until it is, what has one keeps it and no other is given. */
  readonly unseen?: string;
}

/** Of the VM under a node, as its hypervisor says. */
export type NodePower = 'running' | 'stopped' | 'unknown';

/** What the cluster and the hypervisors say. The order of the objects means nothing. */
export interface ExposureFacts {
  readonly services: readonly ExposedService[];
  readonly ingresses: readonly Ingress[];
  readonly slices: readonly ExposedSlice[];
  readonly nodes: readonly Node[];
  /** By the node's name; what is not in it is unknown. */
  readonly power: ReadonlyMap<string, NodePower>;
  /** Addresses given by the decision before, whose status may not be written yet. */
  readonly held: ReadonlyMap<ExposureKey, Ipv4>;
}
