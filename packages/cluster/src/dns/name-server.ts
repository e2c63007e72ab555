// The cluster's name server: its own names from a zone, everything else from the lab's resolvers. UDP and TCP on one port.
import { createSocket, type Socket as DatagramSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import type { Ipv4 } from '@labwright/core/addresses/ipv4';
import { LabwrightError } from '@labwright/core/errors/error';
import type { Log } from '@labwright/core/ports/log';
import {
  datagramLimit,
  formatDatagram,
  formatQuery,
  formatRefusal,
  formatReply,
  formatTruncated,
  type Query,
  readAnswers,
  readQuery,
  type Reply,
  responseCodes,
} from '@labwright/wire/dns/query';
import type { DnsRecord } from '@labwright/wire/dns/record';
import { frame, readFrames } from '@labwright/wire/dns/tcp-frames';
import type { ClusterZone } from './cluster-zone.ts';
import type { Forward } from './forward.ts';
import { formatAlias, formatRecord, startOfAuthority } from './zone-records.ts';

export interface NameServerOptions {
  readonly zone: ClusterZone;
  /** False until all Services and endpoints are known: then "no such name" would be a guess, and the answer is a failure. */
  readonly isComplete: () => boolean;
  readonly forward: Forward;
  readonly address: Ipv4;
  /** 0 for one of the kernel's choice. */
  readonly port: number;
  readonly log: Log;
}

/** Since the start. */
export interface NameServerCounters {
  readonly queries: number;
  readonly forwarded: number;
  readonly malformed: number;
  /** Nobody was left to ask, or too many questions were open. */
  readonly failed: number;
}

export interface NameServer {
  readonly address: Ipv4;
  readonly port: number;
  counters(): NameServerCounters;
  /** Returns when both sockets are closed and open questions are given up. */
  close(): Promise<void>;
}

const mostOpenQuestions = 1_000;
const mostConnections = 100;
const idleConnectionMs = 10_000;
const longestAliasChain = 8;

/** Throws LW0008 when the port is taken. */
export async function startNameServer(options: NameServerOptions): Promise<NameServer> {
  const { address, log } = options;
  const counted = { queries: 0, forwarded: 0, malformed: 0, failed: 0 };
  const closing = new AbortController();
  const { signal } = closing;
  const resolve = makeResolver(options, counted, signal);
  let open = 0;

  const answer = async (message: Uint8Array, transport: 'udp' | 'tcp'): Promise<Uint8Array | undefined> => {
    const read = readQuery(message);
    if (read.kind === 'malformed') {
      counted.malformed += 1;
      log.debug('a DNS message was dropped', { why: read.why });
      return undefined;
    }
    counted.queries += 1;
    if (read.kind === 'refused') return formatRefusal(read);
    if (open >= mostOpenQuestions) {
      counted.failed += 1;
      return formatReply(read.query, failure);
    }
    open += 1;
    try {
      return await resolve(message, read.query, transport);
    } finally {
      open -= 1;
    }
  };

  const datagrams = createSocket('udp4');
  datagrams.on('message', (message, from) => {
    answer(message, 'udp').then(
      (reply) => {
        if (reply !== undefined && !signal.aborted) datagrams.send(reply, from.port, from.address);
      },
      (error: unknown) => log.error('a DNS query was not answered', { why: String(error) }),
    );
  });
  const port = await listenForDatagrams(datagrams, address, options.port);
  datagrams.on('error', (error) => log.warn('the cluster name server lost a datagram', { why: error.message }));

  const streams = createServer({ noDelay: true }, (socket) => {
    serveConnection(socket, signal, async (message) => await answer(message, 'tcp')).catch((error: unknown) => {
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
    counters: () => ({ ...counted }),
    async close() {
      closing.abort(new Error('the cluster name server is closed'));
      const closed = [once(datagrams, 'close'), once(streams, 'close')];
      datagrams.close();
      streams.close();
      await Promise.all(closed);
    },
  };
}

/** Whatever is not the cluster's is asked elsewhere. */
const offersRecursion = true;
const failure: Reply = { code: responseCodes.serverFailure, isAuthoritative: false, offersRecursion, answers: [] };

function makeResolver(
  { zone, isComplete, forward }: NameServerOptions,
  counted: { forwarded: number; failed: number },
  signal: AbortSignal,
) {
  const fail = (): Reply => {
    counted.failed += 1;
    return failure;
  };

  /** What our own zone says; undefined for what is not ours. Follows aliases, also to names of others. */
  const lookUp = async (query: Query): Promise<Reply | undefined> => {
    const chain: DnsRecord[] = [];
    let { name } = query;
    for (let length = 0; length < longestAliasChain; length += 1) {
      const found = zone.lookup(name, query.type);
      if (found.kind === 'foreign')
        return chain.length === 0 ? undefined : await lookUpElsewhere(name, query.type, chain);
      if (!isComplete()) return fail();
      switch (found.kind) {
        case 'records': {
          const answers = [...chain, ...found.records.map(formatRecord)];
          const additionals = found.additional.map(formatRecord);
          return { code: responseCodes.noError, isAuthoritative: true, offersRecursion, answers, additionals };
        }
        case 'no-data':
        case 'no-name': {
          const code = found.kind === 'no-name' ? responseCodes.noName : responseCodes.noError;
          const authorities = [startOfAuthority(found.zone)];
          return { code, isAuthoritative: true, offersRecursion, answers: chain, authorities };
        }
        case 'alias': {
          chain.push(formatAlias(name, found.target));
          if (query.type === 'CNAME') {
            return { code: responseCodes.noError, isAuthoritative: true, offersRecursion, answers: chain };
          }
          name = found.target.replace(/\.$/, '');
        }
      }
    }
    return fail();
  };

  const lookUpElsewhere = async (name: string, type: string, chain: Reply['answers']): Promise<Reply> => {
    const own = formatQuery(0, name, type);
    counted.forwarded += 1;
    // Over TCP, so that nothing of it is cut.
    const given = await forward(own, own.subarray(12), 'tcp', signal);
    const read = given === undefined ? undefined : readAnswers(given);
    const code = ([responseCodes.noError, responseCodes.noName] as const).find((known) => known === read?.code);
    if (read === undefined || code === undefined) return fail();
    return { code, isAuthoritative: false, offersRecursion, answers: [...chain, ...read.answers] };
  };

  return async (message: Uint8Array, query: Query, transport: 'udp' | 'tcp'): Promise<Uint8Array> => {
    const format = transport === 'udp' ? formatDatagram : formatReply;
    if (!query.isInternet || query.type === 'AXFR' || query.type === 'IXFR') {
      return format(query, { ...failure, code: responseCodes.refused });
    }
    const own = await lookUp(query);
    if (own !== undefined) return format(query, own);
    counted.forwarded += 1;
    const given = await forward(message, query.question, transport, signal);
    if (given === undefined) return format(query, fail());
    if (transport === 'udp' && given.length > Math.max(datagramLimit(query), query.edns?.datagramBytes ?? 0)) {
      return formatTruncated(query, { code: responseCodes.noError, isAuthoritative: false, offersRecursion });
    }
    return given;
  };
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
  signal: AbortSignal,
  answer: (message: Uint8Array) => Promise<Uint8Array | undefined>,
): Promise<void> {
  const onAbort = (): void => void socket.destroy();
  signal.addEventListener('abort', onAbort, { once: true });
  socket.setTimeout(idleConnectionMs, onAbort);
  try {
    for await (const message of readFrames(socket)) {
      const reply = await answer(message);
      // What cannot be read is not answered, and what comes after it is not to be trusted either.
      if (reply === undefined) return;
      socket.write(frame(reply));
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    socket.destroy();
  }
}

function listenError(address: Ipv4, port: number, cause: unknown): unknown {
  const { code } = cause as NodeJS.ErrnoException;
  if (code !== 'EADDRINUSE' && code !== 'EADDRNOTAVAIL' && code !== 'EACCES') return cause;
  return new LabwrightError('LW0008', {
    what: `the cluster's name server cannot listen on ${address}:${port}`,
    where: { address: `${address}:${port}` },
    why: (cause as Error).message,
    fix: [`find the program with: ss -lnptu sport = :${port}`],
    cause,
  });
}
