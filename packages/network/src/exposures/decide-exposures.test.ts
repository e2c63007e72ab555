import { ipv4 } from '@labwright/core/addresses/ipv4';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  carryOut,
  makeFacts,
  makeIngress,
  makeNode,
  makeService,
  makeSettings,
  makeSlice,
  type ServiceOptions,
} from './cluster.test-data.ts';
import { decideExposures } from './decide-exposures.ts';
import type { ExposureDecision, ExposureFacts, ExposureSettings } from './exposure.ts';

const decide = (facts: Partial<ExposureFacts>, settings: Partial<ExposureSettings> = {}): ExposureDecision =>
  decideExposures(makeFacts(facts), makeSettings(settings));
const reasons = ({ refusals }: ExposureDecision) => refusals.map(({ reason, subject }) => `${reason} ${subject}`);
const named = ({ exposures }: ExposureDecision) =>
  Object.fromEntries(exposures.map(({ key, names }) => [key, names.join(' ')]));
const nodesOf = (decision: ExposureDecision) =>
  decision.exposures[0]?.ports[0]?.backends.map(({ node }) => node).join(' ');

describe('a Service that the router balances', () => {
  test('knows the nodes that do not serve and may later, and no others', () => {
    const { exposures } = decide({
      services: [makeService('web', { spec: { externalTrafficPolicy: 'Local' } })],
      slices: [makeSlice('web', ['node2', '!node3'])],
      nodes: [
        makeNode('node1', { cordoned: true }),
        makeNode('node2'),
        makeNode('node3'),
        makeNode('node4', { ready: false }),
        makeNode('node5', { labels: { 'node.kubernetes.io/exclude-from-external-load-balancers': '' } }),
      ],
      power: new Map([['node3', 'stopped']]),
    });
    const [port] = exposures[0]?.ports ?? [];
    expect(port?.backends.map(({ node }) => node)).toEqual(['node2']);
    expect(port?.standby.map(({ node }) => node)).toEqual(['node1', 'node3', 'node4']);
  });

  test('has its names, an address of the range, and its node port on every ready node', () => {
    const { exposures, refusals } = decide({ services: [makeService('web', { hostname: 'web.svc, WWW.svc.' })] });
    expect(refusals).toEqual([]);
    expect(exposures).toEqual([
      {
        key: 'Service default/web',
        source: { kind: 'Service', namespace: 'default', name: 'web', uid: 'uid-of-default-web' },
        names: ['web.svc', 'www.svc'],
        addresses: [expect.stringMatching(/^10\.1\.3\.10\d$/)],
        balancer: 'router',
        ports: [
          {
            port: 80,
            protocol: 'TCP',
            backends: [101, 102, 103].map((number) => ({
              node: `node${number}`,
              address: `10.1.1.${number}`,
              port: 30_080,
            })),
            standby: [],
          },
        ],
        routes: [],
        affinity: 'none',
      },
    ]);
  });

  test.each<[string, Partial<ExposureFacts>, ServiceOptions, string]>([
    ['not one that is not ready', { nodes: [makeNode('node1'), makeNode('node2', { ready: false })] }, {}, 'node1'],
    [
      'not one whose VM is stopped, though it says ready',
      { power: new Map([['node102', 'stopped']]) },
      {},
      'node101 node103',
    ],
    ['one whose VM is not known', { power: new Map([['node102', 'unknown']]) }, {}, 'node101 node102 node103'],
    ['not one being drained', { nodes: [makeNode('node1', { cordoned: true }), makeNode('node2')] }, {}, 'node2'],
    ['one being drained when there is no other', { nodes: [makeNode('node1', { cordoned: true })] }, {}, 'node1'],
    [
      'not one that is kept out by its label',
      {
        nodes: [
          makeNode('node1', { labels: { 'node.kubernetes.io/exclude-from-external-load-balancers': '' } }),
          makeNode('node2'),
        ],
      },
      {},
      'node2',
    ],
    [
      'all that may run, when not one is said to be ready',
      {
        nodes: [makeNode('node1', { ready: false }), makeNode('node2', { ready: false })],
        power: new Map([['node1', 'stopped']]),
      },
      {},
      'node2',
    ],
    [
      'with the policy Local those with a ready endpoint',
      { slices: [makeSlice('web', ['node102', '!node103'])] },
      { spec: { externalTrafficPolicy: 'Local' } },
      'node102',
    ],
    [
      'with the policy Local by EndpointSlices of v1beta1',
      { slices: [makeSlice('web', ['node103', 'node101'], { version: 'v1beta1' })] },
      { spec: { externalTrafficPolicy: 'Local' } },
      'node101 node103',
    ],
    [
      'with the policy Local none of another port or namespace',
      {
        slices: [
          makeSlice('web', ['node101'], { portName: 'admin' }),
          makeSlice('web', ['node102'], { namespace: 'other' }),
        ],
      },
      { spec: { externalTrafficPolicy: 'Local' } },
      '',
    ],
    [
      'with the policy Local one that drains, as long as it alone has the endpoint',
      { nodes: [makeNode('node1', { cordoned: true }), makeNode('node2')], slices: [makeSlice('web', ['node1'])] },
      { spec: { externalTrafficPolicy: 'Local' } },
      'node1',
    ],
  ])('goes to nodes: %s', (_, facts, options, nodes) => {
    expect(nodesOf(decide({ services: [makeService('web', options)], ...facts }))).toBe(nodes);
  });

  test('lets in the networks it names, and nobody when they cannot be read', () => {
    const ranges = (loadBalancerSourceRanges: readonly string[]) =>
      decide({ services: [makeService('web', { spec: { loadBalancerSourceRanges } })] });
    expect(ranges(['10.1.0.0/22', ' 10.9.0.5/16']).exposures[0]?.sourceRanges).toEqual(['10.1.0.0/22', '10.9.0.0/16']);
    expect(ranges(['2001:db8::/32']).exposures[0]?.sourceRanges).toEqual([]);
    const broken = ranges(['10.1.0.0/22', 'home']);
    expect(broken.exposures).toEqual([]);
    expect(reasons(broken)).toEqual(['source-ranges home']);
  });

  test('keeps the client at its backend when asked to', () => {
    const { exposures } = decide({ services: [makeService('web', { spec: { sessionAffinity: 'ClientIP' } })] });
    expect(exposures[0]?.affinity).toBe('client');
  });

  test('with one port that cannot be balanced has the others', () => {
    const ports = [
      { port: 53, protocol: 'UDP', nodePort: 30_053 },
      { port: 53, protocol: 'TCP', nodePort: 30_054 },
      { port: 99, protocol: 'SCTP', nodePort: 30_099 },
      { port: 80, protocol: 'TCP' },
    ];
    const decision = decide({ services: [makeService('dns', { ports })] });
    expect(decision.exposures[0]?.ports.map(({ port }) => port)).toEqual([53]);
    expect(reasons(decision)).toEqual(['protocol 53/UDP', 'protocol 99/SCTP', 'no-node-port 80/TCP']);
  });

  test('with none is not exposed, and its name is free for another', () => {
    const dns = makeService('dns', { hostname: 'dns.svc', ports: [{ port: 53, protocol: 'UDP', nodePort: 30_053 }] });
    const decision = decide({ services: [dns, makeService('other', { hostname: 'dns.svc', age: 9 })] });
    expect(reasons(decision)).toEqual(['protocol 53/UDP', 'no-ports dns']);
    expect(named(decision)).toEqual({ 'Service default/other': 'dns.svc' });
  });
});

