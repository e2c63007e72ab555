// Which edits of a lab file a running rehearsal can follow.
import { ipv4 } from '@labwright/core/addresses/ipv4';
import { makeBlueprint, makeHost, makeMachine } from '@labwright/machines/sample-lab.test-data';
import { describe, expect, test } from 'vitest';
import { assertSameSurroundings } from './surroundings.ts';

const standing = makeBlueprint([makeMachine(101), makeMachine(102, { storage: 'tank' })]);

describe('a running rehearsal', () => {
  test.each([
    ['nothing', standing],
    ['more machines', { ...standing, machines: [...standing.machines, makeMachine(103)] }],
    ['fewer machines, and with them a storage', { ...standing, machines: [makeMachine(101)] }],
    ['larger machines', { ...standing, machines: [makeMachine(101, { memoryMiB: 4096 }), makeMachine(102)] }],
  ])('follows an edit of %s', (_what, wanted) => {
    expect(() => assertSameSurroundings(standing, wanted)).not.toThrow();
  });

  test.each([
    ['hosts', { hosts: [...standing.hosts, makeHost('pve4')] }],
    ['hosts', { hosts: standing.hosts.map((host) => ({ ...host, memoryMiB: 1024 })) }],
    ['netboot.address', { netboot: { ...standing.netboot, address: ipv4('10.1.0.99') } }],
    ['domain', { domain: 'example.org' }],
    ['storage ssd', { machines: [makeMachine(101, { storage: 'ssd' })] }],
  ])('does not follow one of %s, and says so', (name, change) => {
    expect(() => assertSameSurroundings(standing, { ...standing, ...change })).toThrow(
      expect.objectContaining({ code: 'LW0002', message: expect.stringContaining(name) }),
    );
  });
});
