// One boot of one machine as a pure state machine: packets and requests in, events out. Knows no socket and no timer;
// whoever holds it calls `tick` now and then.
//
//                 ┌──────────── loader ◄─┐
//   (discover) ─► offered ───────┐       │ firmware fetches a file by TFTP, comes back as iPXE
//                    │           ▼       │
//                    └───────► script ─► kernel ─► started ─► installing ─► installed ─► ready
//                                                     │            │
//                                                     └────────────┴─► refused
//   A stage that lasts longer than usual is reported once as stalled, and goes on when something comes.
import type { Ipv4 } from '@labwright/core/addresses/ipv4';
import type { BootStage } from '@labwright/core/events/boot';
import type { BootMachine, BootMode } from '../boot-network.ts';
import type { BootClient } from '../dhcp/boot-client.ts';
import { fullIpxe } from '../dhcp/boot-choice.ts';
import { explainStall } from './stall.ts';

export type ReachedStage = Exclude<BootStage, 'stalled'>;

/** What was seen of the exchange; the sentence about a stalled boot is made from it. */
interface BootSightings {
  /** The last client that asked. */
  readonly client?: BootClient;
  /** The client accepted our address (where we give none, it accepted somebody's). */
  readonly acknowledged: boolean;
  /** What it accepted, where the address is another server's. */
  readonly lease?: Lease;
  readonly askedPort4011: boolean;
  readonly tftp?: { readonly file: string; readonly outcome: 'running' | 'done' | 'failed'; readonly why?: string };
  /** How often a boot loader has arrived whole. */
  readonly loadersSent: number;
  /** The HTTP transfer seen last. */
  readonly transfer?: { readonly name: string; readonly sentBytes: number; readonly sizeBytes: number };
  /** Offers of other servers, by their address. */
  readonly otherOffers: ReadonlyMap<string, OtherOffer>;
  /** The server whose address it took, when that was not us. */
  readonly tookAddressFrom?: string;
  /** Why nothing could be named for it to boot. */
  readonly noBootFile?: string;
}

export interface Lease {
  readonly server: string;
  readonly address: string;
}

export interface OtherOffer {
  readonly server: string;
  readonly givesAddress: boolean;
  /** Option 60 says PXEClient. */
  readonly saysPxe: boolean;
  /** Option 43 tells what to do then. */
  readonly hasVendorOptions: boolean;
  /** Where it sends the client for which file; absent when it names none. */
  readonly boot?: { readonly nextServer: string; readonly isOurs: boolean; readonly file: string };
}

export interface BootSession {
  /** For events and logs; not the token. */
  readonly id: string;
  readonly token: string;
  readonly machine: BootMachine;
  readonly mode: BootMode;
  /** The address firmware has while it boots; known from its first request where another server gave it. */
  readonly firmwareAddress?: Ipv4;
  /** Whether it fetched a full iPXE already: one without HTTP is sent to it once. */
  readonly chained: boolean;
  readonly stage: ReachedStage;
  readonly startedAt: number;
  /** When something was last seen of it. */
  readonly seenAt: number;
  readonly stalled: boolean;
  readonly seen: BootSightings;
}

export type BootSighting =
  | { readonly type: 'offered'; readonly client: BootClient; readonly detail: string }
  | { readonly type: 'no-boot-file'; readonly client: BootClient; readonly reason: string }
  | { readonly type: 'acknowledged'; readonly lease?: Lease }
  | { readonly type: 'asked-4011' }
  | { readonly type: 'took-other-address'; readonly server: string }
  | { readonly type: 'other-offer'; readonly offer: OtherOffer }
  | { readonly type: 'loader-requested'; readonly file: string }
  | { readonly type: 'loader-sent'; readonly file: string }
  | { readonly type: 'loader-failed'; readonly file: string; readonly why: string }
  | { readonly type: 'requested'; readonly name: string }
  | { readonly type: 'transferring'; readonly name: string; readonly sentBytes: number; readonly sizeBytes: number }
  | { readonly type: 'progress'; readonly stage: ProgressStage; readonly detail: string }
  | { readonly type: 'ready'; readonly detail: string };

/** What the initramfs tells: see docs of POST /b/TOKEN/progress. */
export type ProgressStage = 'started' | 'installing' | 'installed' | 'refused';

export interface StageEvent {
  readonly stage: BootStage;
  readonly detail: string;
}

export interface Advance {
  readonly session: BootSession;
  readonly events: readonly StageEvent[];
}

const order: readonly ReachedStage[] = [
  'offered',
  'loader',
  'script',
  'kernel',
  'started',
  'installing',
  'installed',
  'ready',
];

/** More DHCP servers than a network has; beyond it somebody makes them up. */
const largestOtherOffers = 8;

/** Longer than a slow machine takes for the stage, in milliseconds without anything seen. */
export const patienceMs: Readonly<Record<ReachedStage, number>> = {
  offered: 30_000,
  loader: 45_000,
  script: 20_000,
  kernel: 90_000,
  started: 120_000,
  installing: 180_000,
  installed: 240_000,
  ready: Number.POSITIVE_INFINITY,
  refused: Number.POSITIVE_INFINITY,
};