describe('a name', () => {
  test.each([
    ['web.example.org', 'name-outside web.example.org'],
    ['svc', 'name-outside svc'],
    ['web', 'name-outside web'],
    ['pve1.home.arpa', 'name-reserved pve1.home.arpa'],
    ['web_1.svc', 'name-invalid web_1.svc'],
    ['*.svc', 'name-invalid *.svc'],
    ['web..svc', 'name-invalid web..svc'],
    ['-web.svc', 'name-invalid -web.svc'],
    [`${'a.'.repeat(126)}svc`, `name-invalid ${'a.'.repeat(40)}…`],
  ])('%s is refused', (hostname, reason) => {
    const decision = decide({ services: [makeService('web', { hostname: `${hostname},ok.svc` })] });
    expect(reasons(decision)).toEqual([reason]);
    expect(named(decision)).toEqual({ 'Service default/web': 'ok.svc' });
  });

  test('goes to the older of two, of the same second to the one that comes first', () => {
    const decision = decide({
      services: [
        makeService('a', { hostname: 'web.svc', age: 5 }),
        makeService('b', { hostname: 'web.svc', age: 2 }),
        makeService('c', { hostname: 'web.svc', age: 2 }),
      ],
    });
    expect(named(decision)).toEqual({
      'Service default/a': '',
      'Service default/b': 'web.svc',
      'Service default/c': '',
    });
    expect(decision.refusals.map(({ why }) => why)).toEqual([
      'web.svc is the name of Service default/b, which is older',
      'web.svc is the name of Service default/b, which is older',
    ]);
  });

  test.each([
    [{ 'dns.pfsense.org/hostname': 'a.svc' }, 'a.svc'],
    [{ 'external-dns.kubernetes.io/hostname': 'a.svc,b.svc' }, 'a.svc b.svc'],
    [{ 'external-dns.alpha.kubernetes.io/hostname': 'a.svc' }, 'a.svc'],
    [
      { 'dns.pfsense.org/hostname': 'a.svc', 'external-dns.alpha.kubernetes.io/hostname': 'b.svc, a.svc' },
      'a.svc b.svc',
    ],
    [{ 'labwright.dev/hostname': 'own.svc', 'external-dns.alpha.kubernetes.io/hostname': 'b.svc' }, 'own.svc'],
  ])('is read from %o', (annotations, names) => {
    expect(named(decide({ services: [makeService('web', { annotations })] }))).toEqual({
      'Service default/web': names,
    });
  });
});

