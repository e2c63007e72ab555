// The sockets of DHCP: port 67 (server or proxy), port 4011 (boot server), and port 68 to overhear other servers. In 'router'
// mode port 67, too, is only listened at.
import { LabwrightError } from '@labwright/core/errors/error';
import type { Log } from '@labwright/core/ports/log';
import { DecodeError } from '@labwright/wire/bytes/reader';
import { EncodeError } from '@labwright/wire/bytes/writer';
import { decodeDhcp, encodeDhcp, formatDhcp, type DhcpMessage } from '@labwright/wire/dhcp4/message';
import type { BootCounters } from '../boot-counters.ts';
import type { BootMode } from '../boot-network.ts';
import type { Refusals } from '../session/refusals.ts';
import { assertPortFree } from '../sockets/listen-error.ts';
import { bindToDevice, hasOtherInterfaces, interfaceOf } from '../sockets/receive-interface.ts';
import { UdpPort, type UdpPeer } from '../sockets/udp-port.ts';
import { macOf } from './boot-client.ts';
import { answerBootServer, answerDhcp, type DhcpVerdict, type DhcpWorld } from './dhcp-policy.ts';
import { overhear } from './overheard.ts';
import { destinationOf } from './reply.ts';

interface DhcpPorts {
  readonly server: number;
  readonly client: number;
  readonly bootServer: number;
}

export interface DhcpServerOptions {
  readonly world: DhcpWorld;
  readonly ports: DhcpPorts;
  /** A socket already bound to port 67 and to its device, from a systemd socket unit or a launcher. */
  readonly receiveFd?: number;
  readonly refusals: Refusals;
  readonly counters: BootCounters;
  readonly log: Log;
}

export interface DhcpServer {
  close(): Promise<void>;
}

const anyAddress = '0.0.0.0';
/** What every client takes, less the headers of IP and UDP (RFC 2131 §2, option 57 counts them). */
const smallestLimit = 576;
const headerBytes = 28;

export async function startDhcpServer(options: DhcpServerOptions, signal: AbortSignal): Promise<DhcpServer> {
  const opened: UdpPort[] = [];
  try {
    const { world, ports, log } = options;
    const own = world.network.address;
    const bootServer = await open({ address: own, port: ports.bootServer });
    if (world.network.mode === 'router') await listenToClients();
    else await serveClients();
    bootServer.onDatagram((bytes, peer) => {
      // Clients ask from port 68 or 4011 and want the answer there.
      receive(
        options,
        'pxe',
        bytes,
        peer,
        (message) => answerBootServer(message, world),
        (reply, message) => bootServer.send(encodeReply(reply, message), peer),
      );
    });
    await openListening(options, opened, { port: ports.client, purpose: 'overhearing other DHCP servers' }, signal, {
      hear: (message) => {
        const { directory, sessions, network } = world;
        overhear(message, { ourAddress: network.address, directory, sessions });
      },
    });
    return { close: closeAll };

    async function serveClients(): Promise<void> {
      const [sender, ...receivers] =
        options.receiveFd === undefined ? await openPair() : [await openGiven(options.receiveFd)];
      const onRequest = (bytes: Uint8Array, peer: UdpPeer): void => {
        receive(
          options,
          'dhcp',
          bytes,
          peer,
          (message) => answerDhcp(message, world),
          (reply, message) => {
            const { address, to } = destinationOf(message, reply);
            sender.send(encodeReply(reply, message), { address, port: to === 'relay' ? ports.server : ports.client });
          },
        );
      };
      for (const port of [sender, ...receivers]) port.onDatagram(onRequest);
    }

    async function listenToClients(): Promise<void> {
      const { receiveFd: fd } = options;
      const place = { port: ports.server, purpose: 'listening to DHCP', ...(fd === undefined ? {} : { fd }) };
      await openListening(options, opened, place, signal, { hear: (message) => void answerDhcp(message, world) });
    }

    async function openPair(): Promise<[sender: UdpPort, receiver: UdpPort]> {
      await assertPortFree({ protocol: 'udp', address: anyAddress, port: ports.server, purpose: purposeOf(options) });
      // Sends from our address, so broadcasts leave by our interface; also gets the renewals sent to it alone.
      const sender = await open({ address: own, port: ports.server, broadcast: true, shared: true });
      const receiver = await open({ address: anyAddress, port: ports.server, shared: true });
      await receiveFromOwnInterface(options, signal);
      return [sender, receiver];
    }

    /** Bound to its device, so what it sends leaves by it too. */
    function openGiven(fd: number): Promise<UdpPort> {
      return open({ address: anyAddress, port: ports.server, broadcast: true, fd });
    }

    async function open(place: Omit<Parameters<typeof UdpPort.open>[0], 'purpose'>): Promise<UdpPort> {
      const port = await UdpPort.open({ ...place, purpose: purposeOf(options) }, log);
      opened.push(port);
      return port;
    }
  } catch (error) {
    await closeAll();
    throw error;
  }

  async function closeAll(): Promise<void> {
    await Promise.all(opened.map((port) => port.close()));
  }
}

