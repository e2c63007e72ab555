// The lines of `exposures`: every exposed thing and every refusal, as a person reads them.
import { compareText } from './eligible-nodes.ts';
import type { Backend, Exposure, ExposureDecision, Refusal } from './exposure.ts';

/** Whether a connection to "address:port" is answered; what was not tried is absent. */
export type Answering = ReadonlyMap<string, 'answers' | 'refused' | 'silent'>;

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
  /** Of what is not exposed: why, and the way out. */
  readonly words?: string;
}

/** Of one object first what is exposed, then what is not. */
export function exposureLines(
  { exposures, refusals }: ExposureDecision,
  answering: Answering,
): readonly ExposureLine[] {
  const lines = [...exposures.map((exposure) => formatExposure(exposure, answering)), ...refusals.map(formatRefusal)];
  return lines.toSorted((one, other) => compareText(one.object, other.object));
}

function formatExposure(exposure: Exposure, answering: Answering): ExposureLine {
  const { key, names, addresses, ports } = exposure;
  return {
    object: key,
    name: names.length === 0 ? '-' : names.join(', '),
    address: addresses.length === 0 ? '-' : addresses.join(', '),
    port: ports.map(({ port, protocol }) => (protocol === 'TCP' ? `${port}` : `${port}/${protocol}`)).join(', '),
    endsAt: endsAt(exposure),
    state: stateOf(exposure, answering),
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

/** The worst of its ports. */
function stateOf({ balancer, addresses, ports, routes }: Exposure, answering: Answering): ExposureLine['state'] {
  if (addresses.length === 0) return 'no address';
  const isEmpty = (backends: readonly Backend[]): boolean => backends.length === 0;
  if (balancer === 'router') {
    const all = routes.length > 0 ? routes : ports;
    if (all.every(({ backends }) => isEmpty(backends))) return 'no backend';
  }
  const tried = addresses.flatMap((address) => ports.map(({ port }) => answering.get(`${address}:${port}`)));
  for (const state of ['refused', 'silent'] as const) if (tried.includes(state)) return state;
  return tried.length > 0 && tried.every((each) => each === 'answers') ? 'answers' : 'not tried';
}