test('a name is kept for the older one also while that has no address, so that it does not move when it gets one', () => {
  const wanted = { 'labwright.dev/address': '10.1.0.10' };
  const services = [
    makeService('a', { hostname: 'web.svc', annotations: wanted }),
    makeService('b', { hostname: 'web.svc', age: 2 }),
  ];
  const decision = decide({ services });
  expect(reasons(decision)).toEqual(['address-taken 10.1.0.10', 'name-taken web.svc']);
  expect(named(decision)).toEqual({ 'Service default/b': '' });
});

describe('an address', () => {
  test('that is asked for is given, unless it is somebody else’s', () => {
    const wanting = (name: string, address: string, age: number) =>
      makeService(name, { annotations: { 'labwright.dev/address': address }, age });
    const decision = decide({
      services: [
        wanting('a', '10.1.3.105', 1),
        wanting('b', '10.1.3.105', 2),
        wanting('c', '10.1.0.10', 3),
        wanting('d', '10.1.2.1', 4),
        wanting('e', 'first', 5),
        makeService('f', { spec: { loadBalancerIP: '10.1.3.106' } }),
      ],
    });
    expect(decision.exposures.map(({ key, addresses }) => `${key} ${addresses.join()}`)).toEqual([
      'Service default/a 10.1.3.105',
      'Service default/f 10.1.3.106',
    ]);
    expect(decision.refusals.map(({ why }) => why)).toEqual([
      '10.1.3.105 is the address of Service default/a',
      '10.1.0.10 is the address of the control plane (kubernetes.endpoint)',
      '10.1.2.1 is not in the range for services, 10.1.3.100-10.1.3.109',
      '"first" is not an IPv4 address',
    ]);
  });

  test('is never the endpoint’s or another thing’s, and the one after the last is refused', () => {
    const taken = new Map([[ipv4('10.1.3.100'), 'the control plane (kubernetes.endpoint)']]);
    const services = Array.from({ length: 10 }, (_, age) => makeService(`web${age}`, { age }));
    const decision = decide({ services }, { takenAddresses: taken });
    const given = decision.exposures.flatMap(({ addresses }) => addresses);
    expect(new Set(given).size).toBe(9);
    expect(given).not.toContain('10.1.3.100');
    expect(reasons(decision)).toEqual(['range-full web9']);
    expect(decision.refusals[0]?.why).toContain('10.1.3.100-10.1.3.109');
  });

  describe('that somebody has on the router', () => {
    const pool = {
      range: { first: ipv4('10.1.3.90'), last: ipv4('10.1.3.107') },
      what: "leased out by the router's DHCP on lan",
    };
    const usedAddresses = { used: [pool], placed: [] };
    const given = ({ exposures }: ExposureDecision) => exposures.flatMap(({ addresses }) => addresses);

    test('is passed over, and the Event says so when it is asked for or nothing is left', () => {
      const services = [
        makeService('a', { spec: { loadBalancerIP: '10.1.3.105' } }),
        ...[1, 2, 3].map((age) => makeService(`web${age}`, { age })),
      ];
      const decision = decide({ services }, { usedAddresses });
      expect(given(decision).toSorted()).toEqual(['10.1.3.108', '10.1.3.109']);
      expect(decision.refusals.map(({ reason, why }) => `${reason} ${why}`)).toEqual([
        "address-used 10.1.3.105 is leased out by the router's DHCP on lan",
        "range-full Service web3 gets no address: all of 10.1.3.100-10.1.3.109 are in use, some of them on the router: leased out by the router's DHCP on lan",
      ]);
    });

    test('is not kept, unless ours was on the router first', () => {
      const services = [makeService('web', { address: '10.1.3.105' })];
      expect(given(decide({ services }, { usedAddresses }))).not.toContain('10.1.3.105');
      const placed = { ...usedAddresses, placed: [ipv4('10.1.3.105')] };
      expect(given(decide({ services }, { usedAddresses: placed }))).toEqual(['10.1.3.105']);
    });
  });

  test('is kept and not newly given while the router was not seen', () => {
    const services = [
      makeService('old', { address: '10.1.3.105' }),
      makeService('new', { hostname: 'new.svc', age: 1 }),
      makeService('moving', { address: '10.1.3.104', spec: { loadBalancerIP: '10.1.3.106' }, age: 2 }),
    ];
    const decision = decide({ services }, { unseen: 'the router fw1 was not seen yet' });
    expect(decision.exposures.map(({ key, addresses }) => `${key} ${addresses.join()}`)).toEqual([
      'Service default/moving 10.1.3.104',
      'Service default/old 10.1.3.105',
    ]);
    expect(decision.refusals.map(({ reason, why }) => `${reason} ${why}`)).toEqual([
      'router-unseen Service new gets no address yet: the router fw1 was not seen yet, and which addresses and ports are free is not known',
    ]);
  });

  test('without a range is refused', () => {
    const { range: _, ...settings } = makeSettings();
    expect(reasons(decideExposures(makeFacts({ services: [makeService('web')] }), settings))).toEqual(['no-range web']);
  });

  test('of MetalLB is left to it, and not given to another', () => {
    const services = Array.from({ length: 10 }, (_, age) =>
      age === 0
        ? makeService('lb', { spec: { loadBalancerClass: 'metallb.io/metallb' }, address: '10.1.3.104' })
        : makeService(`web${age}`, { age }),
    );
    const { exposures, refusals } = decide({ services });
    expect(refusals).toEqual([]);
    expect(exposures.find(({ balancer }) => balancer === 'metallb')?.addresses).toEqual(['10.1.3.104']);
    expect(new Set(exposures.flatMap(({ addresses }) => addresses)).size).toBe(10);
  });
});

