// A UDP socket as the servers use it: bound or failed with a reason, one handler, no loose errors.
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { Log } from '@labwright/core/ports/log';
import { listenError, type ListenPlace } from './listen-error.ts';

export interface UdpPlace extends Omit<ListenPlace, 'protocol'> {
  readonly broadcast?: boolean;
  /** Allows a second socket of ours at the same port and another address. */
  readonly shared?: boolean;
  /** A socket that is bound already (systemd socket unit, launcher); address and port only describe it then. */
  readonly fd?: number;
}

export interface UdpPeer {
  readonly address: string;
  readonly port: number;
}

export class UdpPort {
  readonly #socket: Socket;
  readonly #log: Log;
  #closed = false;

  private constructor(socket: Socket, log: Log) {
    this.#socket = socket;
    this.#log = log;
  }

  static async open(place: UdpPlace, log: Log): Promise<UdpPort> {
    const socket = createSocket({
      type: 'udp4',
      reuseAddr: place.shared === true,
      // Only addresses are sent to; without this every datagram waits for a turn of the resolver.
      lookup: (address, _options, callback) => callback(null, address, 4),
    });
    const failed = once(socket, 'error').then(([error]) => Promise.reject(error));
    const listening = once(socket, 'listening');
    try {
      socket.bind(place.fd === undefined ? { address: place.address, port: place.port } : { fd: place.fd });
      await Promise.race([listening, failed]);
    } catch (error) {
      throw await listenError({ ...place, protocol: 'udp' }, error);
    } finally {
      failed.catch(() => undefined);
    }
    // An ICMP answer to an earlier datagram comes as an error; nothing is lost by going on.
    socket.on('error', (error) => log.debug('a UDP socket reported an error', { error: error.message }));
    if (place.broadcast === true) socket.setBroadcast(true);
    return new UdpPort(socket, log);
  }

  get port(): number {
    return this.#socket.address().port;
  }

  onDatagram(handle: (bytes: Uint8Array, peer: UdpPeer) => void): void {
    this.#socket.on('message', (bytes: Buffer, peer: RemoteInfo) => handle(bytes, peer));
  }

  /** UDP gives no promise; a failure (no route, interface down) is logged. */
  send(bytes: Uint8Array | readonly Uint8Array[], to: UdpPeer): void {
    if (this.#closed) return;
    this.#socket.send(bytes instanceof Uint8Array ? bytes : [...bytes], to.port, to.address, (error) => {
      if (error !== null && !this.#closed) {
        this.#log.warn('a datagram could not be sent', { peer: `${to.address}:${to.port}`, error: error.message });
      }
    });
  }

  close(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    this.#closed = true;
    return new Promise((resolve) => {
      this.#socket.close(resolve);
    });
  }
}
