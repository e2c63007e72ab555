// `doctor --trust HOST`: the certificate a host shows now becomes the one that is known, after a look at both.
import { join } from 'node:path';
import { access } from 'node:fs/promises';
import type { HostBlueprint, RouterBlueprint } from '@labwright/core/blueprint/blueprint';
import { LabwrightError } from '@labwright/core/errors/error';
import { nearestName } from '@labwright/core/lab/nearest-name';
import type { LabFile } from '@labwright/core/lab/read-lab';
import { silentLog } from '@labwright/core/ports/log';
import { routerPins } from '@labwright/daemon/router/router-pins';
import { openStore, type Store } from '@labwright/daemon/store/store';
import { type RouterAddress, routerConnector } from '@labwright/drivers/pfsense/tls-pin';
import { identifyingConnector } from '@labwright/drivers/proxmox/tls-pin';
import { labFolder } from '../folders.ts';
import { exitCodes, type ExitCode, type Program } from '../program.ts';

export function storeFile(program: Pick<Program, 'folders'>, labFile: LabFile): string {
  return join(labFolder(program.folders, labFile.path, labFile.lab.lab), 'store.sqlite');
}

/** Opens the lab's store if there is one: looking makes none. */
export async function openExistingStore(path: string): Promise<Store | undefined> {
  try {
    await access(path);
  } catch {
    return undefined;
  }
  return openStore(path);
}

export async function trustHost(
  program: Program,
  labFile: LabFile,
  hosts: readonly HostBlueprint[],
  name: string,
): Promise<ExitCode> {
  const host = findHost(hosts, name);
  if (labFile.lab.proxmox.tls !== 'pinned') {
    throw new LabwrightError('LW0002', {
      what: `no certificate of ${name} is recorded: the lab file trusts an authority`,
      where: { 'lab file': 'proxmox.tls.ca' },
      fix: ['labwright doctor   checks the certificates against it'],
    });
  }
  const target = { ...host, port: labFile.lab.proxmox.port };
  return await trust(program, labFile, {
    name: host.name,
    pinsOf: ({ pins }) => pins,
    fetchFingerprint: async () => await fetchFingerprint(target),
    onItself: 'openssl x509 -noout -fingerprint -sha256 -in \\\n    /etc/pve/local/pve-ssl.pem',
  });
}

export async function trustRouter(program: Program, labFile: LabFile, router: RouterBlueprint): Promise<ExitCode> {
  return await trust(program, labFile, {
    name: router.name,
    pinsOf: routerPins,
    fetchFingerprint: async () => await fetchRouterFingerprint(router),
    onItself: 'openssl x509 -noout -fingerprint -sha256 -in \\\n    /var/etc/cert.crt',
  });
}

interface Trusted {
  readonly name: string;
  readonly pinsOf: (store: Store) => Store['pins'];
  readonly fetchFingerprint: () => Promise<string>;
  /** What is typed on its own console to see its certificate. */
  readonly onItself: string;
}

async function trust(program: Program, labFile: LabFile, trusted: Trusted): Promise<ExitCode> {
  const { name } = trusted;
  const store = await openExistingStore(storeFile(program, labFile));
  try {
    const pins = store === undefined ? undefined : trusted.pinsOf(store);
    const known = await pins?.get(name);
    const seen = await trusted.fetchFingerprint();
    if (pins === undefined || known === undefined) {
      return say(program, name, { known: null, seen, trusted: false }, [
        `No certificate of ${name} is recorded yet; the first command that asks it records the one it shows.`,
      ]);
    }
    if (known === seen) {
      return say(program, name, { known, seen, trusted: true }, [`${name} shows the certificate that is known.`]);
    }
    await confirm(program, trusted, known, seen);
    await pins.set(name, seen);
    return say(program, name, { known, seen, trusted: true }, [`The new certificate of ${name} is trusted.`]);
  } finally {
    store?.close();
  }
}

function findHost(hosts: readonly HostBlueprint[], name: string): HostBlueprint {
  const host = hosts.find((each) => each.name === name);
  if (host !== undefined) return host;
  const names = hosts.map((each) => each.name);
  const meant = nearestName(name, names);
  throw new LabwrightError('LW0002', {
    what: `the lab file has no host ${name}; it has ${names.join(', ')}`,
    fix: [`labwright doctor --trust ${meant ?? names[0] ?? 'HOST'}`],
  });
}

