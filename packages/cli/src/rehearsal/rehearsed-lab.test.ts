// The lab as it is rehearsed: identities do not collide, and nothing else moves.
import { describe, expect, it } from 'vitest';
import { resolveBlueprint } from '@labwright/core/blueprint/resolve-blueprint';
import type { Lab } from '@labwright/core/lab/lab-schema';
import { parseLab } from '@labwright/core/lab/parse-lab';
import { listPossibleControlPlanes, parseShape, shapeLab, wholeLab } from './rehearsed-lab.ts';

interface Sizes {
  readonly control?: string;
  readonly rest?: string;
  readonly block?: string;
}

function makeLab({ control = 'firstVmId: 101, count: 1', rest = '', block = '10.1.1.0/28' }: Sizes = {}): Lab {
  const parsed = parseLab(
    `version: 1
lab: home
networks: { lan: { cidr: 10.1.0.0/22, gateway: 10.1.0.1, machines: ${block} } }
hosts: { pve1: { address: 10.1.0.11, cores: 12, memory: 24GiB } }
proxmox: { token: { env: PROXMOX_TOKEN } }
netboot: { address: 10.1.0.9 }
nas: { nas1: { kind: linux, address: 10.1.0.20, ssh: { hostKey: ssh-ed25519 AAAAreal } } }
services: { mariadb: { kind: mariadb, nas: nas1, volume: /srv/mariadb, environment: { MARIADB_ROOT_PASSWORD: { env: DB } } } }
kubernetes: { version: 1.20.2, endpoint: { address: 10.1.0.10 } }
pools:
  control: { ${control}, role: control-plane, memory: 2GiB }
${rest}`,
    'lab.yaml',
  );
  if (parsed.lab === undefined) throw new Error(parsed.diagnostics.map(({ message }) => message).join('\n'));
  return parsed.lab;
}

const machinesOf = (lab: Lab): string[] =>
  resolveBlueprint(lab, { rehearsal: true }).machines.map(({ name, address, pool }) => `${pool} ${name} ${address}`);

it('takes its shape from the command line', () => {
  expect(parseShape({})).toEqual(wholeLab);
  expect(parseShape({ only: 'machines', size: 'ha' })).toEqual({ ...wholeLab, size: 'ha', extent: 'machines' });
  expect(() => parseShape({ size: 'huge' })).toThrow('there is no size "huge"');
  expect(() => parseShape({ only: 'moon' })).toThrow('there is no part "moon"');
});

const ha = { ...wholeLab, size: 'ha' } as const;
const workers = '  workers: { firstVmId: 102, count: 2, role: worker }\n';

describe('with three control planes', () => {
  it('moves the pool to free VM IDs when its next are taken, and nothing else', () => {
    expect(machinesOf(shapeLab(makeLab({ rest: workers }), ha))).toEqual([
      'workers node102 10.1.1.2',
      'workers node103 10.1.1.3',
      'control node104 10.1.1.4',
      'control node105 10.1.1.5',
      'control node106 10.1.1.6',
    ]);
  });

  it('grows the pool where it is when it can', () => {
    const rest = '  workers: { firstVmId: 105, count: 1, role: worker }\n';
    expect(machinesOf(shapeLab(makeLab({ rest }), ha))).toEqual([
      'control node101 10.1.1.1',
      'control node102 10.1.1.2',
      'control node103 10.1.1.3',
      'workers node105 10.1.1.5',
    ]);
  });

  it('takes a gap between pools', () => {
    const rest = `${workers}  late: { firstVmId: 107, count: 1 }\n`;
    const names = machinesOf(shapeLab(makeLab({ rest }), ha)).filter((line) => line.startsWith('control'));
    expect(names).toEqual(['control node104 10.1.1.4', 'control node105 10.1.1.5', 'control node106 10.1.1.6']);
  });

  it('leaves a lab alone that has them', () => {
    const lab = makeLab({ control: 'firstVmId: 101, count: 3' });
    expect(shapeLab(lab, ha)).toBe(lab);
  });

  it('says why it cannot', () => {
    const rest = '  workers: { firstVmId: 102, count: 3, role: worker }\n';
    const lab = makeLab({ rest, block: '10.1.1.0/29' });
    expect(() => shapeLab(lab, ha)).toThrow('cannot be rehearsed with 3 control planes');
  });
});

it('with its machines alone has neither cluster nor NAS', () => {
  const lab = shapeLab(makeLab({ rest: workers }), { ...wholeLab, size: 'ha', extent: 'machines' });
  const blueprint = resolveBlueprint(lab, { rehearsal: true });
  expect(blueprint.cluster).toBeUndefined();
  expect(blueprint.machines.map(({ role }) => role)).toEqual([undefined, undefined, undefined]);
  expect(lab.nas).toEqual({});
});

it('has the host key of the emulated NAS in the place of the real one', () => {
  const { nas } = shapeLab(makeLab(), { ...wholeLab, nasHostKeys: { nas1: 'ssh-ed25519 AAAAemulated' } });
  expect(nas['nas1']?.ssh).toEqual({ user: 'root', port: 22, hostKey: 'ssh-ed25519 AAAAemulated' });
});

describe('possible control planes', () => {
  const namesOf = (lab: Lab): string[] => listPossibleControlPlanes(lab).map(({ name }) => name);

  it('end where another pool begins', () => {
    expect(namesOf(makeLab({ rest: '  workers: { firstVmId: 104, count: 2, role: worker }\n' }))).toEqual([
      'node101',
      'node102',
      'node103',
    ]);
  });

  it('end with the block, and are none without a cluster', () => {
    expect(namesOf(makeLab({ block: '10.1.1.0/29' }))).toHaveLength(6);
    expect(namesOf(makeLab())).toHaveLength(14);
    expect(namesOf(shapeLab(makeLab(), { ...wholeLab, extent: 'machines' }))).toEqual([]);
  });
});