export function startSession(options: {
  readonly id: string;
  readonly token: string;
  readonly machine: BootMachine;
  readonly mode: BootMode;
  readonly now: number;
}): BootSession {
  const { now, ...rest } = options;
  return {
    ...rest,
    ...(options.mode === 'serve' ? { firmwareAddress: options.machine.address } : {}),
    chained: false,
    stage: 'offered',
    startedAt: now,
    seenAt: now,
    stalled: false,
    seen: { acknowledged: false, askedPort4011: false, loadersSent: 0, otherOffers: new Map() },
  };
}

/**
 * Whether a DISCOVER of this client begins another boot. Firmware repeats its DISCOVER until it is answered, and the iPXE
 * that we gave it asks again for itself: both belong to the boot that runs. An operating system never begins one.
 */
export function beginsNewBoot(session: BootSession, client: BootClient): boolean {
  switch (client.kind) {
    case 'system':
      return false;
    case 'pxe':
    case 'http-boot':
      return session.stage !== 'offered' || session.seen.client?.kind === 'ipxe';
    case 'ipxe':
      return session.stage !== 'offered' && session.stage !== 'loader';
  }
}

/**
 * Whether asking for a file whose name never changes begins another boot. Firmware asks for its loader as often as it likes
 * (first for the size alone), and iPXE once for its script.
 */
export function fileBeginsNewBoot({ stage }: BootSession): boolean {
  return stage !== 'offered' && stage !== 'loader';
}

export function advance(session: BootSession, sighting: BootSighting, now: number): Advance {
  const seen = { ...session, seenAt: now };
  const note = (sightings: Partial<BootSightings>): BootSession => ({
    ...seen,
    seen: { ...session.seen, ...sightings },
  });
  switch (sighting.type) {
    case 'offered': {
      const next = freshAddress(note({ client: sighting.client }), session.seen.client);
      const first = session.seen.client === undefined;
      return first ? reach(next, 'offered', sighting.detail, 'again') : unchanged(next);
    }
    case 'no-boot-file':
      return unchanged(note({ client: sighting.client, noBootFile: sighting.reason }));
    case 'acknowledged':
      return unchanged(note({ acknowledged: true, ...(sighting.lease && { lease: sighting.lease }) }));
    case 'asked-4011':
      return unchanged(note({ askedPort4011: true }));
    case 'took-other-address':
      return unchanged(note({ tookAddressFrom: sighting.server }));
    case 'other-offer': {
      const { otherOffers: known } = session.seen;
      if (known.size >= largestOtherOffers && !known.has(sighting.offer.server)) return unchanged(session);
      const otherOffers = new Map(known).set(sighting.offer.server, sighting.offer);
      // Somebody else's packet is no sign of life of this machine.
      return unchanged({ ...session, seen: { ...session.seen, otherOffers } });
    }
    case 'loader-requested':
      return reach(
        {
          ...note({ tftp: { file: sighting.file, outcome: 'running' } }),
          chained: session.chained || fullIpxe.has(sighting.file),
        },
        'loader',
        `fetching ${sighting.file}`,
      );
    case 'loader-sent':
      return unchanged(
        note({ tftp: { file: sighting.file, outcome: 'done' }, loadersSent: session.seen.loadersSent + 1 }),
      );
    case 'loader-failed':
      return unchanged(note({ tftp: { file: sighting.file, outcome: 'failed', why: sighting.why } }));
    case 'requested':
      return requested(seen, sighting.name);
    case 'transferring': {
      const { name, sentBytes, sizeBytes } = sighting;
      return unchanged(note({ transfer: { name, sentBytes, sizeBytes } }));
    }
    case 'progress':
      return reach(seen, sighting.stage, sighting.detail, sighting.stage === 'installing' ? 'again' : 'once');
    case 'ready':
      return reach(seen, 'ready', sighting.detail);
  }
}

/** The iPXE that firmware loaded asks for an address of its own, and where another server gives it, it may be another one. */
function freshAddress(session: BootSession, before: BootClient | undefined): BootSession {
  if (session.mode === 'serve' || before?.kind !== 'pxe' || session.seen.client?.kind !== 'ipxe') return session;
  const { firmwareAddress: _, ...rest } = session;
  return rest;
}

/** Reports a stall once, with where it stopped and the likely reason. */
export function tick(session: BootSession, now: number): Advance {
  if (session.stalled || now - session.seenAt < patienceMs[session.stage]) return unchanged(session);
  const detail = explainStall(session, now);
  return { session: { ...session, stalled: true }, events: [{ stage: 'stalled', detail }] };
}

function requested(session: BootSession, name: string): Advance {
  switch (name) {
    case 'boot.ipxe':
    case 'autoexec.ipxe':
      return reach(session, 'script', 'iPXE fetched its script');
    case 'kernel':
      return reach(session, 'kernel', 'fetching the kernel and the initramfs');
    default:
      return unchanged(session);
  }
}

/** Stages only go forward; one that is reached again is silent unless its detail is what is told. */
function reach(session: BootSession, stage: ReachedStage, detail: string, repeat: 'once' | 'again' = 'once'): Advance {
  const step = stage === 'refused' ? 1 : Math.sign(order.indexOf(stage) - order.indexOf(session.stage));
  const resumed = { ...session, stalled: false };
  if (step < 0 || (step === 0 && repeat === 'once' && !session.stalled)) return unchanged(resumed);
  return { session: { ...resumed, stage }, events: [{ stage, detail }] };
}

function unchanged(session: BootSession): Advance {
  return { session, events: [] };
}
