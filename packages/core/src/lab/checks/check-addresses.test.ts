import { expect, test } from 'vitest';
import { parse as parseYaml, stringify } from 'yaml';
import { parseLab } from '../parse-lab.ts';

/** A lab with a range for services and a machine outside the block; `changes` replaces top-level parts or adds to them. */
function parse(changes: Readonly<Record<string, unknown>>) {
  const lab = parseYaml(`
version: 1
lab: test
networks:
  lan: { cidr: 10.1.0.0/22, gateway: 10.1.0.1, machines: 10.1.1.0/28, services: 10.1.3.100-10.1.3.200, reserved: [10.1.2.0-10.1.2.255] }
hosts:
  pve1: { address: 10.1.0.11, cores: 12, memory: 24GiB }
nas:
  nas1: { kind: linux, address: 10.1.0.20 }
proxmox: { token: { env: TOKEN } }
netboot: { address: 10.1.0.9 }
pools:
  workers: { count: 2, machines: { 102: { address: 10.1.0.50 } } }
`) as Record<string, unknown>;
  return parseLab(stringify({ ...lab, ...changes }), 'lab.yaml').diagnostics;
}

const at = (address: string) => ({ services: { db: { address, port: 3306 } } });

const free = [
  ['a free one', '10.1.0.21'],
  ['a reserved one', '10.1.2.7'],
  ['one of no network', '192.0.2.7'],
  ['that of an appliance', '10.1.0.20'],
  ['that of Labwright', '10.1.0.9'],
  ['that of the gateway', '10.1.0.1'],
] as const;

const inRange = [
  ['10.1.3.150', 'the services range of network lan'],
  ['10.1.1.9', 'the machines block of network lan'],
] as const;

test.each(free)('a service outside the cluster may have %s', (_, address) => {
  expect(parse(at(address))).toEqual([]);
});

test.each([...inRange.slice(0, 1)])('a service outside the cluster at %s is inside a range', (address, range) => {
  expect(parse(at(address))).toMatchObject([
    {
      path: ['services', 'db', 'address'],
      message: `the address ${address} of service db is inside ${range}`,
      fix: 'move service db, or the range',
    },
  ]);
});

test.each(['10.1.0.50', '10.1.1.9'])('a service outside the cluster may run on a machine of the lab: %s', (address) => {
  expect(parse(at(address))).toEqual([]);
});

test.each(free)('labwright serve may run at %s', (_, serve) => {
  expect(parse({ serve })).toEqual([]);
});

test.each(inRange)('labwright serve at %s is inside a range', (serve, range) => {
  const message = `the address ${serve} of the computer of labwright serve is inside ${range}`;
  expect(parse({ serve })).toMatchObject([{ path: ['serve'], message }]);
});

test('labwright serve cannot have the address of a machine', () => {
  const message = 'the computer of labwright serve and VM ID 102 of pool workers both have the address 10.1.0.50';
  expect(parse({ serve: '10.1.0.50' })).toMatchObject([{ message, related: [{ path: ['serve'] }] }]);
});

test('of an appliance inside a range only the appliance is told, whatever runs on it', () => {
  const nas = { nas1: { kind: 'linux', address: '10.1.3.150' } };
  expect(parse({ nas, serve: '10.1.3.150', ...at('10.1.3.150') }).map(({ path }) => path)).toEqual([
    ['nas', 'nas1', 'address'],
  ]);
});
