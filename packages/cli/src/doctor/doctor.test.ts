// The doctor's findings, against real sockets and a real HTTPS server on loopback.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { hostName } from '@labwright/core/addresses/names';
import { ipv4 } from '@labwright/core/addresses/ipv4';
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import { LabwrightError } from '@labwright/core/errors/error';
import type { LabFile } from '@labwright/core/lab/read-lab';
import { Secret } from '@labwright/core/ports/secret';
import { systemClock, systemRandom } from '@labwright/core/ports/system';
import { openStore } from '@labwright/daemon/store/store';
import {
  makeCertificate,
  openPeer,
  type Certificate,
  type PeerAnswer,
  type TestPeer,
} from '@labwright/drivers/proxmox/test-peer';
import { makeBlueprint, makeHost, makeMachine } from '@labwright/machines/sample-lab.test-data';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { exitCodes, type GlobalOptions, type Program } from '../program.ts';
import { makeScreen } from '../render/screen.test-data.ts';
import { checkBootPorts, checkPlaces, listBootPlaces, missingAddress } from './boot-ports.ts';
import { privilegeNeeds } from '../privilege-needs.ts';
import { describeHandmadeDhcp } from './handmade-dhcp.ts';
import { checkProxmox, explainLogin, judgeSilence } from './proxmox-check.ts';
import { checkRoot, judgePrograms, judgeRoom } from './this-computer.ts';
import { fetchFingerprint, storeFile, trustHost } from './trust.ts';

const noOptions: GlobalOptions = { json: false, yes: false, real: false, debug: false, withoutServe: false };

let folder: string;
let certificate: Certificate;
let peer: TestPeer | undefined;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'doctor-'));
  certificate = await makeCertificate('Home');
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});
afterEach(async () => {
  await peer?.close();
  peer = undefined;
});

function makeProgram(options: Partial<GlobalOptions> = {}, answer?: string) {
  const screen = makeScreen({ columns: 80, rows: 24, isInteractive: false });
  const never = new AbortController().signal;
  const program: Program = {
    terminal: { ...screen, ask: async () => answer },
    environment: {},
    folders: { cache: join(folder, 'cache'), state: join(folder, 'state') },
    directory: folder,
    clock: systemClock,
    random: systemRandom,
    options: { ...noOptions, ...options },
    interrupt: never,
    signal: never,
  };
  return { program, text: () => screen.lines().join('\n') };
}

async function serve(answer: (path: string) => PeerAnswer): Promise<Blueprint> {
  peer = await openPeer(certificate, ({ path }) => answer(path));
  const hosts = [makeHost('pve1', { address: ipv4('127.0.0.1') })];
  const blueprint = makeBlueprint([makeMachine(101), makeMachine(102)], hosts);
  return { ...blueprint, proxmox: { ...blueprint.proxmox, port: peer.port } };
}

const access = {
  credentials: { kind: 'token', id: 'labwright@pve!cli', secret: new Secret('not-a-secret') },
  tls: { kind: 'pinned', fingerprints: { get: async () => undefined, set: async () => undefined } },
} as const;

/** What a Proxmox host says to the three questions of the doctor. */
const proxmox =
  (permissions: object) =>
  (path: string): PeerAnswer => {
    if (path.endsWith('/version')) return { body: { data: { version: '9.1.2', release: '9.1', repoid: 'abc' } } };
    if (path.endsWith('/access/permissions')) return { body: { data: permissions } };
    return { body: { data: [] } };
  };

describe('this computer', () => {
  test('names what is missing in one line to install it', () => {
    const needed = [
      { program: 'ip', packageName: 'iproute2' },
      { program: 'ssh', packageName: 'openssh-client' },
    ];
    expect(judgePrograms(needed, []).verdict).toBe('fine');
    expect(judgePrograms(needed, needed)).toMatchObject({
      verdict: 'blocks',
      commands: ['sudo apt-get install -y --no-install-recommends iproute2 openssh-client'],
    });
  });

  test('needs root, and room for a rehearsal', () => {
    expect([checkRoot(true).verdict, checkRoot(false).verdict]).toEqual(['fine', 'blocks']);
    const verdicts = [3, 5].map((gib) => judgeRoom('disk', gib * 1024 ** 3, '/cache').verdict);
    expect(verdicts).toEqual(['nice', 'fine']);
    expect(judgeRoom('memory', 2.04 * 1024 ** 3, 'this computer').what).toBe(
      'memory: only 2.0 GiB free on this computer',
    );
  });
});

