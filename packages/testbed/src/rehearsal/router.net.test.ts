// The emulated pfSense in a rehearsal's place for the router, as the lab file describes it: names, login and certificate, the cluster's
// endpoint that its owner made, and that it comes back with all of it.
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ipv4 } from '@labwright/core/addresses/ipv4';
import { resolveBlueprint } from '@labwright/core/blueprint/resolve-blueprint';
import { parseLab } from '@labwright/core/lab/parse-lab';
import { systemRandom } from '@labwright/core/ports/system';
import type { DeviceInput } from '@labwright/rehearsal/lab/topology';
import { makeRouterControl, type RouterControl } from '@labwright/rehearsal/pfsense/control-client';
import { writeLaptop } from '@labwright/rehearsal/laptop/laptop-device';
import { ensureCertificates } from '@labwright/rehearsal/proxmox/tls';
import { breakRouter } from 'labwright/rehearsal/break-router';
import { readRehearsedSecret, writeSecretSeed } from 'labwright/rehearsal/rehearsed-secret';
import { rehearsedRouter, routerControlSocket, writeRouter } from 'labwright/rehearsal/router-in-rehearsal';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { routerRoot } from '../pfsense/router-root.ts';
import { peersRoot, toolsRoot } from '../roots.ts';
import { startTopology, waitFor, type CommandResult, type RunningTopology } from './running-topology.ts';

const standIn = fileURLToPath(new URL('./api-stand-in.ts', import.meta.url));
const router = '10.77.41.1';
const endpoint = '10.77.41.10';
const password = { env: 'PFSENSE_PASSWORD' };
// Labwright manages leases alone: names and balancer are the owner's.
const text = `version: 1
lab: home
networks:
  lan: { cidr: 10.77.41.0/24, gateway: ${router}, machines: 10.77.41.96/28, reserved: [10.77.41.200-10.77.41.240] }
hosts: { pve1: { address: 10.77.41.11, cores: 8, memory: 16GiB } }
proxmox: { token: { env: PROXMOX_TOKEN } }
router: { name: fw1, kind: pfsense, address: ${router}, user: labwright, password: { env: PFSENSE_PASSWORD }, manage: [dhcp] }
netboot: { address: 10.77.41.9, mode: proxy }
kubernetes: { version: 1.20.2, endpoint: { address: ${endpoint} } }
pools: { control: { role: control-plane, firstVmId: 101, count: 3, memory: 2GiB } }
`;

let lab: RunningTopology;
let peers: string;
let control: RouterControl;
let login: { readonly user: string; readonly password: string };

beforeAll(async () => {
  const [tree, tools] = await Promise.all([routerRoot(), toolsRoot()]);
  peers = await peersRoot();
  const startedAt = performance.now();
  lab = await startTopology({ makeDevices: async (state) => await makeDevices(state, tree, tools) });
  console.log(`router, laptop and two APIs ran after ${Math.round(performance.now() - startedAt)} ms`);
  control = makeRouterControl(routerControlSocket(lab.stateDirectory));
  login = { user: 'labwright', password: (await readRehearsedSecret(lab.stateDirectory, password)).reveal() };
}, 60_000);
afterAll(async () => {
  await lab?.stop();
});

async function makeDevices(stateDirectory: string, tree: string, tools: string): Promise<readonly DeviceInput[]> {
  const parsed = parseLab(text, 'lab.yaml');
  const wanted = parsed.lab === undefined ? undefined : rehearsedRouter(parsed.lab);
  if (parsed.lab === undefined || wanted === undefined)
    throw new Error(parsed.diagnostics.map(({ message }) => message).join('\n'));
  await writeSecretSeed(stateDirectory, systemRandom);
  const plan = {
    lab: parsed.lab,
    blueprint: resolveBlueprint(parsed.lab, { rehearsal: true }),
    labFile: 'lab.yaml',
    stateDirectory,
    cacheDirectory: stateDirectory,
    toolsRoot: tools,
    emulatorRoot: tools,
    routerRoot: tree,
    laptopAddress: ipv4('10.77.41.50'),
    random: systemRandom,
  };
  // The third is not there yet.
  const machines = plan.blueprint.machines.slice(0, 2).map(({ name, address }) => ({ name, address }));
  const certificates = await ensureCertificates(join(stateDirectory, 'tls'), machines);
  const apis = machines.map(({ name, address }) => {
    const { keyFile, certificateFile } = certificates.host(name);
    const argv = [standIn, name, address, keyFile, certificateFile, join(stateDirectory, `${name}.ready`)];
    return { name, address, processes: [{ name: 'api', command: [process.execPath, ...argv], readyPort: 6443 }] };
  });
  const laptop = { address: plan.laptopAddress, gateway: router, resolver: router, domain: 'home.arpa' };
  return [
    await writeRouter(plan, wanted),
    ...apis,
    await writeLaptop({ ...laptop, directory: stateDirectory, tree: plan.toolsRoot }),
  ];
}

