// What an Ingress asks for: names, and where each host and path leads.
import { type Ingress, type IngressBackend, statusAddresses } from '../cluster/exposed-kinds.ts';
import { annotatedAddress, hostnames, ingressClass, isLeftAlone, normalName, sourceRanges } from './annotations.ts';
import {
  type DraftContext,
  type Drafted,
  isRefusal,
  portBackends,
  readRanges,
  refuse,
  refuseAnnotatedAddress,
  sourceOf,
} from './draft.ts';
import { noRouter } from './draft-service.ts';
import { compareText } from './eligible-nodes.ts';
import {
  type BalancerKind,
  exposureKey,
  type ExposureSettings,
  type ExposureSource,
  type HttpRoute,
  type Refusal,
} from './exposure.ts';

/** An Ingress of this class is the router's, whatever the lab says of the others. */
const routerIngressClass = 'labwright';
const httpPort = 80;
const httpsPort = 443;

export function draftIngress(ingress: Ingress, settings: ExposureSettings, context: DraftContext): Drafted {
  const { metadata, spec } = ingress;
  if (isLeftAlone(ingress) || metadata.deletionTimestamp !== undefined) return { refusals: [] };
  const source = sourceOf('Ingress', ingress);
  const className = ingressClass(ingress);
  const balancer = balancerOf(className, settings);
  const isRouted = balancer === 'router';
  if (isRouted && !settings.routerBalances) return { refusals: [noRouter(source, routerIngressClass)] };
  const ranges = isRouted ? readRanges(source, sourceRanges(ingress, [])) : {};
  if (isRefusal(ranges)) return { refusals: [ranges] };

  const hasTls = (spec.tls ?? []).length > 0;
  const routed = isRouted ? routesOf(ingress, source, context) : { routes: [], refusals: [] };
  const wanted = annotatedAddress(ingress);
  const unasked = isRouted ? [] : refuseAnnotatedAddress(source, wanted, 'give it to the Service of its controller');
  const refusals = [...routed.refusals, ...(isRouted && hasTls ? [noTls(source)] : []), ...unasked];
  const hosts = (spec.rules ?? []).flatMap(({ host }) => (host === undefined || host === '' ? [] : [normalName(host)]));
  const ports = [httpPort, ...(hasTls && !isRouted ? [httpsPort] : [])];
  return {
    refusals,
    draft: {
      key: exposureKey(source),
      source,
      createdAt: metadata.creationTimestamp ?? '',
      balancer,
      ...(className === undefined ? {} : { loadBalancerClass: className }),
      wantedNames: [...new Set([...hosts, ...hostnames(ingress)])],
      ...(wanted === undefined ? {} : { wantedAddress: wanted }),
      statusAddresses: statusAddresses(ingress),
      ports: ports.map((port) => ({ port, protocol: 'TCP', backends: [], standby: [] })),
      routes: routed.routes,
      ...ranges,
      affinity: 'none',
    },
  };
}

function balancerOf(className: string | undefined, settings: ExposureSettings): BalancerKind {
  if (className === routerIngressClass) return 'router';
  if (className === undefined && settings.ingress === 'router') return 'router';
  return 'other';
}

function noTls({ kind, namespace, name, uid }: ExposureSource): Refusal {
  return refuse({ kind, namespace, name, uid }, 'tls', {
    subject: 'tls',
    why: `Ingress ${name} asks for TLS, which the router does not end: it answers on port ${httpPort} only`,
    fix: 'use Traefik for it (spec.ingressClassName: traefik), or a Service of type LoadBalancer that speaks TLS itself',
  });
}

/** In the order they are to be tried: the more exact one first (networking.k8s.io/v1, "Multiple matches"). */
function routesOf(
  { spec }: Ingress,
  source: ExposureSource,
  context: DraftContext,
): { readonly routes: readonly HttpRoute[]; readonly refusals: readonly Refusal[] } {
  const refusals: Refusal[] = [];
  const routes: HttpRoute[] = [];
  const add = (host: string, path: string, match: HttpRoute['match'], backend: IngressBackend): void => {
    const target = findTarget(source, backend, context);
    if (isRefusal(target)) refusals.push(target);
    else routes.push({ host, path, match, ...target });
  };
  for (const { host, http } of spec.rules ?? []) {
    for (const { path = '/', pathType, backend } of http?.paths ?? []) {
      const whole = path.startsWith('/') ? path : `/${path}`;
      add(normalName(host ?? ''), whole, pathType === 'Exact' ? 'exact' : 'prefix', backend);
    }
  }
  if (spec.defaultBackend !== undefined) add('', '/', 'prefix', spec.defaultBackend);
  return { routes: routes.toSorted(byExactness), refusals };
}

export function byExactness(one: HttpRoute, other: HttpRoute): number {
  const rank = ({ host }: HttpRoute): number => (host === '' ? 2 : host.startsWith('*.') ? 1 : 0);
  return (
    rank(one) - rank(other) ||
    compareText(one.host, other.host) ||
    (one.match === other.match ? 0 : one.match === 'exact' ? -1 : 1) ||
    other.path.length - one.path.length ||
    compareText(one.path, other.path)
  );
}

function findTarget(
  source: ExposureSource,
  backend: IngressBackend,
  context: DraftContext,
): Pick<HttpRoute, 'target' | 'backends' | 'standby'> | Refusal {
  const no = (subject: string, why: string, fix: string): Refusal =>
    refuse(source, 'route-target', { subject, why: `Ingress ${source.name} leads to ${subject}, ${why}`, fix });
  if (backend.kind === 'resource') {
    return no(backend.name, 'which is no Service', 'name a Service as its backend');
  }
  const service = context.services.get(`${source.namespace}/${backend.name}`);
  const target = `${source.namespace}/${backend.name}:${backend.port}`;
  if (service === undefined) return no(target, 'and there is no such Service', `create Service ${backend.name}`);
  // A v1beta1 port may be a number written as text.
  const port = (service.spec.ports ?? []).find(
    ({ port: number, name }) => String(number) === String(backend.port) || name === backend.port,
  );
  if (port === undefined) {
    const known = (service.spec.ports ?? []).map(({ port: number }) => number).join(', ');
    return no(target, 'and that Service has no such port', `name one that it has: ${known}`);
  }
  if ((port.nodePort ?? 0) === 0) {
    const fix = `set spec.type: NodePort of Service ${backend.name}`;
    return refuse(source, 'no-node-port', {
      subject: target,
      why: `Ingress ${source.name} leads to ${target}, which has no node port, and the router reaches pods by those only`,
      fix,
    });
  }
  return { target, ...portBackends(service, port, context) };
}
