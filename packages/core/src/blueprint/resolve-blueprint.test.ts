import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { parseLab } from '../lab/parse-lab.ts';
import { resolveBlueprint } from './resolve-blueprint.ts';

const source = await readFile(new URL('../../../../examples/home/lab.yaml', import.meta.url), 'utf8');

function resolve(text: string, rehearsal = false) {
  const { lab, diagnostics } = parseLab(text, 'lab.yaml');
  if (lab === undefined) throw new Error(diagnostics.map(({ message }) => message).join('\n'));
  return resolveBlueprint(lab, { rehearsal });
}

describe('the home example', () => {
  test('gives three machines, one of them with UEFI', () => {
    const { machines } = resolve(source);
    expect(machines.map(({ name, address, mac, pool, firmware }) => [name, address, mac, pool, firmware])).toEqual([
      ['node101', '10.1.1.1', '02:1a:b0:00:01:01', 'control', 'bios'],
      ['node102', '10.1.1.2', '02:1a:b0:00:01:02', 'workers', 'bios'],
      ['node103', '10.1.1.3', '02:1a:b0:00:01:03', 'edge', 'uefi'],
    ]);
    for (const machine of machines) {
      expect(machine).toMatchObject({
        cores: machine.role === 'control-plane' ? 2 : 1,
        diskGiB: 8,
        storage: 'local-lvm',
        image: 'debian',
      });
    }
    expect(machines.map(({ role, memoryMiB }) => [role, memoryMiB])).toEqual([
      ['control-plane', 2048],
      ['worker', 1536],
      ['worker', 1536],
    ]);
  });

  test('resolves what the file leaves out', () => {
    const { network, netboot, proxmox, hosts } = resolve(source);
    expect(network).toEqual({
      name: 'lan',
      cidr: '10.1.0.0/22',
      gateway: '10.1.0.1',
      resolvers: ['10.1.0.1'],
      machines: '10.1.1.0/28',
      services: { first: '10.1.3.100', last: '10.1.3.200' },
      bridge: 'vmbr0',
    });
    expect(netboot).toEqual({ mode: 'serve', address: '10.1.0.9', httpPort: 8080 });
    expect(proxmox).toEqual({ port: 8006, storage: 'local-lvm', tls: { mode: 'pinned' } });
    expect(hosts.map(({ name, cores, memoryMiB }) => [name, cores, memoryMiB])).toEqual([
      ['pve1', 12, 24_576],
      ['pve2', 12, 24_576],
      ['pve3', 12, 24_576],
    ]);
  });

  test('in a rehearsal differs by its id, by patience and endpoint of the cluster, and by charts that have to be fetched', () => {
    const { cluster, charts: _charts, ...real } = resolve(source);
    const rehearsed = resolve(source, true);
    expect(cluster).toMatchObject({ slow: false, endpoint: { address: '10.1.0.10' } });
    expect(rehearsed.cluster).toEqual({
      ...cluster,
      slow: true,
      endpoint: { name: 'kube.home.arpa', address: '10.1.0.10', port: 6443 },
    });
    const { cluster: _cluster, charts, ...rest } = rehearsed;
    expect(charts?.base).toEqual({});
    expect(rest).toEqual({ ...real, lab: 'home+rehearsal' });
  });
});

test('machines stand in the order of their VM IDs, whatever the order of the pools', () => {
  const text = source.replace('firstVmId: 101', 'firstVmId: 110');
  expect(resolve(text).machines.map(({ vmId, address }) => [vmId, address])).toEqual([
    [102, '10.1.1.1'],
    [103, '10.1.1.2'],
    [110, '10.1.1.9'],
  ]);
});