describe('a port that the router has itself', () => {
  const page = { port: 80, purpose: 'the router’s web page' };

  test('on all addresses is refused', () => {
    const decision = decide({ services: [makeService('web', { hostname: 'web.svc' })] }, { routerPorts: [page] });
    expect(reasons(decision)).toEqual(['port-reserved 80/TCP']);
    expect(decision.exposures).toEqual([]);
  });

  test('on its own address is no matter', () => {
    const routerPorts = [{ ...page, address: ipv4('10.1.0.1') }];
    expect(reasons(decide({ services: [makeService('web')] }, { routerPorts }))).toEqual([]);
  });
});

describe('who balances', () => {
  test('MetalLB gives names to what it gave an address, UDP as well', () => {
    const ports = [{ port: 53, protocol: 'UDP' }];
    const services = [
      makeService('dns', { hostname: 'dns.svc', ports, address: '10.1.3.100' }),
      makeService('new', { hostname: 'new.svc', age: 1 }),
    ];
    const { exposures, refusals } = decide({ services }, { balancer: 'metallb', routerBalances: false });
    expect(refusals).toEqual([]);
    expect(exposures).toMatchObject([
      { balancer: 'metallb', names: ['dns.svc'], addresses: ['10.1.3.100'], ports: [{ port: 53, protocol: 'UDP' }] },
      { balancer: 'metallb', names: ['new.svc'], addresses: [] },
    ]);
  });

  test('a class decides, where the API keeps it', () => {
    const classed = (name: string, loadBalancerClass: string) => makeService(name, { spec: { loadBalancerClass } });
    const services = [classed('a', 'labwright.dev/router'), classed('b', 'example.org/tunnel'), makeService('c')];
    const kinds = decide({ services }, { balancer: 'metallb' }).exposures.map(({ balancer }) => balancer);
    expect(kinds).toEqual(['router', 'other', 'metallb']);
    expect(reasons(decide({ services }, { balancer: 'metallb', routerBalances: false }))).toEqual([
      'no-router labwright.dev/router',
    ]);
  });

  test('what is not of type LoadBalancer is told so when it asks for us, and otherwise left alone', () => {
    const spec = { type: 'ClusterIP' };
    const other = { 'external-dns.alpha.kubernetes.io/hostname': 'b.svc' };
    const services = [makeService('a', { spec, hostname: 'a.svc' }), makeService('b', { spec, annotations: other })];
    expect(reasons(decide({ services }))).toEqual(['type ClusterIP']);
    const alone = makeService('c', { annotations: { 'labwright.dev/expose': 'false' }, hostname: 'c.svc' });
    expect(decide({ services: [alone] })).toEqual({ exposures: [], refusals: [] });
  });
});

