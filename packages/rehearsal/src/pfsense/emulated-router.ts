// One emulated pfSense: its file system, its configuration, its services and its web server, and what a reboot does to them.
//
//   starting → running ⇄ rebooting → (closed)
import { execFile } from 'node:child_process';
import { watch, type FSWatcher } from 'node:fs';
import { readFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { ensureCertificate } from './certificate.ts';
import { makeFaults, type Faults } from './fault.ts';
import { makeHand, type Hand } from './hand.ts';
import { makeLoginProtection, type LoginProtection } from './login-protection.ts';
import { makePhp, phpScripts, type Php } from './php-process.ts';
import { describeOwnerBalancer, describeVirtualIps } from './owner-entries.ts';
import { messageOf, RouterError } from './router-error.ts';
import { routerFiles, type RouterFiles, type RouterPlan } from './router-plan.ts';
import { makeRouterRoot, type RouterRoot } from './router-root.ts';
import { openWebFront, type WebFront } from './web-front.ts';

const run = promisify(execFile);

/** What a reboot ends; by name, as everything in this process namespace is the router's. */
const servers = ['unbound', 'dnsmasq', 'haproxy', 'dhcpd', 'kea-dhcp4'];

export interface EmulatedRouter {
  readonly plan: RouterPlan;
  readonly files: RouterFiles;
  readonly faults: Faults;
  readonly hand: Hand;
  readonly protection: LoginProtection;
  readonly state: () => 'running' | 'rebooting';
  /** Goes down at once; resolves when it is up again. */
  reboot(downSeconds: number): Promise<void>;
  /** A person restores a backup, the oldest unless a time is given, and reboots. */
  restore(time: number | undefined, downSeconds: number): Promise<void>;
  close(): Promise<void>;
}

export interface RouterOptions {
  readonly log: (line: string) => void;
}

/** Needs a mount, a process and a network namespace of its own. Resolves when its services run and xmlrpc.php answers. */
export async function startRouter(plan: RouterPlan, { log }: RouterOptions): Promise<EmulatedRouter> {
  const files = routerFiles(plan.stateDirectory);
  await dropAddresses(plan);
  const root = await makeRouterRoot(plan, files);
  await ensureCertificate(plan, files);
  const php = makePhp({ plan, tree: root.tree, logFile: join(files.logs, 'php.log') });
  const faults = makeFaults();
  const protection = makeLoginProtection(plan.loginProtection, () => new Date().getTime());
  await seed(plan, php);
  const [certificate, key] = await Promise.all([readFile(files.certificate, 'utf8'), readFile(files.key, 'utf8')]);
  const addresses = [plan.lan.address, ...plan.aliases];
  const comeUp = async (): Promise<WebFront> => {
    const { exitCode } = await php.boot();
    if (exitCode !== 0) log(`the boot script ended with exit code ${exitCode}; see php.log`);
    const { port, workers } = plan;
    return await openWebFront({ addresses, port, certificate, key, workers, php, faults, protection, log });
  };
  let front: WebFront | undefined = await comeUp();
  const goDown = async (): Promise<void> => {
    const closing = front;
    front = undefined;
    await closing?.close();
    await endServers(plan);
  };
  const reboot = async (downSeconds: number): Promise<void> => {
    if (front === undefined) return;
    log(`rebooting, down for ${downSeconds} s`);
    await goDown();
    await delay(downSeconds * 1000);
    protection.clear();
    front = await comeUp();
    log('up again');
  };
  const watcher = watchReboots(root, () => {
    reboot(2).catch((error: unknown) => log(messageOf(error)));
  });
  return {
    plan,
    files,
    faults,
    hand: makeHand(php),
    protection,
    state: () => (front === undefined ? 'rebooting' : 'running'),
    reboot,
    restore: async (time, downSeconds) => {
      const file = time === undefined ? await findOldestBackup(files) : `config-${time}.xml`;
      const { exitCode } = await php.start(phpScripts.restore, [`/cf/conf/backup/${file}`]).finish('');
      if (exitCode !== 0) throw new RouterError(`the backup ${file} could not be restored`, 'GET /backups lists them');
      await reboot(downSeconds);
    },
    close: async () => {
      watcher.close();
      await goDown();
      await php.close();
    },
  };
}

async function seed(plan: RouterPlan, php: Php): Promise<void> {
  const users = plan.users.map(async ({ name, role, passwordFile }) => ({
    name,
    role,
    password: (await readFile(passwordFile, 'utf8')).trimEnd(),
  }));
  const { hostname, domain, lan, port, resolver, resolverOptions, dhcp, hosts, aliases, balancer } = plan;
  const setUp = balancer === undefined ? { frontEnds: [], backEnds: [] } : describeOwnerBalancer(balancer);
  const virtualIps = describeVirtualIps([
    ...aliases.map((address) => ({ address, descr: '' })),
    ...(balancer === undefined ? [] : [{ address: balancer.address, descr: 'API of the cluster' }]),
  ]);
  const owners = { lan, resolver, resolverOptions, dhcp, hosts, virtualIps, ...setUp };
  const wanted = { hostname, domain, port, ...owners, certificateId: 'rehearsal' };
  const { exitCode } = await php
    .start(phpScripts.seed)
    .finish(JSON.stringify({ ...wanted, users: await Promise.all(users) }));
  if (exitCode !== 0)
    throw new RouterError(`the router's configuration was not made (exit code ${exitCode})`, 'read its php.log');
}

async function findOldestBackup({ backups }: RouterFiles): Promise<string> {
  const names = (await readdir(backups)).filter((name) => /^config-\d+\.xml$/.test(name));
  const oldest = names.sort((one, other) => timeOf(one) - timeOf(other))[0];
  if (oldest === undefined) throw new RouterError('the router has no backup yet', 'let something be written first');
  return oldest;
}

export function timeOf(backup: string): number {
  return Number(/\d+/.exec(backup)?.[0] ?? 0);
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    // It ended by itself.
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

async function endServers(plan: RouterPlan): Promise<void> {
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const name = await readFile(`/proc/${entry}/comm`, 'utf8').catch(() => ''); // It ended while we looked.
    if (servers.includes(name.trim())) endProcess(Number(entry));
  }
  await dropAddresses(plan);
}

/** Addresses that were added are gone with the power; the LAN's own is the namespace's. */
async function dropAddresses(plan: RouterPlan): Promise<void> {
  const own = `${plan.lan.address}/${plan.lan.bits}`;
  const { stdout } = await run('ip', ['-j', 'addr', 'show', 'dev', plan.lan.device]);
  const [link] = JSON.parse(stdout) as {
    addr_info: { family: string; local: string; prefixlen: number; scope: string }[];
  }[];
  for (const { local, prefixlen, scope } of link?.addr_info ?? []) {
    const address = `${local}/${prefixlen}`;
    if (scope !== 'link' && address !== own) await run('ip', ['addr', 'del', address, 'dev', plan.lan.device]);
  }
}

function watchReboots({ reboot }: RouterRoot, onRequest: () => void): FSWatcher {
  return watch(reboot.folder, (_, name) => {
    if (name !== reboot.name) return;
    rm(join(reboot.folder, reboot.name)).then(onRequest, () => undefined); // Seen twice: it is gone the second time.
  });
}
