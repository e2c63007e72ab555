// The hops inside the cluster: node ports, endpoints and pods of the Services that a name leads to.
import { serviceOfSlice, type ExposedService, type ExposedSlice } from '../cluster/exposed-kinds.ts';
import type { Exposure } from '../exposures/exposure.ts';
import { backendsOf, formatPlace, type Hop } from './hop.ts';
import type { WhyFacts, WhyPod } from './why-facts.ts';

interface Target {
  readonly key: string;
  readonly service: ExposedService | undefined;
  readonly slices: readonly ExposedSlice[];
  readonly pods: readonly WhyPod[];
}

export function clusterHops(exposures: readonly Exposure[], facts: WhyFacts): readonly Hop[] {
  const targets = targetsOf(exposures, facts);
  return [explainNodePort(exposures, facts), explainEndpoint(targets), explainPod(targets)];
}

/** The Services, by "namespace/name". */
function targetsOf(exposures: readonly Exposure[], { cluster, pods }: WhyFacts): readonly Target[] {
  const keys = new Set<string>();
  for (const { source } of exposures) {
    if (source.kind === 'Service') keys.add(`${source.namespace}/${source.name}`);
    const ingress = cluster.ingresses.find(({ metadata }) => metadata.uid === source.uid);
    const backends = [
      ...(ingress?.spec.rules ?? []).flatMap(({ http }) => (http?.paths ?? []).map(({ backend }) => backend)),
      ...(ingress?.spec.defaultBackend === undefined ? [] : [ingress.spec.defaultBackend]),
    ];
    for (const backend of backends) if (backend.kind === 'service') keys.add(`${source.namespace}/${backend.name}`);
  }
  return [...keys].toSorted().map((key) => {
    const [namespace = '', name = ''] = key.split('/');
    const isHere = (object: { readonly metadata: { readonly namespace?: string | undefined } }): boolean =>
      (object.metadata.namespace ?? 'default') === namespace;
    const service = cluster.services.find((each) => isHere(each) && each.metadata.name === name);
    const selector = Object.entries(service?.spec.selector ?? {});
    const isSelected = (pod: WhyPod): boolean =>
      pod.namespace === namespace &&
      selector.length > 0 &&
      selector.every(([label, value]) => pod.labels[label] === value);
    return {
      key,
      service,
      slices: cluster.slices.filter((slice) => isHere(slice) && serviceOfSlice(slice) === name),
      pods: pods.filter(isSelected),
    };
  });
}

function explainNodePort(exposures: readonly Exposure[], { cluster, connections }: WhyFacts): Hop {
  const hop = 'node port';
  if (exposures.every(({ balancer }) => balancer === 'other')) {
    return { hop, state: 'unknown', words: 'a controller in the cluster takes the connections, not a node port' };
  }
  const backends = exposures.flatMap(backendsOf);
  if (backends.length === 0) {
    const nodes = cluster.nodes.map(({ metadata, status, spec }) => {
      const isReady =
        status?.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') === true;
      if (cluster.power.get(metadata.name) === 'stopped') return `${metadata.name} is off`;
      if (!isReady) return `${metadata.name} is not ready`;
      return spec.unschedulable === true
        ? `${metadata.name} is cordoned`
        : `${metadata.name} has no endpoint, or no node port`;
    });
    const words =
      nodes.length === 0 ? 'the cluster has no nodes' : `no node can take a connection: ${nodes.toSorted().join(', ')}`;
    return { hop, state: 'fails', words };
  }
  const seen = backends.map(({ node, address, port }) => ({
    place: `${node}:${port}`,
    connection: connections.get(formatPlace(address, port)),
  }));
  const broken = seen.filter(({ connection }) => connection === 'refused' || connection === 'silent');
  const [first] = broken;
  if (first !== undefined && broken.length === seen.length) {
    const how = first.connection === 'refused' ? 'refuse connections: nothing is ready behind them' : 'do not answer';
    return { hop, state: 'fails', words: `${seen.map(({ place }) => place).join(', ')} ${how}` };
  }
  const open = seen.filter(({ connection }) => connection === 'answers');
  if (open.length === 0) {
    return { hop, state: 'unknown', words: `no connection to ${seen.map(({ place }) => place).join(', ')} was tried` };
  }
  const rest = first === undefined ? '' : `; ${broken.map(({ place }) => place).join(', ')} not`;
  return { hop, state: 'ok', words: `${open.map(({ place }) => place).join(', ')} takes connections${rest}` };
}

/** Of several Services, as of an Ingress, the first that has a fault. */
function explainEndpoint(targets: readonly Target[]): Hop {
  const hop = 'endpoint';
  const absent = targets.find(({ service }) => service === undefined);
  if (absent !== undefined) {
    return { hop, state: 'fails', words: `there is no Service ${absent.key}`, fix: `create Service ${absent.key}` };
  }
  const counts = targets.map((target) => {
    const endpoints = target.slices.flatMap(({ endpoints: list }) => list ?? []);
    return { ...target, all: endpoints.length, ready: endpoints.filter(({ isReady }) => isReady).length };
  });
  const broken = counts.find(({ ready }) => ready === 0);
  if (broken === undefined) {
    const words = counts.map(({ key, ready, all }) => `${ready} of ${all} endpoints of ${key} ready`).join(', ');
    return { hop, state: 'ok', words };
  }
  if (broken.all > 0)
    return { hop, state: 'fails', words: `none of the ${broken.all} endpoints of Service ${broken.key} is ready` };
  const selector = Object.entries(broken.service?.spec.selector ?? {}).map(([key, value]) => `${key}=${value}`);
  if (selector.length === 0) {
    const words = `Service ${broken.key} has no selector and no endpoints`;
    return { hop, state: 'fails', words, fix: 'add spec.selector, or an EndpointSlice of your own' };
  }
  const words = `Service ${broken.key} has no endpoints: no pod with ${selector.join(',')} has an address`;
  return { hop, state: 'fails', words, fix: `kubectl get pods --selector ${selector.join(',')}` };
}

function explainPod(targets: readonly Target[]): Hop {
  const hop = 'pod';
  const selecting = targets.filter(({ service }) => Object.keys(service?.spec.selector ?? {}).length > 0);
  if (selecting.length === 0) return { hop, state: 'unknown', words: 'no Service here selects pods' };
  for (const { key, pods } of selecting) {
    if (pods.some(({ isReady }) => isReady)) continue;
    const [first] = pods.toSorted((one, other) => (one.name < other.name ? -1 : 1));
    if (first === undefined) {
      return {
        hop,
        state: 'fails',
        words: `Service ${key} selects no pod that exists`,
        fix: 'look at its selector, and at the Deployment’s replicas',
      };
    }
    const restarts =
      first.restarts === 0 ? '' : `, restarted ${first.restarts} ${first.restarts === 1 ? 'time' : 'times'}`;
    const words = `pod ${first.namespace}/${first.name} is ${first.reason ?? first.phase} and not ready${restarts}`;
    return { hop, state: 'fails', words, fix: `kubectl --namespace ${first.namespace} logs ${first.name}` };
  }
  const ready = selecting.flatMap(({ pods }) => pods.filter(({ isReady }) => isReady).map(({ name }) => name));
  return { hop, state: 'ok', words: `${ready.toSorted().join(', ')} ready` };
}
