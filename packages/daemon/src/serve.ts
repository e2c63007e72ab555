// Labwright at work: a lab that is open for as long as it is served, and the socket that commands talk to. `serve` holds it open; a
// command that finds nobody serving holds it for its own length.
import { LabwrightError } from '@labwright/core/errors/error';
import { ensureFolder } from '@labwright/core/ports/folder';
import { makeApi } from './api/server.ts';
import { assertNobodyServes, isServed, listenOnSocket, servedError } from './api/socket.ts';
import { makeEventBus } from './event-bus.ts';
import { openLab } from './open-lab.ts';
import type { ServeOptions } from './serve-options.ts';
import { openServedLab } from './served-lab.ts';

const beginsMs = 10_000;
const lookMs = 200;

export interface ServingLab {
  /** Ends in order: socket, boot servers, connections, store. */
  close(): Promise<void>;
}

/** Resolves when the socket answers. Throws LW5003 when another Labwright holds it, LW0005, and what openLab throws. */
export async function serveLab(options: ServeOptions, signal: AbortSignal): Promise<ServingLab> {
  await ensureStateDirectory(options.stateDirectory);
  await assertNobodyServes(options.socket);
  const closing = new AbortController();
  const ended = AbortSignal.any([signal, closing.signal]);
  const bus = makeEventBus();
  const lab = await openServedLab(options, (each) => openLab(each, bus, ended)).catch(async (error: unknown) => {
    throw (await isBegunElsewhere(error, options, signal)) ? servedError(options.socket) : error;
  });
  try {
    const server = await listenOnSocket(makeApi({ lab, bus, log: options.log, signal: ended }), options.socket);
    options.log.info('serving', { lab: options.blueprint.lab, socket: options.socket });
    return {
      close: async () => {
        closing.abort();
        await server.close();
        await lab.close();
      },
    };
  } catch (error) {
    await lab.close();
    throw error;
  }
}

/** Of two that begin in one moment the second finds a port taken; the first will answer on the socket shortly. */
async function isBegunElsewhere(
  error: unknown,
  { socket, clock }: ServeOptions,
  signal: AbortSignal,
): Promise<boolean> {
  if (!(error instanceof LabwrightError) || error.code !== 'LW0008') return false;
  const endMs = clock.monotonic() + beginsMs;
  while (!(await isServed(socket))) {
    if (signal.aborted || clock.monotonic() > endMs) return false;
    await clock.sleep(lookMs, signal);
  }
  return true;
}

/** Throws LW0005. */
async function ensureStateDirectory(directory: string): Promise<void> {
  try {
    await ensureFolder(directory, { mode: 0o700 });
  } catch (cause) {
    throw new LabwrightError('LW0005', {
      what: 'the folder for the state of this lab cannot be made',
      where: { folder: directory },
      why: cause instanceof Error ? cause.message : String(cause),
      fix: ['make it writable, or set XDG_STATE_HOME to a folder that is'],
      cause,
    });
  }
}
