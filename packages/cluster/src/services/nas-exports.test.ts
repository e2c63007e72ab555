import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import { resolveBlueprint } from '@labwright/core/blueprint/resolve-blueprint';
import { LabwrightError } from '@labwright/core/errors/error';
import { parseLab } from '@labwright/core/lab/parse-lab';
import { stringify } from 'yaml';
import { describe, expect, test } from 'vitest';
import { nasEntries, type NasFacts, planNas } from './nas-exports.ts';

const exports = [
  { path: '/srv/volumes', for: 'volumes' },
  { path: '/srv/snapshots', for: 'snapshots' },
];

function makeBlueprint(nas: Readonly<Record<string, unknown>>): Blueprint {
  const source = stringify({
    version: 1,
    lab: 'home',
    networks: { lan: { cidr: '10.1.0.0/22', gateway: '10.1.0.1', machines: '10.1.1.0/28' } },
    hosts: { pve1: { address: '10.1.0.11', cores: 12, memory: '24GiB' } },
    proxmox: { token: { env: 'TOKEN' } },
    netboot: { address: '10.1.0.9' },
    nas: { nas1: { address: '10.1.0.20', exports, ...nas } },
    pools: { control: {} },
  });
  const { lab, diagnostics } = parseLab(source, 'lab.yaml');
  if (lab === undefined) throw new Error(diagnostics.map(({ message }) => message).join('\n'));
  return resolveBlueprint(lab, { rehearsal: false });
}

const usable = exports.map(({ path }) => ({ path, answer: { kind: 'usable' } as const }));
const denied = exports.map(({ path }) => ({
  path,
  answer: { kind: 'trouble', trouble: 'denied', words: 'access denied by server' } as const,
}));

describe('the plan of a NAS', () => {
  const synology = makeBlueprint({ kind: 'synology' });
  const linux = makeBlueprint({ kind: 'linux', ssh: { hostKey: `SHA256:${'A'.repeat(43)}` } });

  test('is empty when the machines can use it, or nothing can be asked yet', () => {
    const unasked = exports.map(({ path }) => ({ path, answer: { kind: 'unasked' } as const }));
    for (const answers of [usable, unasked]) {
      expect(planNas(synology, [{ name: 'nas1', exports: answers }])).toEqual({ steps: [], problems: [], notes: [] });
    }
  });

  test('has the steps for a person where Labwright changes nothing', () => {
    const { steps, problems } = planNas(synology, [{ name: 'nas1', exports: denied }]);
    expect(steps).toEqual([]);
    expect(problems).toMatchObject([
      { code: 'LW7006', where: { export: '/srv/volumes' }, fix: [expect.stringContaining('NFS Permissions')] },
      { code: 'LW7006', where: { export: '/srv/snapshots' } },
    ]);
  });

  test('writes the file of a Linux NAS, which is what the machines lack', () => {
    const facts: readonly NasFacts[] = [{ name: 'nas1', file: 'other', exports: denied }];
    const { steps, problems } = planNas(linux, facts);
    expect(problems).toEqual([]);
    expect(steps).toMatchObject([
      {
        id: 'nas.exports nas1',
        title: 'export /srv/volumes, /srv/snapshots of nas1',
        input: { name: 'nas1', rules: [{ path: '/srv/volumes', clients: '10.1.0.0/22' }, { path: '/srv/snapshots' }] },
      },
    ]);
    const entries = nasEntries(facts);
    expect(steps.flatMap(({ relies }) => relies.map(({ entry, was }) => entries.get(entry) === was))).toEqual([true]);
  });

  test('with a file that is as it should be tells what is still wrong, and one that cannot be written is a problem', () => {
    expect(planNas(linux, [{ name: 'nas1', file: 'as-wanted', exports: denied }]).problems).toHaveLength(2);
    const error = new LabwrightError('LW7007', { what: 'not ours' }).toJSON();
    expect(planNas(linux, [{ name: 'nas1', file: { error }, exports: usable }])).toEqual({
      steps: [],
      problems: [error],
      notes: [],
    });
  });
});
