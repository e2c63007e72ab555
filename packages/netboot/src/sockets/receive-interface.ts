// Receiving from one interface only. A broadcast reaches every socket at its port, whichever interface it came in by,
// unless the socket is bound to a device (SO_BINDTODEVICE), which Node has no call for. Ways to have it:
//   - a systemd socket unit (ListenDatagram=67, BindToDevice=) whose descriptor is handed in;
//   - here: the descriptor is shared with a child process that makes the one call. Socket options belong to the socket,
//     not to the process, so ours is bound once the child has ended. Perl and Python can call setsockopt(2); Debian
//     always has perl-base (Essential). Since Linux 5.7 it needs no privilege.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { type Ipv4, ipv4ToNumber } from '@labwright/core/addresses/ipv4';
import { findSocketFd, findSockets } from './port-holder.ts';

/** The interface that carries the address, also while nothing is plugged into it. */
export async function interfaceOf(address: Ipv4): Promise<string | undefined> {
  const named = Object.entries(networkInterfaces()).find(([, rows]) => rows?.some((row) => row.address === address));
  // Node tells of interfaces that have a carrier only.
  return named?.[0] ?? findInterface(await readFile('/proc/net/route', 'utf8'), address);
}

/**
 * The interface whose own network has the address, by the kernel's table of routes (proc_pid_net(5), hexadecimal in the order of
 * the machine's bytes, which is little-endian on amd64 and arm64).
 */
export function findInterface(table: string, address: Ipv4): string | undefined {
  const number = (text = ''): number => Buffer.from(text, 'hex').readUInt32LE();
  return table
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((row) => row.length >= 8 && number(row[2]) === 0 && number(row[7]) !== 0)
    .map((row) => ({ name: row[0], network: number(row[1]), mask: number(row[7]) }))
    .toSorted((one, other) => other.mask - one.mask)
    .find(({ network, mask }) => (ipv4ToNumber(address) & mask) >>> 0 === network)?.name;
}

/** Whether a broadcast can reach this machine by another way than the interface. */
export function hasOtherInterfaces(name: string): boolean {
  return Object.entries(networkInterfaces()).some(
    ([other, rows]) => other !== name && rows?.some((row) => row.family === 'IPv4' && !row.internal) === true,
  );
}

/** SOL_SOCKET and SO_BINDTODEVICE of Linux, all architectures Node runs on. */
const levels = { socket: 1, bindToDevice: 25 };

const callers: readonly (readonly [program: string, ...leading: string[]])[] = [
  [
    'perl',
    '-e',
    'open(my $s, "+<&=", 3) or die "open: $!\\n";' +
      `setsockopt($s, ${levels.socket}, ${levels.bindToDevice}, "$ARGV[0]\\0") or die "setsockopt: $!\\n"`,
  ],
  [
    'python3',
    '-c',
    'import socket, sys; s = socket.socket(fileno=3);' +
      `s.setsockopt(${levels.socket}, ${levels.bindToDevice}, sys.argv[1].encode() + b"\\0")`,
  ],
];

/** Binds our socket at the address and port to a device. Returns why not, when no way worked. */
export async function bindToDevice(
  place: { readonly address: string; readonly port: number },
  device: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const fd = await findOwnSocket(place);
  if (fd === undefined) return 'its socket was not found among the open files of this process';
  const problems: string[] = [];
  for (const [program, ...leading] of callers) {
    const problem = await runCaller(program, [...leading, device], fd, signal);
    if (problem === undefined) return undefined;
    problems.push(`${program}: ${problem}`);
  }
  return problems.join('; ');
}

async function findOwnSocket(place: { readonly address: string; readonly port: number }): Promise<number | undefined> {
  for (const row of await findSockets('udp', place.port)) {
    const fd = row.address === place.address ? await findSocketFd('self', row.inode) : undefined;
    if (fd !== undefined) return fd;
  }
  return undefined;
}

async function runCaller(
  program: string,
  argv: readonly string[],
  fd: number,
  signal: AbortSignal,
): Promise<string | undefined> {
  const child = spawn(program, argv, { stdio: ['ignore', 'ignore', 'pipe', fd], signal });
  let output = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    output = (output + text).slice(0, 1_000);
  });
  try {
    const [code] = (await once(child, 'close')) as [number | null];
    return code === 0 ? undefined : output.trim().split('\n').at(-1) || `ended with ${code}`;
  } catch (error) {
    signal.throwIfAborted();
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'not installed' : (error as Error).message;
  }
}