describe('network boot', () => {
  test('says who has a port', async () => {
    const socket = createSocket('udp4').bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const { port } = socket.address();
    const place = { protocol: 'udp', address: '127.0.0.1', port, purpose: 'TFTP' } as const;
    const [taken] = await checkPlaces([place]);
    expect(taken).toMatchObject({
      verdict: 'blocks',
      why: expect.stringContaining(`(process ${process.pid})`) as string,
    });
    socket.close();
    await once(socket, 'close');
    expect(await checkPlaces([place])).toMatchObject([{ verdict: 'fine' }]);
  });

  test('is judged where it is done', async () => {
    const blueprint = makeBlueprint([]);
    const placesIn = (mode: 'serve' | 'router') =>
      listBootPlaces({ netboot: { ...blueprint.netboot, mode } }).map(({ port }) => port);
    expect([placesIn('serve'), placesIn('router')]).toEqual([
      [67, 69, 4011, 8080],
      [69, 4011, 8080],
    ]);
    expect((await checkBootPorts(blueprint, undefined, true))[0]?.verdict).toBe('fine');
    expect(missingAddress('10.1.0.9', undefined).verdict).toBe('blocks');
    expect(missingAddress('10.1.0.9', '10.1.0.9').verdict).toBe('note');
  });
});

test('where the router starts machines and is set up by hand, what it needs is listed', () => {
  const made = makeBlueprint([makeMachine(101)]);
  const blueprint = { ...made, netboot: { ...made.netboot, mode: 'router' as const } };
  const router = { name: 'fw1', kind: 'pfsense', address: ipv4('10.1.0.1'), port: 443, user: 'admin' } as const;
  const [finding] = describeHandmadeDhcp({ router: { ...router, manage: ['dns'] } }, blueprint);
  expect(finding?.verdict).toBe('note');
  expect(finding?.commands).toContain('boot file for UEFI x64 (architectures 7 and 9): labwright.efi');
  expect(finding?.commands?.at(-1)).toMatch(/^static lease: .* and the name node101$/);
  expect(describeHandmadeDhcp({ router: { ...router, manage: ['dhcp'] } }, blueprint)).toEqual([]);
  expect(describeHandmadeDhcp({ router: { ...router, manage: [] } }, made)).toEqual([]);
});

