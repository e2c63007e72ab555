// Where new machines go: by free memory and cores, spread as their pool asks, and whether the lab survives the loss of a host.
import type { Blueprint, HostBlueprint, MachineBlueprint } from '@labwright/core/blueprint/blueprint';
import type { HostName } from '@labwright/core/addresses/names';
import { LabwrightError } from '@labwright/core/errors/error';
import type { HypervisorFacts } from '@labwright/core/facts/hypervisors';

/** What is left on a host and how many machines of each pool it has. */
export interface Room {
  readonly host: HostBlueprint;
  readonly online: boolean;
  memoryMiB: number;
  cores: number;
  readonly pools: Map<string, number>;
}

/** The room on each host of the file, with everything that runs there counted, ours or not. */
export function measureRoom(blueprint: Blueprint, facts: HypervisorFacts): ReadonlyMap<HostName, Room> {
  const online = new Set(facts.hosts.filter((host) => host.online).map((host) => host.name));
  const rooms = new Map<HostName, Room>(
    blueprint.hosts.map((host) => [
      host.name,
      { host, online: online.has(host.name), memoryMiB: host.memoryMiB, cores: host.cores, pools: new Map() },
    ]),
  );
  const machines = new Map(blueprint.machines.map((machine) => [machine.vmId, machine]));
  for (const vm of facts.vms) {
    const room = rooms.get(vm.host);
    if (room === undefined) continue;
    const machine = machines.get(vm.vmId);
    // A machine of ours counts with what the file gives it, also while it is stopped; a stranger only while it runs.
    if (machine !== undefined) occupy(room, machine);
    else if (vm.status !== 'stopped') {
      room.memoryMiB -= vm.memoryMiB;
      room.cores -= vm.cores;
    }
  }
  return rooms;
}

/** Chooses a host and takes the room. Throws LW2010 with the reason for each host when there is none. */
export function placeMachine(machine: MachineBlueprint, rooms: ReadonlyMap<HostName, Room>): HostName {
  const allowed = machine.hosts.flatMap((name) => rooms.get(name) ?? []);
  const obstacles = allowed.map((room) => ({ room, obstacle: findObstacle(machine, room) }));
  const free = obstacles.filter((each) => each.obstacle === undefined).map((each) => each.room);
  const [best] = free.sort((one, other) => compareRooms(machine, one, other));
  if (best === undefined) {
    const silent = allowed.filter(({ online, host }) => !online && !host.maintenance).map(({ host }) => host.name);
    throw new LabwrightError('LW2010', {
      what: `there is no host for ${machine.name} (${machine.cores} cores, ${machine.memoryMiB} MiB)`,
      where: { machine: machine.name, pool: machine.pool },
      why: obstacles.map(({ room, obstacle }) => `${room.host.name}: ${obstacle ?? 'free'}`).join('; '),
      fix: [
        // Whether it would fit there is not known while nobody answers.
        ...(silent.length === 0 ? [] : [`bring ${silent.join(' and ')} back, and give the command again`]),
        `give the pool less memory or fewer machines (pools.${machine.pool}.memory, pools.${machine.pool}.count)`,
        `allow it on more hosts (pools.${machine.pool}.hosts)`,
      ],
    });
  }
  occupy(best, machine);
  return best.host.name;
}

/**
 * For each host: the machines that would find no place on the others if it were lost. Empty when all fit.
 * Larger machines are placed first, so that a no is a real one as often as a greedy answer can be.
 */
export function findLossShortfalls(
  blueprint: Blueprint,
  placed: ReadonlyMap<HostName, HostName>,
  rooms: ReadonlyMap<HostName, Room>,
): ReadonlyMap<HostName, readonly HostName[]> {
  const shortfalls = new Map<HostName, readonly HostName[]>();
  for (const lost of rooms.keys()) {
    const left = new Map([...rooms].filter(([name]) => name !== lost).map(([name, room]) => [name, copyRoom(room)]));
    const homeless = blueprint.machines
      .filter((machine) => placed.get(machine.name) === lost)
      .sort((one, other) => other.memoryMiB - one.memoryMiB);
    const without = homeless.filter((machine) => {
      const candidates = [...left.values()].filter((room) => hasRoom(machine, room) && room.online);
      const [best] = candidates.sort((one, other) => compareRooms(machine, one, other));
      if (best !== undefined) occupy(best, machine);
      return best === undefined;
    });
    if (without.length > 0) {
      shortfalls.set(
        lost,
        without.map((machine) => machine.name),
      );
    }
  }
  return shortfalls;
}

function findObstacle(machine: MachineBlueprint, room: Room): string | undefined {
  if (!room.online) return 'it does not answer';
  if (room.host.maintenance) return 'it is in maintenance';
  if (machine.spread === 'host' && (room.pools.get(machine.pool) ?? 0) > 0) {
    return `it has a machine of pool ${machine.pool} already (spread: host)`;
  }
  if (room.memoryMiB < machine.memoryMiB) return `${Math.max(0, room.memoryMiB)} MiB of memory are free`;
  if (room.cores < machine.cores) return `${Math.max(0, room.cores)} cores are free`;
  return undefined;
}

const hasRoom = (machine: MachineBlueprint, room: Room): boolean =>
  room.memoryMiB >= machine.memoryMiB && room.cores >= machine.cores;

// Fewest of the pool first unless it does not care, then most free memory; the file's order decides the rest (sort is stable).
function compareRooms(machine: MachineBlueprint, one: Room, other: Room): number {
  const count = (room: Room): number => (machine.spread === 'none' ? 0 : (room.pools.get(machine.pool) ?? 0));
  return count(one) - count(other) || other.memoryMiB - one.memoryMiB;
}

function occupy(room: Room, machine: MachineBlueprint): void {
  room.memoryMiB -= machine.memoryMiB;
  room.cores -= machine.cores;
  room.pools.set(machine.pool, (room.pools.get(machine.pool) ?? 0) + 1);
}

const copyRoom = (room: Room): Room => ({ ...room, pools: new Map(room.pools) });
