// The cluster's API on a loopback port of the user's own network, so that kubectl works without entering the rehearsal.
//
//   user's network                      │ the rehearsal: laptop                     gateway
//   kubectl ─► 127.0.0.1:24117 (socket) ┼─► HAProxy accepts it, connects from here ─► endpoint:6443
//
// A socket stays in the network namespace it was opened in: this process opens it outside and hands its descriptor down. It
// is gone with the last process of the rehearsal that has it; there is no route, rule or process of it outside.
import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:net';

/** Under what the forwarder finds the socket: the first descriptor after the standard ones. */
export const loopbackDescriptor = 3;

/** Below the ports Linux gives to outgoing connections (ip_local_port_range starts at 32768). */
const firstPort = 20_000;
const portCount = 10_000;
const tries = 20;

export interface LoopbackSocket {
  readonly port: number;
  /** To be handed to a child process. */
  readonly descriptor: number;
  /** Closes it in this process, once or more often; a child that has it keeps it. Until then a connection may end up here. */
  close(): Promise<void>;
}

/** Listens on 127.0.0.1, on the same port for the same seed as long as nobody else has it. */
export async function openLoopbackSocket(seed: string): Promise<LoopbackSocket> {
  const offset = createHash('sha256').update(seed).digest().readUInt32BE() % portCount;
  for (let attempt = 0; attempt < tries; attempt += 1) {
    const server = await listen(firstPort + ((offset + attempt) % portCount));
    if (server !== undefined) return describe(server);
  }
  const server = await listen(0);
  if (server === undefined) throw new Error('there is no port left on 127.0.0.1');
  return describe(server);
}

/** Undefined when somebody has the port. */
async function listen(port: number): Promise<Server | undefined> {
  // Whoever comes before the forwarder has the socket is turned away.
  const server = createServer((connection) => connection.destroy());
  return await new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE' && port !== 0) resolve(undefined);
      else reject(error);
    });
    server.listen({ host: '127.0.0.1', port }, () => resolve(server));
  });
}

function describe(server: Server): LoopbackSocket {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a listening server has an address');
  return {
    port: address.port,
    descriptor: descriptorOf(server),
    close: async () => {
      if (!server.listening) return;
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** Node has no public way to ask for a server's descriptor; `fd` of its handle is what `listen({fd})` is the other half of. */
function descriptorOf(server: Server): number {
  const { _handle: handle } = server as Server & { readonly _handle?: { readonly fd?: unknown } };
  if (typeof handle?.fd !== 'number' || handle.fd < 0) throw new Error('the socket of a server has no descriptor');
  return handle.fd;
}

export interface LoopbackOptions {
  /** The cluster's endpoint. */
  readonly address: string;
  readonly port: number;
}

/** haproxy.cfg of the forwarder: bytes both ways and nothing looked into. */
export function formatLoopbackConfig({ address, port }: LoopbackOptions): string {
  return [
    'global',
    '  log stdout format raw local0 notice',
    // A user has a few; more wait in the socket's queue until one is closed.
    '  maxconn 256',
    '  nbthread 1',
    'defaults',
    '  mode tcp',
    '  log global',
    '  option dontlognull',
    '  option clitcpka',
    '  option srvtcpka',
    '  retries 1',
    '  timeout connect 3s',
    // Watches and `kubectl logs -f` may be silent for hours; one side that closed does not wait for the other for long.
    '  timeout client 24h',
    '  timeout server 24h',
    '  timeout client-fin 30s',
    '  timeout server-fin 30s',
    'frontend kubectl',
    `  bind fd@${loopbackDescriptor}`,
    '  default_backend endpoint',
    'backend endpoint',
    `  server endpoint ${address}:${port} tcp-ut 30s`,
    '',
  ].join('\n');
}
