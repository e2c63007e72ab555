// Objects of a cluster for tests, as its API server gives them.
import { ipv4 } from '@labwright/core/addresses/ipv4';
import { type Node, nodeKind } from '@labwright/drivers/kubernetes/kind';
import {
  exposedServiceKind,
  type ExposedService,
  type ExposedSlice,
  exposedSliceKind,
  type Ingress,
  ingressKind,
} from '../cluster/exposed-kinds.ts';
import type { ExposureDecision, ExposureFacts, ExposureSettings } from './exposure.ts';
import { heldAddresses } from './decide-exposures.ts';
import { statusChanges } from './events.ts';

export interface MetaOptions {
  readonly namespace?: string;
  /** Seconds after the beginning of all. */
  readonly age?: number;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
}

const metadata = (name: string, { namespace = 'default', age = 0, annotations, labels }: MetaOptions) => ({
  name,
  namespace,
  uid: `uid-of-${namespace}-${name}`,
  resourceVersion: '1',
  creationTimestamp: new Date(Date.UTC(2026, 0, 1, 0, 0, age)).toISOString().replace('.000Z', 'Z'),
  ...(annotations === undefined ? {} : { annotations }),
  ...(labels === undefined ? {} : { labels }),
});

export interface ServiceOptions extends MetaOptions {
  readonly hostname?: string;
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly address?: string;
  readonly ports?: readonly object[];
}

/** A Service of type LoadBalancer with the TCP port 80, node port 30080. */
export function makeService(name: string, options: ServiceOptions = {}): ExposedService {
  const { hostname, spec = {}, address, ports = [{ port: 80, protocol: 'TCP', nodePort: 30_080 }] } = options;
  const named = hostname === undefined ? {} : { 'labwright.dev/hostname': hostname };
  return exposedServiceKind.parse({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: metadata(name, { ...options, annotations: { ...named, ...options.annotations } }),
    spec: { type: 'LoadBalancer', clusterIP: '10.96.0.7', ports, ...spec },
    status: { loadBalancer: address === undefined ? {} : { ingress: [{ ip: address }] } },
  });
}

export function makeNode(
  name: string,
  options: MetaOptions & {
    readonly address?: string;
    readonly ready?: boolean;
    readonly cordoned?: boolean;
  } = {},
): Node {
  const { address = `10.1.1.${name.replaceAll(/\D/g, '')}`, ready = true, cordoned = false } = options;
  return nodeKind.parse({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: metadata(name, options),
    spec: cordoned ? { unschedulable: true } : {},
    status: {
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'Unknown' }],
      addresses: [
        { type: 'Hostname', address: name },
        { type: 'InternalIP', address },
      ],
    },
  });
}

/** `places`: the node of each endpoint, with "!" before it when it is not ready. */
export function makeSlice(
  service: string,
  places: readonly string[],
  options: MetaOptions & { readonly version?: 'v1' | 'v1beta1'; readonly portName?: string } = {},
): ExposedSlice {
  const { version = 'v1', portName = '' } = options;
  const endpoints = places.map((place, index) => {
    const node = place.replace('!', '');
    return {
      addresses: [`10.244.0.${index + 1}`],
      conditions: { ready: !place.startsWith('!') },
      targetRef: { kind: 'Pod', name: `${service}-${index}` },
      ...(version === 'v1' ? { nodeName: node } : { topology: { 'kubernetes.io/hostname': node } }),
    };
  });
  return exposedSliceKind.parse({
    apiVersion: `discovery.k8s.io/${version}`,
    kind: 'EndpointSlice',
    metadata: metadata(`${service}-abc`, { ...options, labels: { 'kubernetes.io/service-name': service } }),
    addressType: 'IPv4',
    endpoints,
    ports: [{ name: portName, port: 8080, protocol: 'TCP' }],
  });
}

/** Each rule: "HOST/PATH SERVICE:PORT", with "=" before it for an exact path. */
export function makeIngress(
  name: string,
  rules: readonly string[],
  options: MetaOptions & {
    readonly version?: 'v1' | 'v1beta1';
    readonly spec?: Readonly<Record<string, unknown>>;
    readonly address?: string;
  } = {},
): Ingress {
  const { version = 'v1', spec = {}, address } = options;
  return ingressKind.parse({
    apiVersion: `networking.k8s.io/${version}`,
    kind: 'Ingress',
    metadata: metadata(name, options),
    spec: {
      rules: rules.map((rule) => {
        const [, exact, host, path, service = '', port] = /^(=?)([^/]*)(\/\S*) ([^:]+):(\d+)$/.exec(rule) ?? [];
        const backend =
          version === 'v1'
            ? { service: { name: service, port: { number: Number(port) } } }
            : { serviceName: service, servicePort: Number(port) };
        const pathType = exact === '=' ? 'Exact' : 'Prefix';
        return { host, http: { paths: [{ path, pathType, backend }] } };
      }),
      ...spec,
    },
    status: { loadBalancer: address === undefined ? {} : { ingress: [{ ip: address }] } },
  });
}

export const makeFacts = (overrides: Partial<ExposureFacts> = {}): ExposureFacts => ({
  services: [],
  ingresses: [],
  slices: [],
  nodes: [makeNode('node101'), makeNode('node102'), makeNode('node103')],
  power: new Map(),
  held: new Map(),
  ...overrides,
});

export const makeSettings = (overrides: Partial<ExposureSettings> = {}): ExposureSettings => ({
  domains: ['svc', 'home.arpa'],
  balancer: 'router',
  ingress: 'router',
  routerBalances: true,
  range: { first: ipv4('10.1.3.100'), last: ipv4('10.1.3.109') },
  takenAddresses: new Map([[ipv4('10.1.0.10'), 'the control plane (kubernetes.endpoint)']]),
  reservedNames: new Map([['pve1.home.arpa', 'host pve1']]),
  routerPorts: [],
  ...overrides,
});

/** The facts after the decision was carried out: its addresses are held, and in the status of their objects. */
export function carryOut(facts: ExposureFacts, decision: ExposureDecision): ExposureFacts {
  const changes = new Map(statusChanges(decision, facts).map(({ source, addresses }) => [source.uid, addresses]));
  const write = <Value extends ExposedService | Ingress>(object: Value): Value => {
    const addresses = changes.get(object.metadata.uid);
    if (addresses === undefined) return object;
    // As the API server keeps it.
    const fieldsV1 = { 'f:status': { 'f:loadBalancer': { 'f:ingress': {} } } };
    const managedFields = [{ manager: 'labwright', operation: 'Update', subresource: 'status', fieldsV1 }];
    return {
      ...object,
      metadata: { ...object.metadata, managedFields },
      status: { loadBalancer: { ingress: addresses.map((ip) => ({ ip })) } },
    };
  };
  return {
    ...facts,
    services: facts.services.map(write),
    ingresses: facts.ingresses.map(write),
    held: heldAddresses(decision),
  };
}
