// The TFTP server: read requests on port 69, each answered from a port of its own. RFC 1350 §4
import type { Clock } from '@labwright/core/ports/clock';
import type { Log } from '@labwright/core/ports/log';
import { DecodeError } from '@labwright/wire/bytes/reader';
import { decodeTftp, encodeTftp, tftpErrorCode, type TftpPacket, type TftpRequest } from '@labwright/wire/tftp/packet';
import type { BootCounters } from '../boot-counters.ts';
import { redactPath } from '../boot-routes.ts';
import type { Refusals } from '../session/refusals.ts';
import { UdpPort, type UdpPeer } from '../sockets/udp-port.ts';
import { sendFile, type SendOutcome } from './send-file.ts';

export type TftpFile =
  | {
      readonly kind: 'file';
      readonly content: Uint8Array;
      /** Called when the transfer starts and when it ends. */
      readonly onStart: () => void;
      readonly onEnd: (outcome: SendOutcome) => void;
    }
  | { readonly kind: 'refused'; readonly reason: string };

export interface TftpServerOptions {
  readonly address: string;
  readonly port: number;
  readonly mtu: number;
  /** Finds a file by name; nothing else is ever served. */
  readonly find: (request: TftpRequest, peer: UdpPeer) => Promise<TftpFile>;
  readonly refusals: Refusals;
  readonly counters: BootCounters;
  readonly clock: Clock;
  readonly log: Log;
}

export interface TftpServer {
  /** Lets transfers end for a while, then cuts them. */
  close(): Promise<void>;
}

const largestTransfers = 256;
const largestTransfersOfPeer = 8;
const drainMs = 3_000;

export async function startTftpServer(options: TftpServerOptions): Promise<TftpServer> {
  const place = { address: options.address, port: options.port, purpose: 'the TFTP server' };
  const port = await UdpPort.open(place, options.log);
  const cut = new AbortController();
  const running = new Map<string, Promise<void>>();
  const fail = (peer: UdpPeer, code: number, message: string): void =>
    port.send(encodeTftp({ kind: 'error', code, message }), peer);

  port.onDatagram((bytes, peer) => {
    const packet = decodeOrDrop(bytes, peer, options);
    if (packet === undefined) return;
    if (packet.kind === 'read') return accept(packet, peer);
    // An error packet is never answered with one, or two servers would talk for ever.
    if (packet.kind === 'error') return;
    if (packet.kind === 'write') {
      options.refusals.refuse('tftp', peer.address, 'it wanted to write, which nobody may');
      return fail(peer, tftpErrorCode.accessViolation, 'read only');
    }
    fail(peer, tftpErrorCode.illegalOperation, 'a transfer begins with a read request');
  });
  return { close };

  function accept(request: TftpRequest, peer: UdpPeer): void {
    const key = `${peer.address}:${peer.port}`;
    // The request came twice: the transfer that answers the first repeats what gets lost.
    if (running.has(key)) return;
    if (request.mode !== 'octet') {
      options.refusals.refuse('tftp', peer.address, `it wanted mode "${redactPath(request.mode)}", not octet`);
      return fail(peer, tftpErrorCode.illegalOperation, 'only mode octet (binary) is served');
    }
    const ofPeer = [...running.keys()].filter((other) => other.startsWith(`${peer.address}:`)).length;
    if (running.size >= largestTransfers || ofPeer >= largestTransfersOfPeer) {
      options.refusals.refuse('tftp', peer.address, 'there are too many transfers at once');
      return fail(peer, tftpErrorCode.undefined, 'too many transfers, try again later');
    }
    running.set(
      key,
      answer(request, peer).finally(() => running.delete(key)),
    );
  }

  async function answer(request: TftpRequest, peer: UdpPeer): Promise<void> {
    const file = await findOrFail(request, peer);
    if (cut.signal.aborted) return;
    if (file === undefined) return fail(peer, tftpErrorCode.undefined, 'something failed here');
    if (file.kind === 'refused') {
      options.refusals.refuse('tftp', peer.address, file.reason);
      return fail(peer, tftpErrorCode.notFound, 'no such file');
    }
    await run(request, peer, file);
  }

  /** A mistake of ours must not end the program because of a datagram. */
  async function findOrFail(request: TftpRequest, peer: UdpPeer): Promise<TftpFile | undefined> {
    try {
      return await options.find(request, peer);
    } catch (error) {
      options.log.error('a TFTP request could not be answered', { code: 'LW0001', error: String(error) });
      return undefined;
    }
  }

  async function run(request: TftpRequest, peer: UdpPeer, file: TftpFile & { kind: 'file' }): Promise<void> {
    const fields = { peer: peer.address, file: redactPath(request.fileName) };
    try {
      file.onStart();
      const outcome = await sendFile({ ...options, content: file.content, asked: request.options, peer }, cut.signal);
      options.log.debug('a TFTP transfer ended', { ...fields, outcome: outcome.kind });
      file.onEnd(outcome);
    } catch (error) {
      if (cut.signal.aborted) return;
      options.log.error('a TFTP transfer failed on our side', { ...fields, error: String(error) });
    }
  }

  async function close(): Promise<void> {
    await port.close();
    const drained = Promise.all(running.values());
    const stopWaiting = new AbortController();
    const waited = options.clock.sleep(drainMs, stopWaiting.signal).catch(() => undefined);
    await Promise.race([drained, waited]);
    stopWaiting.abort();
    cut.abort();
    await drained;
  }
}

function decodeOrDrop(bytes: Uint8Array, peer: UdpPeer, options: TftpServerOptions): TftpPacket | undefined {
  try {
    const packet = decodeTftp(bytes);
    options.counters.received += 1;
    return packet;
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    options.counters.malformed += 1;
    options.log.debug('a malformed TFTP packet was dropped', { peer: peer.address, reason: error.message });
    return undefined;
  }
}