const onLaptop = async (...command: string[]): Promise<CommandResult> => await lab.runOn('laptop', peers, command);
const dig = async (...words: string[]): Promise<string> =>
  (await onLaptop('dig', '+short', '+tries=1', '+time=2', `@${router}`, ...words)).output.trim();
const call = async (secret: string, method: string, ...values: readonly string[]): Promise<CommandResult> => {
  const parameters = values.map((value) => `<param><value>${value}</value></param>`).join('');
  const body = `<methodCall><methodName>pfsense.${method}</methodName><params>${parameters}</params></methodCall>`;
  const at = ['-u', `${login.user}:${secret}`, `https://${router}/xmlrpc.php`];
  return await onLaptop('curl', '-kvs', '--max-time', '5', ...at, '-d', body);
};
const askVersion = async (secret: string): Promise<CommandResult> =>
  await call(secret, 'host_firmware_version', '1', '<int>30</int>');
const askApi = async (): Promise<string> =>
  (await onLaptop('curl', '-sk', '--max-time', '3', `https://${endpoint}:6443/`)).output;

it('knows what its owner named, both ways, and says at once that there is no Internet', async () => {
  const names = ['fw1', 'gateway', 'labwright', 'pve1', 'node101', 'kube'].map((name) => dig(`${name}.home.arpa`));
  expect(await Promise.all(names)).toEqual([...[router, router, '10.77.41.9', '10.77.41.11', '10.77.41.97', endpoint]]);
  expect(await dig('-x', '10.77.41.97')).toBe('node101.home.arpa.');
  expect((await onLaptop('dig', '+tries=1', '+time=2', `@${router}`, 'debian.org')).output).toContain('NXDOMAIN');
});

it('lets in whom the lab file names, with the rehearsed secret, and shows the certificate of a rehearsal', async () => {
  const { output } = await askVersion(login.password);
  expect(output).toContain('2.7.2-RELEASE');
  expect(output).toMatch(/subject: .*OU=home\+rehearsal; O=Labwright rehearsal/);
  expect((await askVersion('not this')).output).toContain('Authentication failed');
  const plan = await readFile(join(lab.stateDirectory, 'router/router.json'), 'utf8');
  expect(plan).not.toContain(login.password);
});

it('leads to the control planes that are ready, and resets at once while none is', async () => {
  await waitFor('HAProxy has looked', 5000, async () => {
    const startedAt = performance.now();
    await askApi();
    return performance.now() - startedAt < 1000;
  });
  await writeFile(join(lab.stateDirectory, 'node102.ready'), '');
  await waitFor('node102 answers', 5000, async () => (await askApi()) === 'node102');
  await writeFile(join(lab.stateDirectory, 'node101.ready'), '');
  await waitFor('node101 answers too', 5000, async () => (await askApi()) === 'node101');
  await rm(join(lab.stateDirectory, 'node102.ready'));
  await expect.poll(async () => [await askApi(), await askApi()], { timeout: 6000 }).toEqual(['node101', 'node101']);
});

it('leases to whoever comes in proxy mode', async () => {
  expect(await control.fetchConfig()).toMatch(
    /<lan>\s*<enable><\/enable>\s*<range>\s*<from>10\.77\.41\.200<\/from>\s*<to>10\.77\.41\.240<\/to>/,
  );
});

