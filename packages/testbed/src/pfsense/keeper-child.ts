// A process that keeps names on a router, to be killed at any moment: orders come as JSON lines, and what it does goes out as lines.
import { createInterface } from 'node:readline';
import type { Log } from '@labwright/core/ports/log';
import { Secret } from '@labwright/core/ports/secret';
import { systemClock } from '@labwright/core/ports/system';
import { connectPfsense } from '@labwright/drivers/pfsense/connection';
import { RouterKeeper } from '@labwright/drivers/pfsense/keeper/router-keeper';
import { wantNames } from './wanted-names.ts';

/** The first line. */
export interface KeeperOrder {
  readonly address: string;
  readonly user: string;
  readonly password: string;
  readonly answerTimeoutMs?: number;
}

/** Each further line: the names wanted from now on. */
export type KeeperWish = readonly string[];

export type KeeperLine =
  | { readonly kind: 'ready' }
  /** The write goes out now. */
  | { readonly kind: 'writes' }
  | { readonly kind: 'standing'; readonly standing: string; readonly code?: string };

function say(line: KeeperLine): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function keep(order: KeeperOrder): RouterKeeper {
  const silent = (): void => undefined;
  const log: Log = {
    debug: silent,
    info: (message) => {
      if (message === 'the router is written to') say({ kind: 'writes' });
    },
    warn: silent,
    error: silent,
  };
  const connection = connectPfsense({
    router: { name: 'router', address: order.address, port: 443 },
    user: order.user,
    password: new Secret(order.password),
    pins: { get: () => Promise.resolve(undefined), set: () => Promise.resolve() },
    expect: 'rehearsal',
    log,
    ...(order.answerTimeoutMs === undefined ? {} : { answerTimeoutMs: order.answerTimeoutMs }),
  });
  const keeper = new RouterKeeper({
    connection,
    clock: systemClock,
    log,
    // As of one Labwright that is started again.
    holder: 'keeper-child',
    probe: () => Promise.resolve(new Map()),
    limits: { quietMs: 200, longestMs: 1_000, verifyMs: 1_000, writesPerHour: 1_000 },
    lookEveryMs: 500,
    onStanding: ({ kind, error }) => {
      say({ kind: 'standing', standing: kind, ...(error === undefined ? {} : { code: error.code }) });
    },
  });
  keeper.run(new AbortController().signal).catch((error: unknown) => {
    process.stderr.write(`${String(error)}\n`);
    process.exitCode = 1;
  });
  return keeper;
}

let keeper: RouterKeeper | undefined;
createInterface({ input: process.stdin })
  .on('line', (line) => {
    if (keeper === undefined) {
      keeper = keep(JSON.parse(line) as KeeperOrder);
      say({ kind: 'ready' });
    } else {
      keeper.want(wantNames(JSON.parse(line) as KeeperWish));
    }
  })
  .once('close', () => process.exit());
