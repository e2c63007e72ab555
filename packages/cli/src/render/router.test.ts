import type { ExposuresAnswer, RouterDiffAnswer, RouterStatus, WhyAnswer } from '@labwright/core/contract/contract';
import { expect, test } from 'vitest';
import { formatExposures, formatWhy } from './exposures.ts';
import { formatAdoption, formatRouterDiff, routerRow } from './router.ts';
import { layoutRows } from './rows.ts';
import type { TextStyle } from './text.ts';

const style: TextStyle = { columns: 80, hasColour: false, isPlain: false };
const plain: TextStyle = { ...style, isPlain: true };

const router: RouterStatus = {
  name: 'fw1',
  address: '10.1.0.1',
  manage: ['dns', 'haproxy'],
  version: '2.7.2-RELEASE',
  standing: 'in step',
  words: null,
};

test('the router is a line, with a word where it is not in step', () => {
  const lines = (status: RouterStatus, as = style) => layoutRows([routerRow(status, as)], as);
  expect(lines(router)).toMatchInlineSnapshot(`
    [
      "  ● fw1  10.1.0.1  pfSense 2.7.2  in step",
    ]
  `);
  expect(lines(router, plain)).toMatchInlineSnapshot(`
    [
      "  ● in step fw1  10.1.0.1  pfSense 2.7.2",
    ]
  `);
  expect(
    lines({
      ...router,
      standing: 'capped',
      words: 'names are live, the rest waits: written as often as an hour may have',
    }),
  ).toMatchInlineSnapshot(`
    [
      "  ▲ fw1  10.1.0.1  pfSense 2.7.2  capped  names are live, the rest waits:",
      "                                          written as often as an hour may have",
    ]
  `);
  expect(lines({ ...router, version: null, standing: 'away', words: 'no TLS connection within 10000 ms' }))
    .toMatchInlineSnapshot(`
    [
      "  ■ fw1  10.1.0.1    away  no TLS connection within 10000 ms",
    ]
  `);
});

const diff: RouterDiffAnswer = {
  router: 'fw1',
  version: '2.7.2-RELEASE',
  differences: [
    { change: 'add', place: 'unbound/hosts', subject: 'node101.home.arpa', why: null },
    {
      change: 'add',
      place: 'installedpackages/haproxy/ha_backends/item',
      subject: 'front end lw-home-endpoint (10.1.0.10:6443)',
      why: 'taken back after it was written: 10.1.0.10:6443 refuses connections',
    },
    { change: 'change', place: 'virtualip/vip', subject: 'address 10.1.0.10', why: null },
    {
      change: 'remove',
      place: 'installedpackages/haproxy/ha_backends/item',
      subject: 'front end lw-home-10.1.3.100-80 (10.1.3.100:80)',
      why: null,
    },
  ],
  conflicts: [
    {
      place: 'unbound/hosts',
      entry: 'exposed.web.svc',
      why: 'the name web.svc is taken by an entry made by hand ("my own web server")',
    },
  ],
  hasExposures: false,
};

test('the differences, and what stands in the way', () => {
  expect(formatRouterDiff(diff, style)).toMatchInlineSnapshot(`
    "fw1, pfSense 2.7.2-RELEASE: 4 of this lab's entries should be otherwise, 1 entry
    in the way
      + node101.home.arpa  unbound/hosts
      + front end lw-home-endpoint (10.1.0.10:6443)
          installedpackages/haproxy/ha_backends/item
          taken back after it was written: 10.1.0.10:6443 refuses connections
      ~ address 10.1.0.10  virtualip/vip
      - front end lw-home-10.1.3.100-80 (10.1.3.100:80)
          installedpackages/haproxy/ha_backends/item

      ▲ exposed.web.svc  unbound/hosts  the name web.svc is taken by an entry made
                                        by hand ("my own web server")

    what the cluster exposes was not compared: only labwright serve follows it
    "
  `);
  expect(formatRouterDiff({ ...diff, differences: [], conflicts: [], hasExposures: true }, style))
    .toMatchInlineSnapshot(`
    "fw1, pfSense 2.7.2-RELEASE: every entry of this lab is as it should be
    "
  `);
});

