// The other end of the socket: asks a running Labwright as if the lab were open here.
import { request, type IncomingMessage } from 'node:http';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import {
  labDigestHeader,
  paths,
  type CertificatesStatus,
  type ClusterLoginAnswer,
  type ExposuresAnswer,
  type Intent,
  type LabStatus,
  type RouterAdoptAnswer,
  type RouterAdoptRequest,
  type RouterBackupAnswer,
  type RouterDiffAnswer,
  type RouterRestoreAnswer,
  type RouterRestoreRequest,
  type WhyAnswer,
} from '@labwright/core/contract/contract';
import { LabwrightError, type ErrorJson } from '@labwright/core/errors/error';
import type { LabEvent } from '@labwright/core/events/event';
import type { Plan } from '@labwright/core/plan/plan';
import type { RunEnd } from './server.ts';

export interface RemoteRun {
  readonly planId: string;
  /** The client's own name for this run, to interrupt it by. */
  readonly ticket: string;
  readonly emit: (event: LabEvent) => void;
  readonly interrupt: AbortSignal;
  readonly signal: AbortSignal;
}

export interface LabClient {
  status(signal: AbortSignal): Promise<LabStatus>;
  plan(intent: Intent, signal: AbortSignal): Promise<Plan>;
  /** Throws LW0002 when there is no such plan. */
  savedPlan(id: string, signal: AbortSignal): Promise<Plan>;
  /** A new login for a person, with its private key. Throws LW1004 for a lab without a cluster, LW6014 when there is none yet. */
  clusterLogin(signal: AbortSignal): Promise<ClusterLoginAnswer>;
  clusterCertificates(signal: AbortSignal): Promise<CertificatesStatus>;
  exposures(signal: AbortSignal): Promise<ExposuresAnswer>;
  why(name: string, signal: AbortSignal): Promise<WhyAnswer>;
  routerDiff(signal: AbortSignal): Promise<RouterDiffAnswer>;
  routerBackup(signal: AbortSignal): Promise<RouterBackupAnswer>;
  /** Only looks unless it is agreed to. Throws LW0002 for a name that no entry in the way has. */
  routerAdopt(request: RouterAdoptRequest, signal: AbortSignal): Promise<RouterAdoptAnswer>;
  /** Only looks unless it is agreed to. Throws LW8012 for a file that is no backup for this router. */
  routerRestore(request: RouterRestoreRequest, signal: AbortSignal): Promise<RouterRestoreAnswer>;
  run(run: RemoteRun): Promise<{ readonly outcome: string; readonly errors: readonly ErrorJson[] }>;
}

/**
 * With the digest of the lab file that was read, the other end answers by that file or says why it cannot. Throws LW0009 when
 * nobody answers on the socket, and whatever the other end threw.
 */
export function makeLabClient(socketPath: string, labDigest?: string): LabClient {
  const send = async (method: string, path: string, body: string | undefined, signal: AbortSignal) =>
    await sendTo(socketPath, { method, path, body, labDigest }, signal);
  const ask = async <Result>(method: string, path: string, body: unknown, signal: AbortSignal): Promise<Result> => {
    const sent = body === undefined ? undefined : JSON.stringify(body);
    const answer = await send(method, path, sent, signal);
    const text = await readText(answer);
    const json = JSON.parse(text) as unknown;
    if (answer.statusCode === 200) return json as Result;
    throw LabwrightError.fromJSON(json as ErrorJson);
  };
  return {
    status: async (signal) => await ask<LabStatus>('GET', paths.status, undefined, signal),
    plan: async (intent, signal) => await ask<Plan>('POST', paths.plan, intent, signal),
    savedPlan: async (id, signal) =>
      await ask<Plan>('GET', `${paths.plan}/${encodeURIComponent(id)}`, undefined, signal),
    clusterLogin: async (signal) => await ask<ClusterLoginAnswer>('POST', paths.clusterLogin, {}, signal),
    clusterCertificates: async (signal) =>
      await ask<CertificatesStatus>('GET', paths.clusterCertificates, undefined, signal),
    exposures: async (signal) => await ask<ExposuresAnswer>('GET', paths.exposures, undefined, signal),
    why: async (name, signal) =>
      await ask<WhyAnswer>('GET', `${paths.why}/${encodeURIComponent(name)}`, undefined, signal),
    routerDiff: async (signal) => await ask<RouterDiffAnswer>('GET', paths.routerDiff, undefined, signal),
    routerBackup: async (signal) => await ask<RouterBackupAnswer>('POST', paths.routerBackup, {}, signal),
    routerAdopt: async (request, signal) => await ask<RouterAdoptAnswer>('POST', paths.routerAdopt, request, signal),
    routerRestore: async (request, signal) =>
      await ask<RouterRestoreAnswer>('POST', paths.routerRestore, request, signal),
    run: async ({ planId, ticket, emit, interrupt, signal }) => {
      const path = `${paths.runs}/${ticket}`;
      const body = JSON.stringify({ plan: planId });
      const answer = await send('POST', path, body, signal);
      const passOn = (): void => {
        send('DELETE', path, undefined, signal).then(
          (reply) => reply.resume(),
          () => undefined, // The other end is gone; the stream of the run says so.
        );
      };
      if (interrupt.aborted) passOn();
      else interrupt.addEventListener('abort', passOn, { once: true });
      try {
        for await (const line of createInterface({ input: answer })) {
          const message = JSON.parse(line) as LabEvent | RunEnd | ErrorJson;
          if (!('type' in message)) throw LabwrightError.fromJSON(message);
          if (message.type === 'end') return message;
          if (message.type === 'error') throw LabwrightError.fromJSON(message.error);
          emit(message);
        }
      } catch (error) {
        if (error instanceof LabwrightError || !isBroken(error)) throw error;
        throw unreachable(socketPath, 'it went away in the middle of the run', error);
      } finally {
        // Also when a listener threw: a stream nobody reads would keep this process alive until the run's end.
        answer.destroy();
        interrupt.removeEventListener('abort', passOn);
      }
      throw unreachable(socketPath, 'it went away in the middle of the run');
    },
  };
}

/** Node's words for a stream whose other end was closed or killed. */
function isBroken(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
}

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly body: string | undefined;
  readonly labDigest: string | undefined;
}

async function sendTo(
  socketPath: string,
  { method, path, body, labDigest }: Asked,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  return await new Promise<IncomingMessage>((resolve, reject) => {
    const headers = {
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(labDigest === undefined ? {} : { [labDigestHeader]: labDigest }),
    };
    const outgoing = request({ socketPath, method, path, headers, signal, agent: false }, resolve);
    outgoing.once('error', (error) => reject(signal.aborted ? error : unreachable(socketPath, error.message, error)));
    outgoing.end(body);
  });
}

async function readText(answer: IncomingMessage): Promise<string> {
  answer.setEncoding('utf8');
  let text = '';
  for await (const part of answer) text += String(part);
  return text;
}

function unreachable(socketPath: string, why: string, cause?: unknown): LabwrightError {
  return new LabwrightError('LW0009', {
    what: 'the Labwright that should run here does not answer',
    where: { socket: socketPath },
    why,
    fix: [
      'labwright serve   on hardware: start it again where it ran',
      `ls ${dirname(socketPath)}   in a rehearsal: its logs are there`,
      'labwright rehearse stop   ends the rehearsal and removes its machines; then labwright rehearse',
    ],
    cause,
  });
}
