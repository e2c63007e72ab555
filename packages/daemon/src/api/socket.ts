// The Unix socket of a Labwright that works on a lab: there is one at a time, and only its owner may use it.
import { chmod, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { LabwrightError } from '@labwright/core/errors/error';
import type { Hono } from 'hono';

export interface SocketServer {
  /** Ends open connections as well. */
  close(): Promise<void>;
}

/** True when somebody answers on the socket; a file that a killed process left behind does not. */
export async function isServed(socket: string): Promise<boolean> {
  return await new Promise((resolve) => {
    const probe = connect(socket);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
}

/** Throws LW5003. */
export async function assertNobodyServes(socket: string): Promise<void> {
  if (await isServed(socket)) throw servedError(socket);
}

export function servedError(socket: string): LabwrightError {
  return new LabwrightError('LW5003', {
    what: 'another Labwright works on this lab already',
    where: { socket },
    fix: ['give the command again: it finds the other one by itself', 'or end that one first'],
  });
}

/** Readable and writable by its owner only, from the first moment on. */
export async function listenOnSocket(api: Hono, socket: string): Promise<SocketServer> {
  await assertNobodyServes(socket);
  await rm(socket, { force: true });
  const handle = getRequestListener(api.fetch);
  // It answers every failure itself (api.onError), so its promise has nothing to tell.
  const server = createServer((incoming, outgoing) => void handle(incoming, outgoing));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    // The folder is its owner's alone (0700), so nobody comes in before the mode is set.
    server.listen(socket, resolve);
  });
  await chmod(socket, 0o600);
  return {
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      await rm(socket, { force: true });
    },
  };
}
