// A control plane that was replaced by the next identity of its pool: who is asked, shown and restored is the new one.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ipv4 } from '@labwright/core/addresses/ipv4';
import { vmId } from '@labwright/core/addresses/names';
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import type { HypervisorFacts, VmFacts } from '@labwright/core/facts/hypervisors';
import { silentLog } from '@labwright/core/ports/log';
import { systemClock, systemRandom } from '@labwright/core/ports/system';
import { openPkiVault } from '@labwright/cluster/pki/pki-vault';
import { makeMember, makeSampleBlueprint, makeSampleCluster } from '@labwright/cluster/sample-lab.test-data';
import { formatTags } from '@labwright/drivers/proxmox/mark';
import type { ProxmoxConnection } from '@labwright/drivers/proxmox/connection';
import { generateSshKey } from '@labwright/drivers/ssh/identity';
import { withReplacements } from '@labwright/machines/replacements';
import { makeHypervisors, makeVm } from '@labwright/machines/sample-lab.test-data';
import { planAreas } from '../lab-planner.ts';
import { makeClusterArea, type ClusterArea } from './cluster-area.ts';
import type { LifeArea } from './life-area.ts';

const { signal } = new AbortController();
const cluster = makeSampleCluster('1.20.2');
const file: Blueprint = {
  ...makeSampleBlueprint(cluster, [makeMember(101, 'control-plane'), makeMember(111, 'worker')]),
  spares: [makeMember(102, 'control-plane'), makeMember(112, 'worker')],
};
const makeFacts = (...vms: readonly VmFacts[]): HypervisorFacts => makeHypervisors(file, vms);
const before = makeFacts(makeVm(101), makeVm(111));
const replaced = makeFacts(
  makeVm(111),
  makeVm(102, {
    tags: formatTags(file.lab, vmId(101)),
  }),
);

describe('after a control plane was replaced', () => {
  let folder = '';
  let area: ClusterArea;
  let seen = before;

  const open = (keys: string): ClusterArea =>
    makeClusterArea({
      blueprint: file,
      currentBlueprint: () => withReplacements(file, seen),
      cluster,
      keys: place(keys),
      identity: generateSshKey(),
      currentReports: () => [],
      address: ipv4('10.1.0.9'),
      cacheDirectory: '/nowhere',
      signal,
      clock: systemClock,
      random: systemRandom,
      log: silentLog,
    });
  const place = (name: string) => ({
    file: join(folder, name),
    identity: { kind: 'file', path: join(folder, 'identity'), isMadeWhenMissing: true } as const,
    alsoOpened: [],
  });

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'replaced-'));
    await openPkiVault({ ...place('keys.age'), lab: file.lab }, systemClock).readOrMake(signal);
    area = open('keys.age');
  });
  afterAll(async () => {
    await area?.close();
    await rm(folder, { recursive: true, force: true });
  });

  test('certificates are asked of the new one', async () => {
    const asked = async () => (await area.certificates(signal)).silent.map(({ name }) => name);
    // Nobody has phoned home, so each that is asked is one that cannot be.
    expect(await asked()).toEqual(['node101']);
    seen = replaced;
    expect(await asked()).toEqual(['node102']);
  });

  test('status shows the new one and misses nobody', async () => {
    const never = open('none.age');
    const names = async (facts: HypervisorFacts) => (await never.status(facts, signal)).nodes.map(({ name }) => name);
    expect(await names(before)).toEqual(['node101', 'node111']);
    expect(await names(replaced)).toEqual(['node102', 'node111']);
    await never.close();
  });

  test('a restore is planned for the new one', async () => {
    const asked: (readonly string[])[] = [];
    const life: Pick<LifeArea, 'planRestore'> = {
      planRestore: async ({ machines }) => {
        asked.push(machines.map(({ name }) => name));
        return { steps: [], problems: [], notes: [] };
      },
    };
    const options = {
      blueprint: file,
      connection: {} as ProxmoxConnection,
      cluster: { area, life: life as LifeArea },
      services: { plan: async () => [] },
      currentReports: () => [],
    };
    for (const facts of [before, replaced]) {
      await planAreas({ kind: 'restore', file: '/s.age' }, facts, options, signal);
    }
    expect(asked).toEqual([
      ['node101', 'node111'],
      ['node102', 'node111'],
    ]);
  });
});