describe('Proxmox', () => {
  test('that grants everything', async () => {
    const all = { '/': Object.fromEntries(everyPrivilege.map((each) => [each, 1])) };
    const findings = await checkProxmox(makeProgram().program, await serve(proxmox(all)), access);
    expect(findings.map(({ verdict, what }) => [verdict, what])).toEqual([
      ['fine', 'pve1 (127.0.0.1) answers: Proxmox VE 9.1.2'],
      ['fine', 'labwright@pve!cli may do what the lab file needs'],
    ]);
  });

  test('that grants too little gets the lines to type', async () => {
    const some = { '/': { 'Sys.Audit': 1 }, '/vms': Object.fromEntries(everyPrivilege.map((each) => [each, 1])) };
    const findings = await checkProxmox(makeProgram().program, await serve(proxmox(some)), access);
    const commands = findings.flatMap((finding) => finding.commands ?? []);
    expect(commands.some((line) => line.startsWith('pveum acl modify /storage/local-lvm'))).toBe(true);
    expect(commands.some((line) => line.includes('/vms'))).toBe(false);
  });

  test('that refuses the login is asked nothing more', async () => {
    const blueprint = await serve(() => ({ status: 401, body: '' }));
    const hosts = [...blueprint.hosts, makeHost('pve2', { address: ipv4('127.0.0.1') })];
    const findings = await checkProxmox(makeProgram().program, { ...blueprint, hosts }, access);
    expect([findings.length, findings[0]?.commands?.at(-1)]).toEqual([
      1,
      'pveum user token add labwright@pve cli --privsep 0',
    ]);
    expect(peer?.requests.length).toBe(1);
  });

  test('needs follow from the lab file', () => {
    const machines = [makeMachine(101, { startOrder: 1, storage: 'tank' })];
    expect(privilegeNeeds(makeBlueprint(machines))).toEqual({
      vmIds: [101],
      storages: ['local-lvm', 'tank'],
      networks: [{ bridge: 'vmbr0' }],
      startOrder: true,
      guestAgent: false,
    });
    const error = new LabwrightError('LW1003', { what: 'the secret is not there' });
    expect(explainLogin(makeBlueprint(machines), error).commands?.join('\n')).toContain('/storage/tank');
  });

  test('a host in maintenance may be away', () => {
    const silence = new LabwrightError('LW2001', { what: 'pve1 does not answer' });
    const judge = (maintenance: boolean) => judgeSilence({ name: hostName('pve1'), maintenance }, silence).verdict;
    expect([judge(true), judge(false)]).toEqual(['note', 'blocks']);
  });
});

const everyPrivilege =
  'VM.Allocate VM.Audit VM.Config.CPU VM.Config.Disk VM.Config.HWType VM.Config.Memory VM.Config.Network VM.Config.Options VM.PowerMgmt Datastore.AllocateSpace Datastore.Audit SDN.Use Sys.Audit Sys.Modify'.split(
    ' ',
  );

describe('--trust', () => {
  const old = Array.from({ length: 32 }, () => 'AA').join(':');

  /** A lab whose store knows another certificate of pve1, and the host that now shows its own. */
  async function renewed(name: string, options: Partial<GlobalOptions>, answer?: string) {
    const blueprint = await serve(() => 'hang up');
    const made = makeProgram(options, answer);
    const proxmox = { port: blueprint.proxmox.port, tls: 'pinned' };
    const labFile = { path: join(folder, name), lab: { lab: name, proxmox } } as unknown as LabFile;
    const path = storeFile(made.program, labFile);
    await mkdir(dirname(path), { recursive: true });
    const store = openStore(path);
    await store.pins.set('pve1', old);
    const trust = async () => await trustHost(made.program, labFile, blueprint.hosts, 'pve1');
    const known = async () => await store.pins.get('pve1');
    const now = await fetchFingerprint({ name: 'pve1', address: '127.0.0.1', port: blueprint.proxmox.port });
    return { ...made, trust, known, now, close: () => store.close() };
  }

  test('shows both, asks, and then knows the new one; nothing is sent to the host', async () => {
    const { text, trust, known, now, close } = await renewed('asked', {}, 'pve1');
    expect(await trust()).toBe(exitCodes.done);
    expect(await known()).toBe(now);
    expect(text()).toContain(old.slice(0, 47));
    expect(text()).toContain(now.slice(0, 47));
    expect(
      text()
        .split('\n')
        .every((line) => line.length <= 80),
    ).toBe(true);
    expect(await trust()).toBe(exitCodes.done);
    expect(text()).toContain('pve1 shows the certificate that is known.');
    expect(peer?.requests).toEqual([]);
    close();
  });

  test.each([
    ['no', 'LW0003'],
    [undefined, 'LW0002'],
  ])('keeps the old one when the answer is %s', async (answer, code) => {
    const { trust, known, close } = await renewed(`refused-${code}`, {}, answer);
    await expect(trust()).rejects.toMatchObject({ code });
    expect(await known()).toBe(old);
    close();
  });

  test('asks nobody with --yes', async () => {
    const { trust, known, now, close } = await renewed('yes', { yes: true, json: true });
    expect(await trust()).toBe(exitCodes.done);
    expect(await known()).toBe(now);
    close();
  });
});
