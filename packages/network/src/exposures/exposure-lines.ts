// The lines of `exposures`: every exposed thing and every refusal, as a person reads them.
import { serviceOfSlice } from '../cluster/exposed-kinds.ts';
import { explainBarred, formatPlace, placesOf } from '../why/hop.ts';
import type { WhyFacts } from '../why/why-facts.ts';
import { compareText } from './eligible-nodes.ts';
import type { Backend, Exposure, ExposureDecision, ExposureFacts, HttpRoute, Refusal } from './exposure.ts';

/** What this computer saw of connections, and the cluster of pods. */
export type ExposureSight = Pick<WhyFacts, 'connections' | 'from'> & Pick<ExposureFacts, 'slices'>;

export interface ExposureLine {
  /** "Service default/web". */
  readonly object: string;
  /** "web.svc, www.svc"; "-" without one. */
  readonly name: string;
  /** "-" as long as it has none. */
  readonly address: string;
  /** "80, 443", "53/UDP". */
  readonly port: string;
  /** Where connections end: "node1:30080, node2:30080", "default/web:80", "MetalLB". */
  readonly endsAt: string;
  readonly state: 'answers' | 'refused' | 'silent' | 'not tried' | 'no backend' | 'no address' | 'not exposed';
  /** Of what is not exposed: why, and the way out. Of what is: why it was not tried, or what it lacks. */
  readonly words?: string;
}

/** Of one object first what is exposed, then what is not. */
export function exposureLines(
  { exposures, refusals }: ExposureDecision,
  sight: ExposureSight,
): readonly ExposureLine[] {
  const served = servedServices(sight);
  const lines = [
    ...exposures.map((exposure) => formatExposure(exposure, sight, served)),
    ...refusals.map(formatRefusal),
  ];
  return lines.toSorted((one, other) => compareText(one.object, other.object));
}

/** "namespace/name" of each Service with a pod that is ready. */
function servedServices({ slices }: Pick<ExposureSight, 'slices'>): ReadonlySet<string> {
  const serving = slices.filter(({ endpoints }) => (endpoints ?? []).some(({ isReady }) => isReady));
  return new Set(serving.map((slice) => `${slice.metadata.namespace ?? 'default'}/${serviceOfSlice(slice)}`));
}

function formatExposure(exposure: Exposure, sight: ExposureSight, served: ReadonlySet<string>): ExposureLine {
  const { key, names, addresses, ports } = exposure;
  return {
    object: key,
    name: names.length === 0 ? '-' : names.join(', '),
    address: addresses.length === 0 ? '-' : addresses.join(', '),
    port: ports.map(({ port, protocol }) => (protocol === 'TCP' ? `${port}` : `${port}/${protocol}`)).join(', '),
    endsAt: endsAt(exposure),
    ...judge(exposure, sight, served),
  };
}

function formatRefusal({ key, subject, why, fix }: Refusal): ExposureLine {
  return {
    object: key,
    name: subject,
    address: '-',
    port: '-',
    endsAt: '-',
    state: 'not exposed',
    words: `${why}; ${fix}`,
  };
}

function endsAt({ balancer, ports, routes, loadBalancerClass }: Exposure): string {
  if (balancer === 'metallb') return 'MetalLB';
  if (balancer === 'other') return loadBalancerClass ?? 'the ingress controller';
  if (routes.length > 0) {
    return routes.map(({ host, path, target }) => `${host}${path} → ${target}`).join(', ');
  }
  return [...new Set(ports.flatMap(({ backends }) => backends.map(formatBackend)))].join(', ') || '-';
}

const formatBackend = ({ node, port }: Backend): string => `${node}:${port}`;

/** The worst of its ports and routes. */
function judge(
  exposure: Exposure,
  { connections, from }: ExposureSight,
  served: ReadonlySet<string>,
): Pick<ExposureLine, 'state' | 'words'> {
  const { balancer, addresses, ports, routes } = exposure;
  if (addresses.length === 0) return { state: 'no address' };
  if (balancer === 'router') {
    if ((routes.length > 0 ? routes : ports).every(({ backends }) => backends.length === 0))
      return { state: 'no backend' };
    // The router takes the connection all the same, and answers 503.
    const idle = [...new Set(routes.filter((route) => !isServed(route, served)).map(({ target }) => target))];
    if (idle.length > 0) return { state: 'no backend', words: `no pod is ready for ${idle.join(', ')}` };
  }
  const barred = explainBarred(exposure, from);
  if (barred !== undefined) return { state: 'not tried', words: barred };
  const tried = placesOf(exposure).map(({ address, port }) => connections.get(formatPlace(address, port)));
  for (const state of ['refused', 'silent'] as const) if (tried.includes(state)) return { state };
  return { state: tried.length > 0 && tried.every((each) => each === 'answers') ? 'answers' : 'not tried' };
}

function isServed({ target, backends }: HttpRoute, served: ReadonlySet<string>): boolean {
  return backends.length > 0 && served.has(target.slice(0, target.lastIndexOf(':')));
}
