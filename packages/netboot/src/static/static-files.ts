// Boot files by names that never change, in 'router' mode: the router names them, so they hold no token, and who asks is told by
// its address. Firmware and the iPXE that it loads ask for the same name; one gets the loader, the other its script, which it
// knows for one by the first line. The script is where this boot's token is handed out for the first time.
import { staticBootFiles, type StaticBootFile } from '@labwright/core/blueprint/static-boot-files';
import type { Log } from '@labwright/core/ports/log';
import type { TftpOptions } from '@labwright/wire/tftp/options';
import type { BootDirectory, BootMachine, BootNetwork, HolderOf } from '../boot-network.ts';
import { fullIpxeOf, loaderOf } from '../dhcp/boot-choice.ts';
import { clientName, platformName, type BootClient, type Platform } from '../dhcp/boot-client.ts';
import { renderFullIpxeScript, renderIpxeScript } from '../ipxe/script.ts';
import type { BootSession } from '../session/boot-session.ts';
import type { BootSessions } from '../session/boot-sessions.ts';
import { findMachineAt } from './machine-at.ts';

export interface StaticWorld {
  readonly network: BootNetwork;
  readonly directory: BootDirectory;
  readonly sessions: BootSessions;
  /** By their names. */
  readonly loaders: ReadonlyMap<string, Uint8Array>;
  readonly holderOf: HolderOf;
  readonly log: Log;
}

export interface StaticAsker {
  readonly address: string;
  /** How it asks is iPXE's way. */
  readonly seemsIpxe: boolean;
}

export type StaticFile =
  | {
      readonly kind: 'loader';
      readonly session: BootSession;
      readonly loader: string;
      readonly content: Uint8Array;
    }
  /** `boots`: it starts the kernel, and does not lead to another loader. */
  | { readonly kind: 'script'; readonly session: BootSession; readonly text: string; readonly boots: boolean }
  | { readonly kind: 'refused'; readonly reason: string };

export type FindStaticFile = (path: string, asker: StaticAsker) => Promise<StaticFile | undefined>;

/** A loader that came this often and led to no script: whoever asks is an iPXE that does not ask like one. */
const enoughLoaders = 3;

/** iPXE's requests are all alike, from 2010 to now: src/net/udp/tftp.c there. Firmware's blocks are as large as its MTU has room for. */
export function seemsIpxe({ blockSize, transferSize, windowSize, timeoutSeconds }: TftpOptions): boolean {
  return blockSize === 1432 && transferSize === 0 && windowSize === undefined && timeoutSeconds === undefined;
}

/** The header User-Agent of iPXE: "iPXE/1.21.1+git". */
export function isIpxeAgent(agent: string | undefined): boolean {
  return agent?.startsWith('iPXE/') === true;
}

export function parseStaticPath(path: string): StaticBootFile | undefined {
  return Object.values(staticBootFiles).find((name) => path.replace(/^\/+/, '') === name);
}

/** Undefined when the path is none of these names, or the mode is another. */
export async function findStaticFile(
  path: string,
  asker: StaticAsker,
  world: StaticWorld,
): Promise<StaticFile | undefined> {
  const name = world.network.mode === 'router' ? parseStaticPath(path) : undefined;
  if (name === undefined) return undefined;
  const found = await findMachineAt(asker.address, world);
  if (found.kind === 'refused') return found;
  const { machine, address } = found;
  const { sessions, log } = world;
  const before = sessions.current(machine.mac);
  const session = sessions.openForFile(machine);
  const client = clientOf(name, asker, session);
  const detail = `${clientName(client)} asks for ${name} from ${address}, as the router told it`;
  sessions.see(session, { type: 'offered', client, detail });
  sessions.see(session, { type: 'acknowledged' });
  if (address !== machine.address && address !== session.firmwareAddress) {
    const fields = { machine: machine.name, address, own: machine.address };
    log.warn('a machine boots from an address that is not its own: the router has no static lease for it', fields);
  }
  const current = sessions.bind(sessions.current(machine.mac) ?? session, address);
  if (client.kind === 'pxe') return loaderFile(current, client, world);
  // The one before got its script and nothing of what that names: it has no HTTP, or none that works. One with all of it gets a chance.
  const isStuck =
    before !== undefined && before.token !== session.token && before.stage === 'script' && !before.chained;
  const full = isStuck ? fullIpxeOf(client.platform) : undefined;
  if (full !== undefined && world.loaders.has(full)) {
    return {
      kind: 'script',
      session: current,
      text: renderFullIpxeScript(world.network, current.token, full),
      boots: false,
    };
  }
  const text = renderIpxeScript(machine, world.network, current.token);
  return { kind: 'script', session: current, text, boots: true };
}

type Booter = Extract<BootClient, { readonly kind: 'pxe' | 'ipxe' }>;

function clientOf(name: StaticBootFile, asker: StaticAsker, session: BootSession): Booter {
  const { client: heard, loadersSent } = session.seen;
  const booter = heard?.kind === 'pxe' || heard?.kind === 'ipxe' ? heard : undefined;
  const platform = booter?.platform ?? platformOf(name, session.machine);
  const ipxe: Booter = { kind: 'ipxe', platform, http: true };
  if (name === staticBootFiles.script) return ipxe;
  // What it said of itself to the router is surer than how it asks: firmware may ask with iPXE's block size.
  if (booter?.kind === 'ipxe') return booter;
  const isFirstFile = loadersSent === 0;
  if (booter?.kind === 'pxe' && isFirstFile) return booter;
  return asker.seemsIpxe || loadersSent >= enoughLoaders ? ipxe : { kind: 'pxe', platform };
}

function platformOf(name: StaticBootFile, machine: BootMachine): Platform {
  if (name === staticBootFiles.bios) return 'bios';
  if (name === staticBootFiles.uefi) return 'efi-x64';
  return machine.firmware === 'uefi' ? 'efi-x64' : 'bios';
}

function loaderFile(session: BootSession, client: Booter, { loaders, sessions }: StaticWorld): StaticFile {
  const loader = loaderOf(client.platform);
  const content = loader === undefined ? undefined : loaders.get(loader);
  if (loader !== undefined && content !== undefined) return { kind: 'loader', session, loader, content };
  const missing = loader === undefined ? `for ${platformName(client.platform)}` : loader;
  const reason = `there is no boot loader ${missing}`;
  sessions.see(session, { type: 'no-boot-file', client, reason });
  return { kind: 'refused', reason: `${session.machine.name}: ${reason}` };
}
