// The boots that run: one a machine, found by its Ethernet address while it has no token and by its token afterwards.
import { parseIpv4, type Ipv4 } from '@labwright/core/addresses/ipv4';
import type { Mac } from '@labwright/core/addresses/mac';
import type { BootEvent } from '@labwright/core/events/boot';
import type { Clock } from '@labwright/core/ports/clock';
import { randomHex, type Random } from '@labwright/core/ports/random';
import type { BootMachine, BootMode } from '../boot-network.ts';
import type { BootClient } from '../dhcp/boot-client.ts';
import {
  advance,
  beginsNewBoot,
  fileBeginsNewBoot,
  startSession,
  tick,
  type Advance,
  type BootSession,
  type BootSighting,
} from './boot-session.ts';

/** A token is good for one boot; a machine that hangs longer than this starts anew. */
const tokenLifetimeMs = 4 * 60 * 60 * 1000;
const largestSessions = 4_096;
const largestEnded = 4_096;

export type TokenAnswer =
  | { readonly kind: 'good'; readonly session: BootSession }
  | { readonly kind: 'refused'; readonly reason: string };

export class BootSessions {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #emit: (event: BootEvent) => void;
  readonly #mode: BootMode;
  /** In order of their start: the oldest goes first when there are too many. */
  readonly #byMac = new Map<Mac, BootSession>();
  readonly #byToken = new Map<string, Mac>();
  /** Why tokens of boots that are over are refused. */
  readonly #ended = new Map<string, string>();

  constructor(options: {
    readonly clock: Clock;
    readonly random: Random;
    readonly emit: (event: BootEvent) => void;
    readonly mode: BootMode;
  }) {
    this.#clock = options.clock;
    this.#random = options.random;
    this.#emit = options.emit;
    this.#mode = options.mode;
  }

  /** The session that a packet of a booting client belongs to; begins one where the packet begins a boot. */
  open(machine: BootMachine, client: BootClient, packet: 'discover' | 'other'): BootSession {
    return this.#open(machine, (current) => packet === 'discover' && beginsNewBoot(current, client));
  }

  /** The same for a client that asks for a file whose name never changes. */
  openForFile(machine: BootMachine): BootSession {
    return this.#open(machine, fileBeginsNewBoot);
  }

  #open(machine: BootMachine, beginsAnother: (current: BootSession) => boolean): BootSession {
    const current = this.#byMac.get(machine.mac);
    const goesOn = current !== undefined && !this.#isStale(current) && sameMachine(current.machine, machine);
    if (goesOn && !beginsAnother(current)) return current;
    if (current !== undefined) this.#end(current, `the token is of an earlier boot of ${machine.name}`);
    const session = startSession({
      id: randomHex(this.#random, 4),
      token: randomHex(this.#random, 16),
      machine,
      mode: this.#mode,
      now: this.#clock.monotonic(),
    });
    this.#byMac.set(machine.mac, session);
    this.#byToken.set(session.token, machine.mac);
    if (this.#byMac.size > largestSessions) {
      const [oldest] = this.#byMac.values();
      if (oldest !== undefined) this.#end(oldest, 'the token is of a boot given up for newer ones');
    }
    return session;
  }

  current(mac: Mac): BootSession | undefined {
    return this.#byMac.get(mac);
  }

  byMachine(name: string): BootSession | undefined {
    return [...this.#byMac.values()].find((session) => session.machine.name === name);
  }

  all(): readonly BootSession[] {
    return [...this.#byMac.values()];
  }

  /** The session of a token, if the address that shows it is the machine's. */
  redeem(token: string, peerAddress: string): TokenAnswer {
    const mac = this.#byToken.get(token);
    const session = mac === undefined ? undefined : this.#byMac.get(mac);
    if (session === undefined) {
      return { kind: 'refused', reason: this.#ended.get(token) ?? 'no boot has this token' };
    }
    if (this.#isStale(session)) {
      this.#end(session, `the token of ${session.machine.name} has expired`);
      return { kind: 'refused', reason: `the token of ${session.machine.name} has expired` };
    }
    // Whoever shows it now has it from somewhere else: the machine is up and asks no more.
    if (session.stage === 'ready') {
      return { kind: 'refused', reason: `the boot of ${session.machine.name} is over` };
    }
    const peer = parseIpv4(peerAddress);
    if (peer === undefined || !mayUse(session, peer)) {
      return { kind: 'refused', reason: `the token belongs to ${session.machine.name}, which has another address` };
    }
    return { kind: 'good', session: this.#bindAddress(session, peer) };
  }

  /** The session whose machine fetched a boot loader to this address, and nothing since. */
  loadedAt(peerAddress: string): BootSession | undefined {
    const peer = parseIpv4(peerAddress);
    return [...this.#byMac.values()].find(
      ({ stage, firmwareAddress }) => stage === 'loader' && peer !== undefined && firmwareAddress === peer,
    );
  }

  /** Takes note of something seen; silently does nothing for a session that is over. */
  see(session: BootSession, sighting: BootSighting): void {
    const current = this.#byMac.get(session.machine.mac);
    if (current === undefined || current.token !== session.token) return;
    this.#apply(current, advance(current, sighting, this.#clock.monotonic()));
  }

  /** Looks for boots that stopped; called now and then. */
  tick(): void {
    for (const session of this.#byMac.values()) {
      if (this.#isStale(session)) this.#end(session, `the token of ${session.machine.name} has expired`);
      else this.#apply(session, tick(session, this.#clock.monotonic()));
    }
  }

  #apply(before: BootSession, { session, events }: Advance): void {
    if (session !== before) this.#byMac.set(session.machine.mac, session);
    for (const { stage, detail } of events) {
      this.#emit({
        type: 'boot',
        at: this.#clock.now(),
        machine: session.machine.name,
        session: session.id,
        stage,
        detail,
      });
    }
  }

  /** The machine was found to have this address: until another boot, it alone may show the token. */
  bind(session: BootSession, address: Ipv4): BootSession {
    const bound = { ...session, firmwareAddress: address };
    this.#byMac.set(session.machine.mac, bound);
    return bound;
  }

  /** Where another server gives the address, the first one that shows the token is the machine's. */
  #bindAddress(session: BootSession, peer: Ipv4): BootSession {
    return session.firmwareAddress === undefined ? this.bind(session, peer) : session;
  }

  #isStale(session: BootSession): boolean {
    return this.#clock.monotonic() - session.startedAt > tokenLifetimeMs;
  }

  #end(session: BootSession, reason: string): void {
    this.#byMac.delete(session.machine.mac);
    this.#byToken.delete(session.token);
    this.#ended.set(session.token, reason);
    if (this.#ended.size > largestEnded) {
      const [oldest] = this.#ended.keys();
      if (oldest !== undefined) this.#ended.delete(oldest);
    }
  }
}

function mayUse(session: BootSession, peer: Ipv4): boolean {
  // Our initramfs uses the machine's own address, firmware the one it was given.
  return peer === session.machine.address || session.firmwareAddress === undefined || peer === session.firmwareAddress;
}

/** A machine that was set up anew in between (another generation, image or address) must not go on with old answers. */
function sameMachine(one: BootMachine, other: BootMachine): boolean {
  return (
    one.generation === other.generation &&
    one.image === other.image &&
    one.address === other.address &&
    one.lab === other.lab
  );
}
