// Who has a port: the kernel's socket tables and the open files of processes. Linux only; undefined where it cannot be told.
import { readFile, readdir, readlink } from 'node:fs/promises';

export interface PortHolder {
  readonly pid: number;
  /** The program's short name. */
  readonly command: string;
}

export interface SocketRow {
  /** Dotted quad; "0.0.0.0" for all of the machine's addresses (IPv6 sockets without an address count so too). */
  readonly address: string;
  readonly port: number;
  readonly inode: string;
}

/** The rows of /proc/net/udp or /proc/net/tcp. */
export function parseSocketTable(text: string): readonly SocketRow[] {
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const columns = line.trim().split(/\s+/);
      const [hexAddress = '', hexPort = ''] = (columns[1] ?? '').split(':');
      const inode = columns[9];
      if (inode === undefined || !/^([0-9A-F]{8}|[0-9A-F]{32})$/.test(hexAddress)) return [];
      return [{ address: addressOf(hexAddress), port: Number.parseInt(hexPort, 16), inode }];
    });
}

/** The sockets of this network namespace that would get in the way of ours at the port. */
export async function findSockets(protocol: 'udp' | 'tcp', port: number): Promise<readonly SocketRow[]> {
  const tables = await Promise.all([`/proc/net/${protocol}`, `/proc/net/${protocol}6`].map(readTable));
  return tables.flatMap((text) => parseSocketTable(text)).filter((row) => row.port === port);
}

export async function findHolder(inode: string): Promise<PortHolder | undefined> {
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    if ((await findSocketFd(pid, inode)) === undefined) continue;
    const command = (await orNothing(readFile(`/proc/${pid}/comm`, 'utf8'), '')).trim();
    return { pid: Number(pid), command: command === '' ? 'a program' : command };
  }
  return undefined;
}

/** The file descriptor under which a process ('self' for this one) has the socket. */
export async function findSocketFd(pid: string, inode: string): Promise<number | undefined> {
  for (const fd of await orNothing(readdir(`/proc/${pid}/fd`), [])) {
    const target = await orNothing(readlink(`/proc/${pid}/fd/${fd}`), '');
    if (target === `socket:[${inode}]`) return Number(fd);
  }
  return undefined;
}

async function readTable(path: string): Promise<string> {
  // Without IPv6 the second table does not exist.
  return orNothing(readFile(path, 'utf8'), '');
}

/** Processes end and belong to others while we look: what cannot be read is not there. */
async function orNothing<Value>(reading: Promise<Value>, nothing: Value): Promise<Value> {
  try {
    return await reading;
  } catch (error) {
    if (['ENOENT', 'EACCES', 'EPERM', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return nothing;
    throw error;
  }
}

/** The kernel prints addresses as little-endian words. */
function addressOf(hex: string): string {
  const word = hex.slice(-8);
  const isUnset = /^0+$/.test(hex);
  return isUnset ? '0.0.0.0' : [6, 4, 2, 0].map((at) => Number.parseInt(word.slice(at, at + 2), 16)).join('.');
}
