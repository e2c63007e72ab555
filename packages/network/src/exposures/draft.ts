// One object on its way to an exposure: what it asks for, before it is held against all others.
import type { Cidr } from '@labwright/core/addresses/ipv4';
import type { ClusterObject } from '@labwright/drivers/kubernetes/kind';
import type { ExposedService, ExposedSlice } from '../cluster/exposed-kinds.ts';
import type { SourceRanges } from './annotations.ts';
import { compareText, type EligibleNode, servingNodes } from './eligible-nodes.ts';
import {
  type Backend,
  type BalancerKind,
  type ExposedPort,
  type ExposureKey,
  exposureKey,
  type ExposureSource,
  type HttpRoute,
  type Refusal,
} from './exposure.ts';

export interface Draft {
  readonly key: ExposureKey;
  readonly source: ExposureSource;
  /** RFC 3339; '' when it is not known. */
  readonly createdAt: string;
  readonly balancer: BalancerKind;
  readonly loadBalancerClass?: string;
  readonly wantedNames: readonly string[];
  readonly wantedAddress?: string;
  readonly statusAddresses: readonly string[];
  readonly ports: readonly ExposedPort[];
  readonly routes: readonly HttpRoute[];
  readonly sourceRanges?: readonly Cidr[];
  readonly affinity: 'none' | 'client';
}

/** `draft` is absent when nothing of the object is exposed; the refusals then say why, and none means that nobody asked. */
export interface Drafted {
  readonly draft?: Draft;
  readonly refusals: readonly Refusal[];
}

/** What is looked up while drafting, prepared once. */
export interface DraftContext {
  readonly nodes: readonly EligibleNode[];
  /** With them those that may become so. */
  readonly knownNodes: readonly EligibleNode[];
  /** By "namespace/name". */
  readonly services: ReadonlyMap<string, ExposedService>;
  /** By "namespace/name" of their Service. */
  readonly slices: ReadonlyMap<string, readonly ExposedSlice[]>;
}

export function sourceOf(kind: ExposureSource['kind'], { metadata }: Pick<ClusterObject, 'metadata'>): ExposureSource {
  return { kind, namespace: metadata.namespace ?? 'default', name: metadata.name, uid: metadata.uid };
}

export function refuse(
  source: ExposureSource,
  reason: Refusal['reason'],
  words: Pick<Refusal, 'subject' | 'why' | 'fix'>,
): Refusal {
  return { key: exposureKey(source), source, reason, ...words };
}

/** Older first; of the same second the one whose name comes first. */
export function byAge(one: Draft, other: Draft): number {
  return compareText(one.createdAt, other.createdAt) || compareText(one.key, other.key);
}

export type ServicePort = NonNullable<ExposedService['spec']['ports']>[number];

/** Where connections to a port of a Service go, and where they may go some time; empty without a node port. */
export function portBackends(
  service: ExposedService,
  port: ServicePort,
  context: DraftContext,
): Pick<ExposedPort, 'backends' | 'standby'> {
  const { nodePort, name } = port;
  if (nodePort === undefined || nodePort === 0) return { backends: [], standby: [] };
  const slices = context.slices.get(`${service.metadata.namespace ?? 'default'}/${service.metadata.name}`) ?? [];
  const policy = service.spec.externalTrafficPolicy;
  const serving = servingNodes(context.nodes, { policy, portName: name }, slices);
  const names = new Set(serving.map((node) => node.name));
  const placeOf = (node: EligibleNode): Backend => ({ node: node.name, address: node.address, port: nodePort });
  return {
    backends: serving.map(placeOf),
    standby: context.knownNodes.filter((node) => !names.has(node.name)).map(placeOf),
  };
}

/** Undefined when the ranges cannot be read: then nobody is let in by mistake, and nothing is exposed. */
export function readRanges(
  source: ExposureSource,
  ranges: SourceRanges,
): { readonly sourceRanges?: readonly Cidr[] } | Refusal {
  switch (ranges.kind) {
    case 'everybody':
      return {};
    case 'networks':
      return { sourceRanges: ranges.networks };
    case 'unreadable':
      return refuse(source, 'source-ranges', {
        subject: ranges.text,
        why: `"${ranges.text.slice(0, 60)}" is not a network, so who may connect is not known`,
        fix: 'write networks like 10.1.0.0/22, with commas between',
      });
  }
}

/** What was asked of us and is somebody else's to give; none when nothing was asked. */
export function refuseAnnotatedAddress(
  source: ExposureSource,
  wanted: string | undefined,
  fix: string,
): readonly Refusal[] {
  if (wanted === undefined) return [];
  const why = `${source.kind} ${source.name} asks for the address ${wanted.slice(0, 60)}, which Labwright does not give: it is not balanced by the router`;
  return [refuse(source, 'address', { subject: wanted, why, fix })];
}

export const isRefusal = (value: object): value is Refusal => 'reason' in value;