describe('through systemd-resolved on the laptop', () => {
  const ask = async (...words: string[]): Promise<string> =>
    (await onLaptop('dig', '+tries=1', '+time=2', '@127.0.0.53', ...words)).output;

  it('names are known, also as first labels', async () => {
    expect(await ask('+short', 'pve1.home.arpa')).toBe('10.77.41.11\n');
    expect(await ask('+short', '+search', '+domain=home.arpa', 'pve1')).toBe('10.77.41.11\n');
  });

  it('one that was asked for before it existed answers at most 5 s after it does', async () => {
    expect(await ask('web.svc')).toContain('NXDOMAIN');
    const control =
      '/usr/local/sbin/unbound-control -c /var/unbound/unbound.conf local_data web.svc. 5 IN A 10.77.41.77';
    const code = `mwexec("/usr/bin/su -m unbound -c '${control}'");`;
    expect((await call(login.password, 'exec_php', code)).output).toContain('<boolean>1</boolean>');
    const lateMs = await waitFor(
      'web.svc is there',
      10_000,
      async () => (await ask('+short', 'web.svc')) === '10.77.41.77\n',
    );
    console.log(`web.svc is there after ${Math.round(lateMs)} ms`);
    expect(lateMs).toBeLessThan(5000);
  });
});

describe('broken by a user', () => {
  const strike = async (...words: string[]): Promise<number> => {
    const startedAt = performance.now();
    await breakRouter(routerControlSocket(lab.stateDirectory), words, { domain: 'home.arpa', now: 1_700_000_000_000 });
    return performance.now() - startedAt;
  };

  it('answers 500 to five calls, is slow until it is well', async () => {
    await strike('answer-500');
    for (let call = 0; call < 5; call += 1)
      expect((await askVersion(login.password)).output).toContain('< HTTP/1.1 500');
    expect((await askVersion(login.password)).output).toContain('RELEASE');
    await strike('slow', '30');
    expect((await askVersion(login.password)).exitCode).toBe(28);
    await strike('well');
    expect((await askVersion(login.password)).output).toContain('RELEASE');
  });

  it('is saved by hand, restored, and up again when the command is done', { timeout: 60_000 }, async () => {
    const before = await control.fetchConfig();
    await strike('page-save');
    expect(await dig('by-hand-1700000000.home.arpa')).toBe('192.0.2.1');
    await strike('restore');
    expect(await dig('by-hand-1700000000.home.arpa')).toBe('');
    // Of the revision alone is it another.
    const body = (text: string): string => text.replace(/<revision>.*<\/revision>/s, '');
    expect(body(await control.fetchConfig())).toBe(body(before));
    expect(await strike('reboot', '1')).toBeGreaterThan(1000);
    expect(await dig('kube.home.arpa')).toBe(endpoint);
  });

  it('loses its power', { timeout: 90_000 }, async () => {
    await strike('power-cut');
    await waitFor('it answers again', 60_000, async () =>
      (await askVersion(login.password)).output.includes('RELEASE'),
    );
    expect(await dig('kube.home.arpa')).toBe(endpoint);
  });

  it('refuses what is nothing', async () => {
    await expect(strike('flood')).rejects.toThrow('"flood" is nothing that a router can have');
    await expect(strike('well', '3')).rejects.toThrow('"3" does not fit behind well');
  });
});

it(
  'comes back with its configuration when it is killed, and forgets addresses that were only live',
  { timeout: 90_000 },
  async () => {
    const before = await control.fetchConfig();
    const addresses = async (): Promise<string> =>
      (await lab.runOn('gateway', peers, ['ip', '-br', 'addr', 'show', 'eth0'])).output;
    await lab.runOn('gateway', peers, ['ip', 'addr', 'add', '10.77.41.77/32', 'dev', 'eth0']);
    expect(await addresses()).toContain('10.77.41.77');
    const enter = await lab.findPid('gateway', /unshare.*pfsense\/main/);
    process.kill(enter, 'SIGKILL');
    await waitFor('it is down', 5000, async () => (await dig('pve1.home.arpa')) !== '10.77.41.11');
    const downAt = performance.now();
    await waitFor('it answers again', 60_000, async () =>
      (await askVersion(login.password)).output.includes('RELEASE'),
    );
    console.log(`up again after ${Math.round(performance.now() - downAt)} ms`);
    expect(await dig('kube.home.arpa')).toBe(endpoint);
    await waitFor('the endpoint leads to the API again', 6000, async () => (await askApi()) === 'node101');
    expect(await control.fetchConfig()).toBe(before);
    expect(await addresses()).not.toContain('10.77.41.77');
  },
);
