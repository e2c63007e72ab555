// The area as the planner meets it, with real services on loopback and a cluster that does not answer.
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { ipv4 } from '@labwright/core/addresses/ipv4';
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import { resolveBlueprint } from '@labwright/core/blueprint/resolve-blueprint';
import { LabwrightError } from '@labwright/core/errors/error';
import type { HypervisorFacts } from '@labwright/core/facts/hypervisors';
import { parseLab } from '@labwright/core/lab/parse-lab';
import { mergePlans, movedReliances } from '@labwright/core/plan/plan';
import type { Step } from '@labwright/core/plan/step';
import { silentLog } from '@labwright/core/ports/log';
import { Secret } from '@labwright/core/ports/secret';
import { systemClock, systemRandom } from '@labwright/core/ports/system';
import { generateSshKey } from '@labwright/drivers/ssh/identity';
import { makeBlueprint } from '@labwright/machines/sample-lab.test-data';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ClusterView } from '../cluster/cluster-area.ts';
import { kubernetesLab } from './kubernetes-lab.test-data.ts';
import { makeServicesArea, type ServiceCluster } from './services-area.ts';

const { signal } = new AbortController();
const hypervisors: HypervisorFacts = { asOf: 0, hosts: [], vms: [] };
const shared = {
  identity: generateSshKey(),
  currentReports: () => [],
  cacheDirectory: '/nowhere',
  stateDirectory: '/nowhere',
  signal,
  clock: systemClock,
  random: systemRandom,
  log: silentLog,
};

let server: Server;
beforeAll(async () => {
  server = createServer((socket) => socket.end()).listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(() => void server.close());

function withOutsideServices(blueprint: Blueprint): Blueprint {
  const address = server.address();
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  const service = (name: string, at: string) =>
    ({ name, dnsName: `${name}.home.arpa`, kind: 'other', address: ipv4(at), port }) as const;
  return { ...blueprint, services: [service('photos', '127.0.0.1'), service('music', '127.0.0.2')] };
}

describe('a lab without a cluster', () => {
  test('notes the services outside that do not answer, and tells of all in status', async () => {
    const area = makeServicesArea({ ...shared, blueprint: withOutsideServices(makeBlueprint([])) });
    const plans = await area.plan({ hypervisors, others: [] }, signal);
    const { steps, problems, notes } = mergePlans(makeBlueprint([]).lab, 0, plans);
    expect([steps, problems, notes]).toEqual([
      [],
      [],
      [expect.stringMatching(/^music does not answer at 127\.0\.0\.2/)],
    ]);
    expect((await area.status(signal)).map(({ name, state }) => [name, state])).toEqual([
      ['photos', 'well'],
      ['music', 'unreachable'],
    ]);
  });

  test('has nothing to say where it has none', async () => {
    const area = makeServicesArea({ ...shared, blueprint: makeBlueprint([]) });
    const plans = await area.plan({ hypervisors, others: [] }, signal);
    expect(plans.flatMap(({ steps, problems, notes }) => [...steps, ...problems, ...notes])).toEqual([]);
    expect(await area.status(signal)).toEqual([]);
  });
});

describe('a lab with a cluster', () => {
  const silent: ClusterView = {
    facts: { kind: 'silent', why: '', hasKeys: true, disks: [], asOf: 0 },
    keys: { kind: 'usable' },
  };
  const secrets = { db: { data: { password: { env: 'DB_PASSWORD' } } } };
  const form = (change: Step['change']): Step => ({
    ...{ id: 'cluster.form cluster', kind: 'cluster.form', target: 'cluster', title: '', reason: '', needs: [] },
    ...{ change, risk: { level: 'none' }, estimateMs: 0, relies: [], queues: [], input: { name: '', unsure: [] } },
  });

  function makeArea(
    read: ServiceCluster['area']['reach']['vault']['read'] = async () => await Promise.resolve(undefined),
  ) {
    const { lab } = parseLab(kubernetesLab({ secrets }), 'lab.yaml');
    if (lab === undefined) throw new Error('the lab of this test is one');
    const blueprint = resolveBlueprint(lab, { rehearsal: false });
    if (blueprint.cluster === undefined) throw new Error('it has a cluster');
    const vault = { file: '', read, assertUsable: noKeys, readOrMake: noKeys };
    const cluster: ServiceCluster = {
      blueprint: blueprint.cluster,
      area: {
        observe: async () => await Promise.resolve(silent),
        reach: { vault, openShell: () => noKeys, connect: noKeys, connectLasting: noKeys },
      },
      sources: {
        directory: '/nowhere',
        environment: {},
        readSecret: async () => await Promise.resolve(new Secret('battery-staple')),
      },
    };
    return { blueprint, area: makeServicesArea({ ...shared, blueprint, cluster }) };
  }

  test('that is new: what it will have is planned after its formation, and the plan still fits', async () => {
    const { blueprint, area } = makeArea();
    const others = [form('add')];
    const made = mergePlans(blueprint.lab, 0, [
      { steps: others, problems: [], notes: [] },
      ...(await area.plan({ hypervisors, view: silent, others }, signal)),
    ]);
    expect(made.steps.map(({ id, needs }) => [id, needs])).toEqual([
      ['cluster.form cluster', []],
      ['service.secret default/db', ['cluster.form cluster']],
    ]);
    expect(JSON.stringify(made)).not.toContain('battery-staple');
    expect(movedReliances(made, await area.listEntries(made, hypervisors, signal))).toEqual([]);
    for (const { kind } of made.steps.slice(1)) expect(area.executors.has(kind)).toBe(true);
  });

  test('that is there and silent: a note, and no step', async () => {
    const { area } = makeArea();
    const plans = await area.plan({ hypervisors, view: silent, others: [form('wait')] }, signal);
    expect(plans.flatMap(({ steps }) => steps)).toEqual([]);
    expect(plans.flatMap(({ notes }) => notes)).toEqual([expect.stringContaining('once the cluster answers')]);
  });

  test('whose keys cannot be read: a problem, and everything else is planned', async () => {
    const { area } = makeArea(noKeys);
    const plans = await area.plan({ hypervisors, view: silent, others: [form('add')] }, signal);
    expect(plans.flatMap(({ problems }) => problems.map(({ code }) => code))).toEqual(['LW6010']);
  });

  test('is looked at again only for plans that rely on it', async () => {
    const { area } = makeArea(noKeys);
    expect(await area.listEntries({ steps: [form('add')] }, hypervisors, signal)).toEqual(new Map());
  });
});

async function noKeys(): Promise<never> {
  return await Promise.reject(new LabwrightError('LW6010', { what: 'the keys cannot be used', fix: ['nothing'] }));
}
