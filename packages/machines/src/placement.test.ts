import { hostName } from '@labwright/core/addresses/names';
import { describe, expect, test } from 'vitest';
import { findLossShortfalls, measureRoom, placeMachine } from './placement.ts';
import { makeBlueprint, makeHost, makeHypervisors, makeMachine, makeVm } from './sample-lab.test-data.ts';

const place = (hosts: ReturnType<typeof makeHost>[], machines: ReturnType<typeof makeMachine>[]) => {
  const blueprint = makeBlueprint(machines, hosts);
  const rooms = measureRoom(blueprint, makeHypervisors(blueprint, []));
  return { blueprint, rooms, placed: new Map(machines.map((machine) => [machine.name, placeMachine(machine, rooms)])) };
};

describe('placeMachine', () => {
  test('goes where most memory is free', () => {
    const hosts = [makeHost('pve1', { memoryMiB: 4096 }), makeHost('pve2', { memoryMiB: 8192 })];
    expect([...place(hosts, [makeMachine(101, { spread: 'none' })]).placed.values()]).toEqual(['pve2']);
  });

  test('spread: even puts no second machine on a host while another has none', () => {
    const hosts = [makeHost('pve1', { memoryMiB: 99_999 }), makeHost('pve2'), makeHost('pve3')];
    const { placed } = place(
      hosts,
      [101, 102, 103].map((number) => makeMachine(number)),
    );
    expect([...placed.values()].sort()).toEqual(['pve1', 'pve2', 'pve3']);
  });

  test('spread: host has room for as many machines as there are hosts, and says why not for more', () => {
    const machines = [101, 102, 103, 104].map((number) => makeMachine(number, { spread: 'host' }));
    expect(() => place([makeHost('pve1'), makeHost('pve2'), makeHost('pve3')], machines)).toThrow(
      /no host for node104/,
    );
  });

  test('a host in maintenance and one that is too small are named with the reason', () => {
    const hosts = [makeHost('pve1', { maintenance: true }), makeHost('pve2', { memoryMiB: 512 })];
    expect(() => place(hosts, [makeMachine(101)])).toThrow(
      expect.objectContaining({
        code: 'LW2010',
        why: 'pve1: it is in maintenance; pve2: 512 MiB of memory are free',
      }),
    );
  });

  test('the way out begins with the host that is missing', () => {
    const blueprint = makeBlueprint([makeMachine(101)], [makeHost('pve1'), makeHost('pve2', { memoryMiB: 512 })]);
    const facts = makeHypervisors(blueprint, []);
    const rooms = measureRoom(blueprint, {
      ...facts,
      hosts: facts.hosts.map((host) => ({ ...host, online: host.name !== 'pve1' })),
    });
    const advice = ['bring pve1 back, and give the command again', expect.stringContaining('less memory')];
    expect(() => placeMachine(makeMachine(101), rooms)).toThrow(
      expect.objectContaining({ code: 'LW2010', fix: expect.arrayContaining(advice) }),
    );
  });
});

test('a stranger that runs takes room, one that is stopped does not', () => {
  const blueprint = makeBlueprint([makeMachine(101)]);
  const stranger = makeVm(900, { memoryMiB: 20_000, cores: 4 });
  const room = (vm: typeof stranger) =>
    measureRoom(blueprint, makeHypervisors(blueprint, [vm])).get(hostName('pve1'))?.memoryMiB;
  expect(room(stranger)).toBe(24_576 - 20_000);
  expect(room({ ...stranger, status: 'stopped' })).toBe(24_576);
});

test('whether the lab survives the loss of a host is said for each host', () => {
  const hosts = [makeHost('pve1', { memoryMiB: 4096 }), makeHost('pve2', { memoryMiB: 4096 })];
  const few = place(hosts, [makeMachine(101), makeMachine(102)]);
  expect(findLossShortfalls(few.blueprint, few.placed, few.rooms).size).toBe(0);
  // Two of three stand on pve1: alone, neither host holds all three.
  const many = place(
    hosts,
    [101, 102, 103].map((number) => makeMachine(number)),
  );
  expect([...findLossShortfalls(many.blueprint, many.placed, many.rooms)]).toEqual([
    ['pve1', ['node103']],
    ['pve2', ['node102']],
  ]);
});