/** One datagram: decode, decide, answer. Nothing a peer sends gets past this. */
function receive(
  options: DhcpServerOptions,
  protocol: 'dhcp' | 'pxe',
  bytes: Uint8Array,
  peer: UdpPeer,
  decide: (message: DhcpMessage) => DhcpVerdict,
  answer: (reply: DhcpMessage, message: DhcpMessage) => void,
): void {
  const { counters, refusals, log } = options;
  try {
    const message = decodeDhcp(bytes);
    counters.received += 1;
    log.debug('DHCP message received', { peer: peer.address, message: formatDhcp(message) });
    const verdict = decide(message);
    if (verdict.kind === 'refused') refusals.refuse(protocol, macOf(message) ?? peer.address, verdict.reason);
    if (verdict.kind === 'answer') {
      answer(verdict.reply, message);
      counters.answered += 1;
    }
  } catch (error) {
    // An EncodeError: what it wanted back does not fit into an answer.
    if (error instanceof DecodeError || error instanceof EncodeError) {
      counters.malformed += 1;
      log.debug('a malformed DHCP message was dropped', { peer: peer.address, reason: error.message });
    } else {
      // Our mistake, but no datagram may end the program.
      log.error('a DHCP message could not be answered', { code: 'LW0001', peer: peer.address, error: String(error) });
    }
  }
}

function encodeReply(reply: DhcpMessage, request: DhcpMessage): Uint8Array {
  const limit = Math.max(smallestLimit, Math.min(request.options.maxMessageSize ?? smallestLimit, 1_500));
  return encodeDhcp(reply, limit - headerBytes);
}

async function receiveFromOwnInterface(options: DhcpServerOptions, signal: AbortSignal): Promise<void> {
  const { world, ports, log } = options;
  const name = await interfaceOf(world.network.address);
  if (name === undefined || name === 'lo') return;
  const problem = await bindToDevice({ address: anyAddress, port: ports.server }, name, signal);
  if (problem === undefined) return;
  if (!hasOtherInterfaces(name)) {
    log.debug('the DHCP socket is not bound to its interface, which is the only one', { interface: name, problem });
    return;
  }
  throw new LabwrightError('LW0006', {
    what: `the DHCP server could not be limited to interface ${name}, and this computer has others`,
    where: { interface: name, address: world.network.address },
    why: problem,
    fix: [
      'install perl-base: apt install perl-base',
      `or start Labwright from a systemd socket unit with ListenDatagram=0.0.0.0:${ports.server} and BindToDevice=${name}`,
    ],
  });
}

/** Only helps to explain; a computer that is itself a DHCP client or server has the port taken, and that is fine. */
async function openListening(
  options: DhcpServerOptions,
  opened: UdpPort[],
  at: { readonly port: number; readonly purpose: string; readonly fd?: number },
  signal: AbortSignal,
  { hear }: { readonly hear: (message: DhcpMessage) => void },
): Promise<void> {
  const { world, log, counters } = options;
  const place = { address: anyAddress, ...at };
  try {
    if (at.fd === undefined) await assertPortFree({ ...place, protocol: 'udp' });
    const port = await UdpPort.open(place, log);
    opened.push(port);
    const name = await interfaceOf(world.network.address);
    if (at.fd === undefined && name !== undefined && name !== 'lo') await bindToDevice(place, name, signal);
    port.onDatagram((bytes) => {
      try {
        hear(decodeDhcp(bytes));
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
        counters.malformed += 1;
      }
    });
  } catch (error) {
    if (!(error instanceof LabwrightError)) throw error;
    log.info('other DHCP cannot be overheard, so a stalled boot may be explained less well', {
      port: at.port,
      why: error.why ?? error.message,
    });
  }
}

const purposes: Readonly<Record<BootMode, string>> = {
  serve: 'the DHCP server',
  proxy: 'the proxy DHCP server',
  router: 'the boot server',
};

function purposeOf(options: DhcpServerOptions): string {
  return purposes[options.world.network.mode];
}