interface Trust {
  readonly known: string | null;
  readonly seen: string;
  readonly trusted: boolean;
}

function say({ terminal, options }: Program, host: string, trust: Trust, words: readonly string[]): ExitCode {
  if (options.json) terminal.out(`${JSON.stringify({ host, ...trust }, undefined, 2)}\n`);
  else terminal.out(`${words.join('\n')}\n`);
  return exitCodes.done;
}

async function confirm(
  { terminal, options }: Program,
  { name: host, onItself }: Trusted,
  known: string,
  seen: string,
): Promise<void> {
  terminal.err(`${host} shows another certificate than the one known (SHA-256).\n`);
  terminal.err(`  known\n${formatFingerprint(known)}  now\n${formatFingerprint(seen)}`);
  terminal.err('Compare with what the host itself says, in its console:\n');
  terminal.err(`  ${onItself}\n`);
  if (options.yes) return;
  const answer = await terminal.ask(`Type ${host} to trust the new one: `);
  if (answer?.trim() === host) return;
  throw answer === undefined
    ? new LabwrightError('LW0002', {
        what: 'the certificate known before stays the only one trusted',
        why: 'nobody is there to confirm the new one',
        fix: [`labwright --yes doctor --trust ${host}   after comparing the fingerprints`],
      })
    : new LabwrightError('LW0003', { what: 'the certificate known before stays the only one trusted' });
}

/** 95 characters are wider than a terminal: sixteen bytes a line. */
function formatFingerprint(text: string): string {
  const bytes = text.split(':');
  return [bytes.slice(0, 16), bytes.slice(16)].map((half) => `    ${half.join(':')}\n`).join('');
}

/** As fetchFingerprint does it. Throws LW8001 and LW8003. */
async function fetchRouterFingerprint(router: RouterAddress): Promise<string> {
  let seen = '';
  const set = async (_router: string, fingerprint: string): Promise<void> => {
    seen = fingerprint;
  };
  const pins = { get: async () => undefined, set };
  const connect = routerConnector(router, { pins, expect: 'hardware', connectTimeoutMs: 5_000, log: silentLog });
  const target = { hostname: router.address, host: router.address, protocol: 'https:', port: String(router.port) };
  await new Promise<void>((resolve, reject) => {
    connect(target, (error, socket) => {
      socket?.destroy();
      if (error === null) resolve();
      else reject(error instanceof LabwrightError ? error : silentRouter(router, error));
    });
  });
  return seen;
}

function silentRouter({ name, address, port }: RouterAddress, cause: Error): LabwrightError {
  return new LabwrightError('LW8001', {
    what: `the router ${name} did not answer`,
    where: { address: `${address}:${port}` },
    why: cause.message,
    fix: [
      `open https://${address}:${port}/ from this computer`,
      'correct router.address and router.port in the lab file',
    ],
    cause,
  });
}

/** Shakes hands, looks, and hangs up: nothing is asked and no login is sent. Throws LW2001 and LW2007. */
export async function fetchFingerprint(host: { name: string; address: string; port: number }): Promise<string> {
  let seen = '';
  const connect = identifyingConnector(host, {
    tls: {
      kind: 'pinned',
      fingerprints: {
        get: async () => undefined,
        set: async (_host, fingerprint) => {
          seen = fingerprint;
        },
      },
    },
    expect: 'hardware',
    connectTimeoutMs: 5_000,
    log: silentLog,
  });
  const target = { hostname: host.address, host: host.address, protocol: 'https:', port: String(host.port) };
  await new Promise<void>((resolve, reject) => {
    connect(target, (error, socket) => {
      socket?.destroy();
      if (error === null) resolve();
      else reject(error instanceof LabwrightError ? error : unreachable(host, error));
    });
  });
  return seen;
}

function unreachable({ name, address, port }: { name: string; address: string; port: number }, cause: Error) {
  return new LabwrightError('LW2001', {
    what: `Proxmox host ${name} does not answer`,
    where: { address: `${address}:${port}` },
    why: cause.message,
    fix: ['check that it is up and reachable', 'check hosts.NAME.address and proxmox.port in the lab file'],
    cause,
  });
}