describe('an Ingress', () => {
  const services = [
    makeService('web', { spec: { type: 'NodePort' } }),
    makeService('api', { spec: { type: 'NodePort' } }),
  ];

  test.each(['v1', 'v1beta1'] as const)('of %s leads each path to its Service, the more exact first', (version) => {
    const rules = ['shop.svc/ web:80', 'shop.svc/api api:80', '=shop.svc/api/v2 web:80'];
    const decision = decide({ services, ingresses: [makeIngress('shop', rules, { version })] });
    expect(decision.refusals).toEqual([]);
    expect(decision.exposures).toMatchObject([{ names: ['shop.svc'], balancer: 'router', ports: [{ port: 80 }] }]);
    expect(decision.exposures[0]?.routes.map(({ match, path, target }) => `${match} ${path} ${target}`)).toEqual([
      'exact /api/v2 default/web:80',
      'prefix /api default/api:80',
      'prefix / default/web:80',
    ]);
    expect(decision.exposures[0]?.routes[0]?.backends).toHaveLength(3);
  });

  test('shares the address and its host with another, and the older keeps a path', () => {
    const decision = decide({
      services,
      ingresses: [
        makeIngress('a', ['shop.svc/ web:80', 'shop.svc/x web:80'], { age: 1 }),
        makeIngress('b', ['shop.svc/ api:80', 'shop.svc/y api:80'], { age: 2 }),
      ],
    });
    expect(named(decision)).toEqual({ 'Ingress default/a': 'shop.svc', 'Ingress default/b': 'shop.svc' });
    expect(new Set(decision.exposures.flatMap(({ addresses }) => addresses)).size).toBe(1);
    expect(reasons(decision)).toEqual(['route-taken shop.svc/']);
    expect(decision.exposures[1]?.routes.map(({ path }) => path)).toEqual(['/y']);
  });

  test('does not get the name of an older Service', () => {
    const older = makeService('old', { hostname: 'shop.svc' });
    const ingresses = [makeIngress('shop', ['shop.svc/ web:80'], { age: 9 })];
    expect(reasons(decide({ services: [...services, older], ingresses }))).toEqual(['name-taken shop.svc']);
  });

  test.each([
    ['a.svc/ none:80', 'route-target default/none:80'],
    ['a.svc/ web:81', 'route-target default/web:81'],
    ['a.svc/ inner:80', 'no-node-port default/inner:80'],
  ])('to %s is refused', (rule, reason) => {
    const inner = makeService('inner', { spec: { type: 'ClusterIP' }, ports: [{ port: 80, protocol: 'TCP' }] });
    expect(reasons(decide({ services: [...services, inner], ingresses: [makeIngress('a', [rule])] }))).toEqual([
      reason,
    ]);
  });

  test('with TLS is told that it answers on port 80 only', () => {
    const ingress = makeIngress('a', ['a.svc/ web:80'], { spec: { tls: [{ hosts: ['a.svc'] }] } });
    expect(reasons(decide({ services, ingresses: [ingress] }))).toEqual(['tls tls']);
  });

  describe('that asks for an address', () => {
    const asking = (name: string, address: string, age = 0, spec = {}) =>
      makeIngress(name, [`${name}.svc/ web:80`], { age, spec, annotations: { 'labwright.dev/address': address } });
    const plain = makeIngress('plain', ['plain.svc/ web:80'], { age: 1 });
    const given = (decision: ExposureDecision) =>
      Object.fromEntries(decision.exposures.map(({ source, addresses }) => [source.name, addresses.join()]));

    test('has it with all others, and a younger one that asks otherwise is told', () => {
      const ingresses = [plain, asking('a', '10.1.3.105', 2), asking('b', '10.1.3.106', 3)];
      const decision = decide({ services, ingresses });
      expect(given(decision)).toEqual({ a: '10.1.3.105', b: '10.1.3.105', plain: '10.1.3.105' });
      expect(reasons(decision)).toEqual(['address 10.1.3.106']);
    });

    test('that it cannot have is told, and all others stay as they are', () => {
      const held = new Map([['Ingress *', ipv4('10.1.3.104')]]);
      const ingresses = [plain, asking('a', '10.1.9.9')];
      const decision = decide({ services, ingresses, held });
      expect(given(decision)).toEqual({ a: '10.1.3.104', plain: '10.1.3.104' });
      expect(decision.refusals.map(({ key, why }) => `${key}: ${why}`)).toEqual([
        'Ingress default/a: 10.1.9.9 is not in the range for services, 10.1.3.100-10.1.3.109',
      ]);
    });

    test('and is not the router’s is told, as is a Service of MetalLB', () => {
      const annotations = { 'labwright.dev/address': '10.1.3.105' };
      const lb = makeService('lb', { annotations, spec: { loadBalancerClass: 'metallb.io/metallb' } });
      const ingresses = [asking('a', '10.1.3.105', 0, { ingressClassName: 'traefik' })];
      expect(reasons(decide({ services: [...services, lb], ingresses }))).toEqual([
        'address 10.1.3.105',
        'address 10.1.3.105',
      ]);
    });
  });

  test('of another class has the address that its controller gives', () => {
    const spec = { ingressClassName: 'traefik' };
    const ingress = makeIngress('a', ['a.svc/ none:80'], { spec, address: '10.1.3.100' });
    const decision = decide({ ingresses: [ingress] });
    expect(decision).toMatchObject({
      refusals: [],
      exposures: [{ balancer: 'other', names: ['a.svc'], addresses: ['10.1.3.100'], routes: [] }],
    });
  });
});

