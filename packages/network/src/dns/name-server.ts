// An authoritative name server: UDP and TCP on one port, a zone that is swapped in one step, and nothing asked of anybody else.
// Whatever comes in, it holds no more than its bounds and answers on.
import { createSocket, type RemoteInfo, type Socket as DatagramSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import type { Ipv4 } from '@labwright/core/addresses/ipv4';
import { LabwrightError } from '@labwright/core/errors/error';
import type { Clock } from '@labwright/core/ports/clock';
import type { Log } from '@labwright/core/ports/log';
import {
  formatDatagram,
  formatRefusal,
  formatReply,
  type Query,
  readQuery,
  type Reply,
  responseCodes,
} from '@labwright/wire/dns/query';
import { frame, readFrames } from '@labwright/wire/dns/tcp-frames';
import type { ExposureZone } from './exposure-zone.ts';

export interface NameServerOptions {
  readonly address: Ipv4;
  /** 0 for one of the kernel's choice. */
  readonly port: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** Since the start. */
export interface NameServerCounters {
  /** Answered, with whatever code. */
  readonly queries: number;
  /** Of other zones, transfers, and what is no question at all. */
  readonly refused: number;
  /** Not answered: bytes that are no query. */
  readonly malformed: number;
  /** Not answered: more than can be sent at a time. */
  readonly dropped: number;
}

export interface NameServer {
  readonly address: Ipv4;
  readonly port: number;
  /** From the next query on. Without one yet, every query fails: that is not remembered as "there is no such name". */
  setZone(zone: ExposureZone): void;
  counters(): NameServerCounters;
  /** Returns when both sockets are closed. */
  close(): Promise<void>;
}

/** A query has one name of at most 255 bytes; options and a signature may come with it. */
const largestQuery = 4_096;
const mostConnections = 100;
const idleConnectionMs = 10_000;
/** One client keeps no place for itself. */
const longestConnectionMs = 120_000;
const mostUnsentBytes = 1024 * 1024;

/** Throws LW0008 when the port is taken. */
export async function startNameServer(options: NameServerOptions): Promise<NameServer> {
  const { address, clock, log } = options;
  const counted = { queries: 0, refused: 0, malformed: 0, dropped: 0 };
  const closing = new AbortController();
  const { signal } = closing;
  let zone: ExposureZone | undefined;

  const answer = (message: Uint8Array, format: typeof formatReply): Uint8Array | undefined => {
    const read = readQuery(message);
    if (read.kind === 'malformed') {
      counted.malformed += 1;
      log.debug('a DNS message was dropped', { why: read.why });
      return undefined;
    }
    counted.queries += 1;
    if (read.kind === 'refused') {
      counted.refused += 1;
      return formatRefusal(read);
    }
    const reply = answerQuery(read.query, zone);
    if (reply.code === responseCodes.refused) counted.refused += 1;
    return format(read.query, reply);
  };

  const datagrams = createSocket('udp4');
  datagrams.on('message', (message, from) => {
    const reply = answer(message, formatDatagram);
    if (reply === undefined) return;
    if (!canSend(datagrams, from)) counted.dropped += 1;
    else datagrams.send(reply, from.port, from.address);
  });
  const port = await listenForDatagrams(datagrams, address, options.port);
  datagrams.on('error', (error) => log.warn('the name server lost a datagram', { why: error.message }));

  const streams = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
    serveConnection(socket, clock, signal, (message) => answer(message, formatReply)).catch((error: unknown) => {
      log.debug('a DNS connection broke off', { why: String(error) });
    });
  });
  streams.maxConnections = mostConnections;
  try {
    streams.listen(port, address);
    await once(streams, 'listening');
  } catch (error) {
    datagrams.close();
    throw listenError(address, port, error);
  }
  return {
    address,
    port,
    setZone(next) {
      zone = next;
    },
    counters: () => ({ ...counted }),
    async close() {
      closing.abort(new Error('the name server is closed'));
      const closed = [once(datagrams, 'close'), once(streams, 'close')];
      datagrams.close();
      streams.close();
      await Promise.all(closed);
    },
  };
}

/** The whole of what this server does. Pure. */
function answerQuery(query: Query, zone: ExposureZone | undefined): Reply {
  const say = (code: Reply['code']): Reply => ({ code, isAuthoritative: false, offersRecursion: false, answers: [] });
  if ((query.edns?.version ?? 0) > 0) return say(responseCodes.badVersion);
  if (!query.isInternet || query.type === 'AXFR' || query.type === 'IXFR') return say(responseCodes.refused);
  if (zone === undefined) return say(responseCodes.serverFailure);
  const found = zone.lookup(query.name, query.type);
  const ours = { isAuthoritative: true, offersRecursion: false } as const;
  switch (found.kind) {
    case 'records':
      return { ...ours, code: responseCodes.noError, answers: found.records };
    case 'no-data':
      return { ...ours, code: responseCodes.noError, answers: [], authorities: [found.authority] };
    case 'no-name':
      return { ...ours, code: responseCodes.noName, answers: [], authorities: [found.authority] };
    case 'foreign':
      return say(responseCodes.refused);
  }
}

/** Port 0 cannot be answered. What is not sent in time is of no use to anybody, and the client asks again. */
function canSend(socket: DatagramSocket, from: RemoteInfo): boolean {
  return from.port !== 0 && socket.getSendQueueSize() < mostUnsentBytes;
}

async function listenForDatagrams(socket: DatagramSocket, address: Ipv4, port: number): Promise<number> {
  try {
    socket.bind(port, address);
    await once(socket, 'listening');
    return socket.address().port;
  } catch (error) {
    throw listenError(address, port, error);
  }
}

async function serveConnection(
  socket: Socket,
  clock: Clock,
  signal: AbortSignal,
  answer: (message: Uint8Array) => Uint8Array | undefined,
): Promise<void> {
  const done = new AbortController();
  const until = AbortSignal.any([signal, done.signal]);
  const hangUp = (): void => void socket.destroy();
  signal.addEventListener('abort', hangUp, { once: true });
  socket.once('close', () => {
    signal.removeEventListener('abort', hangUp);
    done.abort(new Error('the connection has ended'));
  });
  socket.setTimeout(idleConnectionMs, hangUp);
  clock.sleep(longestConnectionMs, until).then(hangUp, () => undefined);
  for await (const message of readFrames(socket, largestQuery)) {
    const reply = answer(message);
    // What cannot be read is not answered, and what comes after it is not to be trusted either.
    if (reply === undefined) return hangUp();
    // A client that does not read is not read either.
    if (!socket.write(frame(reply))) await once(socket, 'drain', { signal: until });
  }
  // A client may close its side first and still have its answers (RFC 7766 §6.2.3), so ours is closed here.
  socket.end();
}

function listenError(address: Ipv4, port: number, cause: unknown): unknown {
  const { code } = cause as NodeJS.ErrnoException;
  if (code !== 'EADDRINUSE' && code !== 'EADDRNOTAVAIL' && code !== 'EACCES') return cause;
  return new LabwrightError('LW0008', {
    what: `the name server for services cannot listen on ${address}:${port}`,
    where: { address: `${address}:${port}` },
    why: (cause as Error).message,
    fix: [`find the program with: ss -lnptu sport = :${port}`, 'or set exposures.nameServer.port to another one'],
    cause,
  });
}
