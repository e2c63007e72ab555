// `cluster …`: its state, a login for people, and when its certificates end.
import { randomUUID } from 'node:crypto';
import { open, readFile, realpath, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { ensureFolder } from '@labwright/core/ports/folder';
import { mergeKubeconfig, formatKubeconfig, type Kubeconfig } from '@labwright/cluster/pki/kubeconfig';
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import { missingCluster } from '@labwright/core/blueprint/missing-section';
import type { ClusterLoginAnswer } from '@labwright/core/contract/contract';
import { LabwrightError } from '@labwright/core/errors/error';
import { Secret } from '@labwright/core/ports/secret';
import type { CommandInput } from '../command.ts';
import type { LabLocation } from '../lab-location.ts';
import { withLab } from '../lab-session.ts';
import { exitCodes, type ExitCode, type Program } from '../program.ts';
import { formatCertificates, formatClusterStatus } from '../render/cluster.ts';

export async function clusterStatus(program: Program): Promise<ExitCode> {
  const needs = { boot: false, check: assertCluster };
  const { cluster } = await withLab(program, needs, ({ client }) => client.status(program.interrupt));
  const { terminal, options } = program;
  if (cluster === undefined) throw missingCluster();
  terminal.out(
    options.json ? `${JSON.stringify(cluster, undefined, 2)}\n` : formatClusterStatus(cluster, terminal.outStyle),
  );
  return exitCodes.done;
}

export async function clusterCertificates(program: Program): Promise<ExitCode> {
  const needs = { boot: false, check: assertCluster };
  const seen = await withLab(program, needs, ({ client }) => client.clusterCertificates(program.interrupt));
  const { terminal, options } = program;
  terminal.out(options.json ? `${JSON.stringify(seen, undefined, 2)}\n` : formatCertificates(seen, terminal.outStyle));
  return seen.silent.length === 0 ? exitCodes.done : exitCodes.unreachable;
}

/** A new login each time, good for a year. */
export async function clusterKubeconfig(program: Program, { flags }: CommandInput): Promise<ExitCode> {
  const config = await withLab(program, { boot: false, check: assertCluster }, async ({ client, location }) =>
    makeKubeconfig(await client.clusterLogin(program.interrupt), location),
  );
  if (flags['merge'] !== true) {
    program.terminal.out(formatKubeconfig(config));
    return exitCodes.done;
  }
  const path = await mergeInto(findKubeconfig(program), config);
  if (program.options.json) {
    program.terminal.out(`${JSON.stringify({ file: path, context: config.cluster }, undefined, 2)}\n`);
  } else program.terminal.err(`${path} has it now: kubectl --context ${config.cluster} get nodes\n`);
  return exitCodes.done;
}

/** In a rehearsal by the loopback port that leads into its network. */
function makeKubeconfig(login: ClusterLoginAnswer, location: LabLocation): Kubeconfig {
  // A name of ours: the user's own entries may well be called like the lab.
  const name = `labwright-${login.cluster.replace('+', '-')}`;
  const user = { name, certificate: login.certificate, privateKey: new Secret(login.privateKey) };
  const common = { cluster: name, context: name, ca: login.ca, user };
  if (location.kind === 'hardware') return { ...common, server: `https://${login.endpoint}` };
  const { apiPort } = location.rehearsal;
  if (apiPort === undefined) throw missingCluster();
  return { ...common, server: `https://127.0.0.1:${apiPort}`, tlsServerName: login.serverName };
}

/** Where kubectl itself would write. */
function findKubeconfig({ environment }: Program): string {
  const first = environment['KUBECONFIG']?.split(':').find((path) => path !== '');
  return first ?? join(homedir(), '.kube', 'config');
}

/** Replaced as a whole or not at all, readable by its owner only; a link stays one. Throws LW0005. */
async function mergeInto(named: string, config: Kubeconfig): Promise<string> {
  let draft: string | undefined;
  try {
    await ensureFolder(dirname(named), { mode: 0o700 });
    const path = await realpath(named).catch(() => named);
    const merged = mergeKubeconfig(await readIfThere(path), config);
    if (merged === undefined) throw notKubeconfig(path);
    draft = `${path}.${randomUUID()}`;
    const file = await open(draft, 'wx', 0o600);
    try {
      await file.writeFile(merged);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
    return path;
  } catch (cause) {
    if (cause instanceof LabwrightError) throw cause;
    throw new LabwrightError('LW0005', {
      what: `${named} could not be written`,
      where: { file: named },
      why: cause instanceof Error ? cause.message : String(cause),
      fix: ['labwright cluster kubeconfig > FILE   writes one of its own'],
      cause,
    });
  } finally {
    if (draft !== undefined) await rm(draft, { force: true });
  }
}

async function readIfThere(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

function notKubeconfig(path: string): LabwrightError {
  return new LabwrightError('LW0005', {
    what: `${path} is not a kubeconfig, so nothing was put into it`,
    where: { file: path },
    why: 'it is not YAML, or of another kind than Config',
    fix: ['labwright cluster kubeconfig > FILE   writes one of its own'],
  });
}

/** Throws LW1004. */
export function assertCluster({ cluster }: Pick<Blueprint, 'cluster'>): void {
  if (cluster === undefined) throw missingCluster();
}