describe('whatever the cluster holds', () => {
  const hostname = fc.constantFrom('a.svc', 'b.svc', 'c.home.arpa', 'pve1.home.arpa', 'x.example.org', '');
  const spec = fc.constantFrom(
    {},
    { externalTrafficPolicy: 'Local' },
    { loadBalancerClass: 'labwright.dev/router' },
    { loadBalancerClass: 'metallb.io/metallb' },
    { type: 'ClusterIP' },
    { loadBalancerIP: '10.1.3.101' },
  );
  const anyService = fc.record({ index: fc.nat(11), age: fc.nat(5), hostname, spec }).map(({ index, age, ...rest }) =>
    makeService(`s${index}`, {
      age,
      spec: rest.spec,
      ...(rest.hostname === '' ? {} : { hostname: rest.hostname }),
    }),
  );
  const anyIngress = fc
    .record({ index: fc.nat(3), age: fc.nat(5), rules: fc.subarray(['a.svc/ s1:80', 'b.svc/x s2:80', 'd.svc/ s3:80']) })
    .map(({ index, age, rules }) => makeIngress(`i${index}`, rules, { age }));
  const anyNode = fc
    .record({ index: fc.nat(3), ready: fc.boolean(), cordoned: fc.boolean() })
    .map(({ index, ready, cordoned }) => makeNode(`node${index}`, { ready, cordoned }));
  const anySlice = fc
    .tuple(
      fc.nat(5),
      fc.subarray(['node0', '!node1', 'node2', 'node3']),
      fc.constantFrom('v1' as const, 'v1beta1' as const),
    )
    .map(([index, places, version]) => makeSlice(`s${index}`, places, { version }));
  const byName = { selector: ({ metadata }: { readonly metadata: { readonly name: string } }) => metadata.name };
  const anyFacts = fc
    .record({
      services: fc.uniqueArray(anyService, { ...byName, maxLength: 12 }),
      ingresses: fc.uniqueArray(anyIngress, { ...byName, maxLength: 4 }),
      nodes: fc.uniqueArray(anyNode, { ...byName, maxLength: 4 }),
      slices: fc.array(anySlice, { maxLength: 6 }),
    })
    .map(makeFacts);
  const settings = makeSettings();
  const runs = { numRuns: 200 };

  test('its order means nothing', () => {
    const shuffled = anyFacts.chain((facts) =>
      fc
        .tuple(
          fc.shuffledSubarray([...facts.services], { minLength: facts.services.length }),
          fc.shuffledSubarray([...facts.ingresses], { minLength: facts.ingresses.length }),
          fc.shuffledSubarray([...facts.nodes], { minLength: facts.nodes.length }),
          fc.shuffledSubarray([...facts.slices], { minLength: facts.slices.length }),
        )
        .map(
          ([services, ingresses, nodes, slices]) => [facts, { ...facts, services, ingresses, nodes, slices }] as const,
        ),
    );
    fc.assert(
      fc.property(shuffled, ([facts, other]) => {
        expect(decideExposures(other, settings)).toEqual(decideExposures(facts, settings));
      }),
      runs,
    );
  });

  test('once carried out, the same is decided again', () => {
    fc.assert(
      fc.property(anyFacts, (facts) => {
        const decision = decideExposures(facts, settings);
        const after = carryOut(facts, decision);
        expect(decideExposures(after, settings)).toEqual(decision);
        // A new process knows what the status says.
        expect(decideExposures({ ...after, held: new Map() }, settings)).toEqual(decision);
      }),
      runs,
    );
  });

  test('removing one exposure moves no other, and takes no name of another', () => {
    fc.assert(
      fc.property(anyFacts, fc.nat(), (facts, chosen) => {
        const before = decideExposures(facts, settings);
        const gone = before.exposures[chosen % Math.max(1, before.exposures.length)];
        fc.pre(gone !== undefined);
        const stays = ({ metadata }: { readonly metadata: { readonly uid: string } }): boolean =>
          metadata.uid !== gone?.source.uid;
        const carried = carryOut(facts, before);
        const after = decideExposures(
          { ...carried, services: carried.services.filter(stays), ingresses: carried.ingresses.filter(stays) },
          settings,
        );
        for (const { key, addresses, names } of before.exposures) {
          if (key === gone?.key) continue;
          const now = after.exposures.find((each) => each.key === key);
          expect(now?.addresses).toEqual(addresses);
          for (const name of names) expect(now?.names).toContain(name);
        }
      }),
      runs,
    );
  });

  test('no two have one address or name, unless they are Ingresses, and all addresses are of the range', () => {
    fc.assert(
      fc.property(anyFacts, (facts) => {
        const { exposures } = decideExposures(facts, settings);
        const routed = exposures.filter(({ source, balancer }) => source.kind === 'Service' && balancer === 'router');
        const addresses = routed.flatMap((each) => each.addresses);
        expect(new Set(addresses).size).toBe(addresses.length);
        for (const address of addresses) expect(address).toMatch(/^10\.1\.3\.10\d$/);
        const names = exposures.filter(({ source }) => source.kind === 'Service').flatMap((each) => each.names);
        expect(new Set(names).size).toBe(names.length);
      }),
      runs,
    );
  });
});