test('handing an entry over shows it before and after', () => {
  const adoption = {
    router: 'fw1',
    place: 'unbound/hosts',
    before: 'host=web, domain=svc, ip=10.1.0.9, descr=my own web server',
    after: 'host=web, domain=svc, ip=10.1.3.100, descr=labwright:home/lab/exposed.web.svc',
    hash: 'a'.repeat(64),
    isDone: false,
  };
  expect(formatAdoption(adoption, style)).toMatchInlineSnapshot(`
    "on fw1, in unbound/hosts, this entry becomes one of the lab's:
    - host=web, domain=svc, ip=10.1.0.9, descr=my own web server
    + host=web, domain=svc, ip=10.1.3.100, descr=labwright:home/lab/exposed.web.svc
    "
  `);
});

const exposed: ExposuresAnswer = {
  asOf: 0,
  exposures: [
    {
      object: 'Service default/web',
      name: 'web.svc',
      address: '10.1.3.100',
      port: '80',
      endsAt: 'node101:30080, node102:30080, node103:30080',
      state: 'answers',
      words: null,
    },
    {
      object: 'Service home/db',
      name: 'db.svc, db.home.arpa',
      address: '10.1.3.101',
      port: '3306',
      endsAt: '-',
      state: 'no backend',
      words: null,
    },
    {
      object: 'Service default/dns',
      name: '53/UDP',
      address: '-',
      port: '-',
      endsAt: '-',
      state: 'not exposed',
      words: 'port 53/UDP cannot be balanced by the router: its HAProxy takes TCP; reach it by its node port',
    },
  ],
  ends: [{ name: 'pfSense fw1', state: 'behind', why: 'the router fw1 did not answer' }],
  router,
};

test('everything that is exposed, and what is not, in 80 columns', () => {
  for (const as of [style, plain, { ...style, columns: 120 }]) {
    const lines = formatExposures(exposed, as).split('\n');
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(as.columns);
  }
  expect(formatExposures(exposed, style)).toMatchInlineSnapshot(`
    "1 of 2 exposed answer · 1 refusal
      ● web.svc               10.1.3.100  80    answers     Service default/web →
                                                            node101:30080,
                                                            node102:30080,
                                                            node103:30080
      ■ db.svc, db.home.arpa  10.1.3.101  3306  no backend  Service home/db
      ▲ 53/UDP                port 53/UDP cannot be balanced by the router: its
                              HAProxy takes TCP; reach it by its node port

      ● fw1  10.1.0.1  pfSense 2.7.2  in step
    pfSense fw1 is behind: the router fw1 did not answer
    "
  `);
  expect(formatExposures(exposed, plain)).toMatchInlineSnapshot(`
    "1 of 2 exposed answer · 1 refusal
      ● answers     web.svc               10.1.3.100  80    Service default/web →
                                                            node101:30080,
                                                            node102:30080,
                                                            node103:30080
      ■ no backend  db.svc, db.home.arpa  10.1.3.101  3306  Service home/db
      ▲ not exposed 53/UDP                port 53/UDP cannot be balanced by the
                                          router: its HAProxy takes TCP; reach it by
                                          its node port

      ● in step fw1  10.1.0.1  pfSense 2.7.2
    pfSense fw1 is behind: the router fw1 did not answer
    "
  `);
  expect(formatExposures({ asOf: 0, exposures: [], ends: [] }, style)).toMatchInlineSnapshot(`
    "nothing is exposed: no Service of type LoadBalancer and no Ingress asks for it
    "
  `);
});

const report: WhyAnswer = {
  name: 'web.svc',
  verdict: 'web.svc fails at the endpoint: Service default/web has no endpoints: no pod with app=web has an address',
  hops: [
    { hop: 'record', state: 'ok', words: 'pfSense fw1 holds 10.1.3.100 for web.svc', fix: null },
    { hop: 'resolver', state: 'ok', words: '10.1.0.1 answers 10.1.3.100', fix: null },
    { hop: 'balancer', state: 'unknown', words: 'no connection to 10.1.3.100:80 was tried', fix: null },
    {
      hop: 'endpoint',
      state: 'fails',
      words: 'Service default/web has no endpoints: no pod with app=web has an address',
      fix: 'kubectl get pods --selector app=web',
    },
  ],
};

test('why a name does not answer, hop by hop', () => {
  expect(formatWhy(report, style)).toMatchInlineSnapshot(`
    "web.svc fails at the endpoint: Service default/web has no endpoints: no pod with
    app=web has an address
      ● record    pfSense fw1 holds 10.1.3.100 for web.svc
      ● resolver  10.1.0.1 answers 10.1.3.100
      ○ balancer  no connection to 10.1.3.100:80 was tried
      ■ endpoint  Service default/web has no endpoints: no pod with app=web has an
                  address
    fix: kubectl get pods --selector app=web
    "
  `);
});
