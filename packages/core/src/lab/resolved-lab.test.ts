import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { parseLab } from './parse-lab.ts';
import { formatOrigin, resolvedLab } from './resolved-lab.ts';

const source = await readFile(new URL('../../../../examples/home/lab.yaml', import.meta.url), 'utf8');
const parsed = parseLab(source, 'lab.yaml');
if (parsed.lab === undefined) throw new Error('the home example parses');
const values = resolvedLab(parsed);
const find = (path: string) => values.find((value) => value.path === path);
const lineOf = (text: string): number => source.split('\n').findIndex((line) => line.includes(text)) + 1;

test.each([
  ['domain', 'home.arpa', `lab.yaml:${lineOf('domain: home.arpa')}`],
  ['networks.lan.reserved[0]', '10.1.2.0-10.1.2.255', `lab.yaml:${lineOf('reserved:')}`],
  ['networks.lan.resolvers[0]', '10.1.0.1', 'the gateway'],
  ['hosts.pve2.memory', '24GiB', `lab.yaml:${lineOf('pve2:')}`],
  ['hosts.pve2.maintenance', 'false', 'default'],
  ['netboot.httpPort', '8080', 'default'],
  ['pools.edge.firmware', 'uefi', `lab.yaml:${lineOf('firmware: uefi')}`],
  ['pools.control.disk.size', '8GiB', `lab.yaml:${lineOf('disk: 8GiB')}`],
  ['pools.control.hosts', '[pve1, pve2, pve3]', 'all hosts'],
  ['identity.baseVmId', '101', 'the lowest firstVmId'],
  ['kubernetes.charts.metallb', 'false', 'exposures.balancer is router'],
  ['kubernetes.charts.metrics-server', 'true', 'default'],
  ['machines.node103.address', '10.1.1.3', 'the block 10.1.1.0/28 and the VM ID'],
])('%s is %s: %s', (path, value, origin) => {
  const found = find(path);
  expect(found?.value).toBe(value);
  expect(found && formatOrigin(found.origin)).toBe(origin);
});

test('secrets are shown as where they are', () => {
  expect(find('proxmox.token.env')?.value).toBe('PROXMOX_TOKEN');
});

test('every value is there once', () => {
  expect(new Set(values.map(({ path }) => path)).size).toBe(values.length);
});

test('numbers and maps of chart values stand as they are', () => {
  const charts = `
  ownCharts:
    gitea:
      chart: ./gitea
      values: { memory: 2048, disk: { size: 10 }, every: 60000, range: { first: a, last: z } }
`;
  const changed = parseLab(source.replace(/^kubernetes:\n/m, `kubernetes:${charts}`), 'lab.yaml');
  if (changed.lab === undefined) throw new Error('the home example parses with a chart of its own');
  const inside = resolvedLab(changed).filter(({ path }) => path.includes('.values.'));
  expect(inside.map(({ path, value }) => [path.replace(/.*values\./, ''), value])).toEqual([
    ['memory', '2048'],
    ['disk.size', '10'],
    ['every', '60000'],
    ['range.first', 'a'],
    ['range.last', 'z'],
  ]);
});
