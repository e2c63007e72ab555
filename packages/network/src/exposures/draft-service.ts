// What a Service asks for.
import { statusAddresses, type ExposedService } from '../cluster/exposed-kinds.ts';
import { annotatedAddress, asksForUs, hostnames, isLeftAlone, sourceRanges, wantedAddress } from './annotations.ts';
import {
  type Draft,
  type DraftContext,
  type Drafted,
  isRefusal,
  portBackends,
  readRanges,
  refuse,
  refuseAnnotatedAddress,
  type ServicePort,
  sourceOf,
} from './draft.ts';
import {
  type BalancerKind,
  type ExposedPort,
  exposureKey,
  type ExposureSettings,
  type ExposureSource,
  type Refusal,
} from './exposure.ts';

/** A Service with this class is the router's, whatever the lab says of the others. */
const routerClass = 'labwright.dev/router';
const metallbClasses = ['metallb.universe.tf/metallb', 'metallb.io/metallb'];

export function draftService(service: ExposedService, settings: ExposureSettings, context: DraftContext): Drafted {
  const { metadata, spec } = service;
  if (isLeftAlone(service) || metadata.deletionTimestamp !== undefined) return { refusals: [] };
  const source = sourceOf('Service', service);
  if (spec.type !== 'LoadBalancer') return asksForUs(service) ? refuseType(source, spec.type) : { refusals: [] };

  const balancer = balancerOf(spec.loadBalancerClass, settings);
  if (balancer === 'router' && !settings.routerBalances) return { refusals: [noRouter(source, routerClass)] };
  const field = spec.loadBalancerSourceRanges ?? [];
  const ranges = balancer === 'router' ? readRanges(source, sourceRanges(service, field)) : nodeRanges(service, field);
  if (isRefusal(ranges)) return { refusals: [ranges] };

  const refusals: Refusal[] = [];
  const ports = (spec.ports ?? []).flatMap((port): ExposedPort[] => {
    const refused = balancer === 'router' ? refusePort(source, port) : undefined;
    if (refused === undefined) return [formatPort(service, port, context)];
    refusals.push(refused);
    return [];
  });
  if (ports.length === 0) {
    const noPorts = refuse(source, 'no-ports', {
      subject: source.name,
      why: `none of the ports of Service ${source.name} can be balanced, so it gets no address and no name`,
      fix: refusals[0]?.fix ?? 'give it a TCP port',
    });
    return { refusals: [...refusals, noPorts] };
  }
  const wanted = wantedAddress(service);
  const fix = 'ask whoever balances it (MetalLB takes metallb.io/loadBalancerIPs), and remove labwright.dev/address';
  const unasked = balancer === 'router' ? [] : refuseAnnotatedAddress(source, annotatedAddress(service), fix);
  return {
    refusals: [...refusals, ...unasked],
    draft: {
      key: exposureKey(source),
      source,
      createdAt: metadata.creationTimestamp ?? '',
      balancer,
      ...(spec.loadBalancerClass === undefined ? {} : { loadBalancerClass: spec.loadBalancerClass }),
      wantedNames: hostnames(service),
      ...(wanted === undefined ? {} : { wantedAddress: wanted }),
      statusAddresses: statusAddresses(service),
      ports,
      routes: [],
      ...ranges,
      affinity: spec.sessionAffinity === 'ClientIP' ? 'client' : 'none',
    },
  };
}

/** Where another balances, the nodes keep to the field, and to nothing else. */
function nodeRanges({ metadata }: ExposedService, field: readonly string[]): Pick<Draft, 'sourceRanges'> {
  const ranges = sourceRanges({ metadata: { ...metadata, annotations: {} } }, field);
  return ranges.kind === 'networks' ? { sourceRanges: ranges.networks } : {};
}

function balancerOf(loadBalancerClass: string | undefined, settings: ExposureSettings): BalancerKind {
  if (loadBalancerClass === undefined) return settings.balancer;
  if (loadBalancerClass === routerClass) return 'router';
  return metallbClasses.includes(loadBalancerClass) ? 'metallb' : 'other';
}

export function noRouter(source: ExposureSource, name: string): Refusal {
  return refuse(source, 'no-router', {
    subject: name,
    why: `${source.kind} ${source.name} asks for the router as its balancer, and Labwright does not manage HAProxy there`,
    fix: 'add haproxy to router.manage of the lab file, or remove the class',
  });
}

function refuseType(source: ExposureSource, type: string | undefined): Drafted {
  const subject = type ?? 'ClusterIP';
  const why = `Service ${source.name} is of type ${subject}, which is for inside the cluster`;
  return { refusals: [refuse(source, 'type', { subject, why, fix: 'set spec.type: LoadBalancer' })] };
}

function refusePort(source: ExposureSource, port: ServicePort): Refusal | undefined {
  const protocol = port.protocol ?? 'TCP';
  const subject = `${port.port}/${protocol}`;
  if (protocol !== 'TCP') {
    const why = `port ${subject} cannot be balanced by the router: its HAProxy takes TCP`;
    const fix = 'reach it by its node port, or let MetalLB balance: exposures.balancer: metallb in the lab file';
    return refuse(source, 'protocol', { subject, why, fix });
  }
  if ((port.nodePort ?? 0) !== 0) return undefined;
  const why = `port ${subject} has no node port, and the router reaches pods by those only`;
  return refuse(source, 'no-node-port', { subject, why, fix: 'set spec.allocateLoadBalancerNodePorts: true' });
}

function formatPort(service: ExposedService, port: ServicePort, context: DraftContext): ExposedPort {
  return {
    ...(port.name === undefined ? {} : { name: port.name }),
    port: port.port,
    protocol: port.protocol === 'UDP' || port.protocol === 'SCTP' ? port.protocol : 'TCP',
    ...portBackends(service, port, context),
  };
}
