// One call to one member of etcd over its JSON gateway (etcd 3.4 and later: POST /v3/…), with TLS and a client certificate.
import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { LabwrightError } from '@labwright/core/errors/error';
import type { Secret } from '@labwright/core/ports/secret';
import * as z from 'zod';

/** What a client of etcd shows and whom it trusts; kubeadm's healthcheck-client pair or one like it. */
export interface EtcdLogin {
  /** PEM of etcd's own authority. */
  readonly ca: string;
  /** PEM of the client certificate. */
  readonly certificate: string;
  readonly privateKey: Secret;
}

export interface EtcdMemberAddress {
  /** For messages: the member's or node's name. */
  readonly name: string;
  /** Address or name that its serving certificate holds. */
  readonly host: string;
  readonly port: number;
  /** Where the other members reach it; with it a member is known that was added and has never started. */
  readonly peerUrl?: string;
}

export interface EtcdPeer {
  readonly address: EtcdMemberAddress;
  /** Without it plain HTTP is spoken, as a test may. */
  readonly login?: EtcdLogin;
}

export interface CallLimits {
  readonly signal: AbortSignal;
  /** Until the answer is there in full; for a stream between two parts of it. */
  readonly timeoutMs: number;
}

const mostAnswerBytes = 4 * 1024 * 1024;

/** What etcd's gateway says when it says no (grpc-gateway 1.x). */
const refusal = z.looseObject({
  error: z.string().optional(),
  message: z.string().optional(),
  code: z.number().optional(),
});

/**
 * The answer, read by the schema. Throws LW6031 when the member does not answer in time or its certificate is not etcd's,
 * LW6032 with etcd's own words when it refuses, and the signal's reason.
 */
export async function callEtcd<Answer>(
  peer: EtcdPeer,
  path: string,
  body: object,
  schema: z.ZodType<Answer>,
  limits: CallLimits,
): Promise<Answer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of streamEtcd(peer, path, body, limits)) {
    size += chunk.length;
    if (size > mostAnswerBytes) throw misread(peer, path, `its answer is longer than ${mostAnswerBytes} bytes`);
    chunks.push(chunk);
  }
  const parsed = schema.safeParse(parseJson(Buffer.concat(chunks).toString('utf8')));
  if (!parsed.success) throw misread(peer, path, z.prettifyError(parsed.error).replaceAll('\n', ' '));
  return parsed.data;
}

/** The parts of an answer as they come. */
export async function* streamEtcd(
  peer: EtcdPeer,
  path: string,
  body: object,
  { signal, timeoutMs }: CallLimits,
): AsyncGenerator<Buffer> {
  signal.throwIfAborted();
  const request = openRequest(peer, path, signal);
  // An idle socket, before the answer or within it.
  request.setTimeout(timeoutMs, () => request.destroy(new Error(`nothing came within ${timeoutMs} ms`)));
  try {
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      request.once('response', resolve);
      request.once('error', reject);
      request.end(JSON.stringify(body));
    });
    if (answer.statusCode !== 200) throw await readRefusal(peer, path, answer);
    for await (const chunk of answer) yield chunk as Buffer;
  } catch (error) {
    if (error instanceof LabwrightError) throw error;
    signal.throwIfAborted();
    throw silent(peer, path, error);
  } finally {
    request.destroy();
  }
}

function openRequest({ address, login }: EtcdPeer, path: string, signal: AbortSignal): ClientRequest {
  const options = {
    host: address.host,
    port: address.port,
    path,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    agent: false,
    signal,
  } as const;
  if (login === undefined) return httpRequest(options);
  return httpsRequest({
    ...options,
    ca: login.ca,
    cert: login.certificate,
    key: login.privateKey.reveal(),
    minVersion: 'TLSv1.2',
  });
}

async function readRefusal(peer: EtcdPeer, path: string, answer: IncomingMessage): Promise<LabwrightError> {
  let text = '';
  for await (const chunk of answer) {
    text += (chunk as Buffer).toString('utf8');
    if (text.length > 10_000) break;
  }
  const parsed = refusal.safeParse(parseJson(text));
  const words = parsed.success ? (parsed.data.error ?? parsed.data.message) : undefined;
  return etcdRefused(peer, path, words ?? `HTTP status ${answer.statusCode ?? 0}: ${text.slice(0, 200)}`);
}

/** etcd's own no, in its words: "etcdserver: re-configuration failed due to not enough started members". */
export function etcdRefused(peer: EtcdPeer, path: string, words: string): LabwrightError {
  return new LabwrightError('LW6032', {
    what: `etcd on ${peer.address.name} refused a call`,
    where: placeOf(peer, path),
    why: words,
    fix: ['labwright cluster status', 'run the command again: it starts from what is there now'],
  });
}

function silent(peer: EtcdPeer, path: string, cause: unknown): LabwrightError {
  return new LabwrightError('LW6031', {
    what: `etcd on ${peer.address.name} does not answer`,
    where: placeOf(peer, path),
    why: cause instanceof Error ? cause.message : String(cause),
    fix: ['labwright cluster status', `look at its log on ${peer.address.name}: sudo ls /var/log/pods | grep etcd`],
    cause,
  });
}

function misread(peer: EtcdPeer, path: string, why: string): LabwrightError {
  return new LabwrightError('LW6032', {
    what: `the answer of etcd on ${peer.address.name} is not understood`,
    where: placeOf(peer, path),
    why,
    fix: ['check that the version of etcd is 3.4 or later'],
  });
}

const placeOf = ({ address }: EtcdPeer, path: string): Record<string, string> => ({
  member: `${address.host}:${address.port}`,
  call: `POST ${path}`,
});

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
