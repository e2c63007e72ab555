// One TFTP transfer on a socket of its own: runs the state machine until the client has everything or goes away.
import type { Clock } from '@labwright/core/ports/clock';
import type { Log } from '@labwright/core/ports/log';
import { DecodeError } from '@labwright/wire/bytes/reader';
import type { TftpOptions } from '@labwright/wire/tftp/options';
import { decodeTftp, encodeTftp, tftpErrorCode, type TftpPacket } from '@labwright/wire/tftp/packet';
import type { BootCounters } from '../boot-counters.ts';
import { UdpPort, type UdpPeer } from '../sockets/udp-port.ts';
import { negotiate } from './negotiate.ts';
import { acknowledge, startTransfer, timeOut, type TransferStep } from './transfer.ts';

export type SendOutcome =
  | { readonly kind: 'sent' }
  /** Firmware asks for the size alone by aborting after it has it: not a failure. */
  | { readonly kind: 'size-asked' }
  | { readonly kind: 'aborted'; readonly why: string }
  | { readonly kind: 'timed-out'; readonly sentBytes: number };

export interface SendOptions {
  readonly address: string;
  readonly peer: UdpPeer;
  readonly content: Uint8Array;
  readonly asked: TftpOptions;
  readonly mtu: number;
  readonly clock: Clock;
  readonly counters: BootCounters;
  readonly log: Log;
}

/** Rejects with the signal's reason when it is aborted; the client is told then. */
export async function sendFile(options: SendOptions, signal: AbortSignal): Promise<SendOutcome> {
  const { content, peer, clock } = options;
  const { blockSize, windowSize, timeoutMs, granted } = negotiate(options.asked, {
    size: content.length,
    mtu: options.mtu,
  });
  const withOptions = Object.keys(granted).length > 0;
  const port = await UdpPort.open({ address: options.address, port: 0, purpose: 'a TFTP transfer' }, options.log);
  const ended = new AbortController();
  const { promise, resolve } = Promise.withResolvers<SendOutcome>();
  let step = startTransfer({ size: content.length, blockSize, windowSize, withOptions });
  let deadline = 0;

  const perform = (next: TransferStep): void => {
    step = next;
    const { action } = next;
    // The first wait is the negotiated one, each further one twice as long.
    if (action.kind !== 'wait') deadline = clock.monotonic() + timeoutMs * 2 ** next.transfer.timeouts;
    switch (action.kind) {
      case 'send-options':
        return port.send(encodeTftp({ kind: 'oack', options: granted }), peer);
      case 'send-blocks':
        for (let block = action.from; block <= action.to; block += 1) sendBlock(block);
        return;
      case 'finish':
        return resolve({ kind: 'sent' });
      case 'give-up':
        return resolve({ kind: 'timed-out', sentBytes: next.transfer.acknowledged * blockSize });
      case 'wait':
        return;
    }
  };
  const sendBlock = (block: number): void => {
    const header = Uint8Array.of(0, 3, (block >> 8) & 255, block & 255);
    port.send([header, content.subarray((block - 1) * blockSize, block * blockSize)], peer);
  };
  port.onDatagram((bytes, from) => {
    if (from.address !== peer.address || from.port !== peer.port) {
      // RFC 1350 §4: somebody else's packet does not disturb this transfer.
      const message = 'this port belongs to another transfer';
      return port.send(encodeTftp({ kind: 'error', code: tftpErrorCode.unknownTransfer, message }), from);
    }
    const packet = decodeOrCount(bytes, options.counters);
    if (packet?.kind === 'ack') perform(acknowledge(step.transfer, packet.block));
    if (packet?.kind === 'error') resolve(outcomeOf(packet, step.transfer.phase));
  });

  const watch = async (): Promise<void> => {
    while (!ended.signal.aborted) {
      const left = deadline - clock.monotonic();
      if (left <= 0) perform(timeOut(step.transfer));
      else await clock.sleep(left, ended.signal);
    }
  };
  const onAbort = (): void => ended.abort(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    signal.throwIfAborted();
    perform(step);
    // The watch only ends by `ended`: it rejects when the transfer was cut off from outside.
    const watching = watch();
    const outcome = await Promise.race([promise, watching.then(() => promise)]);
    ended.abort();
    await watching.catch(() => undefined);
    return outcome;
  } catch (error) {
    port.send(encodeTftp({ kind: 'error', code: tftpErrorCode.undefined, message: 'the server is stopping' }), peer);
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
    await port.close();
  }
}

function decodeOrCount(bytes: Uint8Array, counters: BootCounters): TftpPacket | undefined {
  try {
    return decodeTftp(bytes);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    counters.malformed += 1;
    return undefined;
  }
}

function outcomeOf(packet: TftpPacket & { kind: 'error' }, phase: string): SendOutcome {
  // Code 8 or 0 in answer to the options: "that was all I wanted" (edk2, Intel's ROMs).
  const userAbort = packet.code === tftpErrorCode.optionRefused || packet.code === tftpErrorCode.undefined;
  if (phase === 'greeting' && userAbort) return { kind: 'size-asked' };
  return { kind: 'aborted', why: `error ${packet.code}: ${JSON.stringify(packet.message)}` };
}
