// A small LAN for network tests: a bridge in the testbed's own namespace, and peers in namespaces of their own that run
// Debian's programs from a root tree. Only inside tools/in-testbed, whose end removes all of it.
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface PeerResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface PeerOptions {
  readonly timeoutMs?: number;
  /** A Debian root tree to run the program from; the testbed's own file system when absent. */
  readonly root?: string;
  /** Host folders made visible inside the root, at the same path. */
  readonly binds?: readonly string[];
}

export interface Peer {
  readonly name: string;
  readonly mac: string;
  /** Runs a program to its end; a time-out kills it and counts as exit code 124. */
  exec(command: readonly string[], options?: PeerOptions): Promise<PeerResult>;
  /** Starts a program that the caller ends with its pid. */
  spawn(command: readonly string[], options?: PeerOptions): ChildProcess;
}

export interface Lan {
  readonly bridge: string;
  /** A peer with one interface `eth0` on the bridge, without an address unless one is given ("10.1.0.50/22"). */
  addPeer(name: string, mac: string, address?: string): Promise<Peer>;
}

function insideTestbed(): boolean {
  return process.env['LABWRIGHT_TESTBED'] === '1';
}

/** A bridge that carries the address ("10.1.0.9/22"): what a server under test in this process binds to. */
export async function makeLan(bridge: string, address: string): Promise<Lan> {
  if (!insideTestbed()) throw new Error('network tests run inside tools/in-testbed');
  const digest = createHash('sha256').update(bridge).digest('hex').slice(0, 6);
  // Without an address of its own it takes the lowest of its ports: a machine's that comes or goes, and whoever talks to this
  // process sends to the former one for a minute.
  const mac = `02:4c:57:${digest.match(/../g)?.join(':') ?? ''}`;
  await ip('link', 'add', bridge, 'address', mac, 'type', 'bridge', 'forward_delay', '0');
  await ip('addr', 'add', address, 'dev', bridge);
  await ip('link', 'set', bridge, 'up');
  return { bridge, addPeer: (name, mac, peerAddress) => addPeer(bridge, name, mac, peerAddress) };
}

async function addPeer(bridge: string, name: string, mac: string, address?: string): Promise<Peer> {
  await ip('netns', 'add', name);
  await ip('link', 'add', `${name}-up`, 'type', 'veth', 'peer', 'name', 'eth0', 'address', mac, 'netns', name);
  await ip('link', 'set', `${name}-up`, 'master', bridge, 'up');
  await ip('-n', name, 'link', 'set', 'lo', 'up');
  await ip('-n', name, 'link', 'set', 'eth0', 'up');
  if (address !== undefined) await ip('-n', name, 'addr', 'add', address, 'dev', 'eth0');
  const argumentsFor = (command: readonly string[], options: PeerOptions): string[] => [
    'netns',
    'exec',
    name,
    ...(options.root === undefined ? command : insideRoot(options.root, options.binds ?? [], command)),
  ];
  return {
    name,
    mac,
    exec: async (command, options = {}) => {
      try {
        const { stdout, stderr } = await run('ip', argumentsFor(command, options), {
          timeout: options.timeoutMs ?? 15_000,
          killSignal: 'SIGKILL',
          maxBuffer: 64 * 1024 * 1024,
        });
        return { exitCode: 0, stdout, stderr };
      } catch (error) {
        const failed = error as { code?: number | string | null; killed?: boolean; stdout?: string; stderr?: string };
        const exitCode = failed.killed === true ? 124 : typeof failed.code === 'number' ? failed.code : 127;
        return { exitCode, stdout: failed.stdout ?? '', stderr: failed.stderr ?? String(error) };
      }
    },
    spawn: (command, options = {}) =>
      spawn('ip', argumentsFor(command, options), { stdio: ['ignore', 'pipe', 'pipe'] }),
  };
}

// `ip netns exec` gives the command a mount namespace of its own, so these mounts end with it.
const enterRoot =
  'root=$1; shift; while [ "$1" != -- ]; do mkdir -p "$root$1"; mount --rbind "$1" "$root$1"; shift; done; shift; ' +
  'mount --rbind /dev "$root/dev"; mount -t proc proc "$root/proc"; mount --rbind /sys "$root/sys"; ' +
  'mount -t tmpfs tmpfs "$root/run"; exec chroot "$root" "$@"';

function insideRoot(root: string, binds: readonly string[], command: readonly string[]): string[] {
  return ['sh', '-ec', enterRoot, 'sh', root, ...binds, '--', ...command];
}

async function ip(...argv: string[]): Promise<void> {
  await run('ip', argv);
}
