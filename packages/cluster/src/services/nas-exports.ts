// Exports of the NAS: checked by a mount from a machine, and written only where the NAS is a Linux and the file gives its SSH login.
import type { Blueprint, NasBlueprint } from '@labwright/core/blueprint/blueprint';
import type { Executor } from '@labwright/core/engine/engine';
import { asLabwrightError, type ErrorJson, invariant } from '@labwright/core/errors/error';
import type { AreaPlan } from '@labwright/core/plan/plan';
import { type Json, type Step, stepId } from '@labwright/core/plan/step';
import type { Random } from '@labwright/core/ports/random';
import type { Secret } from '@labwright/core/ports/secret';
import { exportTrouble, type ExportTrouble } from '@labwright/drivers/nas/export-steps';
import {
  type ExportRule,
  exportsFile,
  exportsProblem,
  formatExports,
  readExports,
  writeExports,
} from '@labwright/drivers/nas/linux-exports';
import { probeMount } from '@labwright/drivers/nas/mount-probe';
import { probeNfs } from '@labwright/drivers/nas/nfs-probe';
import type { SshTarget } from '@labwright/drivers/ssh/run';

export interface NasFacts {
  readonly name: string;
  /** Our file on it; undefined where Labwright writes none. */
  readonly file?: 'as-wanted' | 'other' | { readonly error: ErrorJson };
  readonly exports: readonly { readonly path: string; readonly answer: ExportAnswer }[];
}

export type ExportAnswer =
  /** A machine mounted it and wrote there. */
  | { readonly kind: 'usable' }
  /** The NFS server answers; no machine runs yet that could try more. */
  | { readonly kind: 'unasked' }
  | { readonly kind: 'trouble'; readonly trouble: ExportTrouble; readonly words: string };

export interface NasOptions {
  /** Labwright's own key. */
  readonly privateKey: Secret;
  /** A machine that runs, to mount from; undefined while there is none. */
  readonly machine?: SshTarget;
  readonly random: Random;
  readonly signal: AbortSignal;
}

const sshTimeoutMs = 60_000;

/** What goes wrong with one NAS is among its facts. */
export async function observeNas(blueprint: Blueprint, options: NasOptions): Promise<readonly NasFacts[]> {
  const withExports = blueprint.nas.filter(({ exports }) => exports.length > 0);
  return await Promise.all(withExports.map(async (nas) => await observeOne(blueprint, nas, options)));
}

async function observeOne(blueprint: Blueprint, nas: NasBlueprint, options: NasOptions): Promise<NasFacts> {
  const { name, address } = nas;
  const { signal, machine } = options;
  const file = await observeFile(blueprint, nas, options);
  const withFile = file === undefined ? {} : { file };
  const server = await probeNfs(address, options);
  if (server.kind !== 'serves') {
    const words = 'why' in server ? server.why : `it has version ${server.highest}`;
    const answer = { kind: 'trouble', trouble: server.kind, words } as const;
    return { name, ...withFile, exports: nas.exports.map(({ path }) => ({ path, answer })) };
  }
  const exports: { path: string; answer: ExportAnswer }[] = [];
  for (const { path } of nas.exports) {
    signal.throwIfAborted();
    exports.push({
      path,
      answer: machine === undefined ? { kind: 'unasked' } : await askMachine(machine, address, path),
    });
  }
  return { name, ...withFile, exports };
}

async function askMachine(machine: SshTarget, address: string, path: string): Promise<ExportAnswer> {
  try {
    const { kind, ...rest } = await probeMount(machine, address, path);
    return kind === 'writable'
      ? { kind: 'usable' }
      : { kind: 'trouble', trouble: kind, words: 'words' in rest ? rest.words : '' };
  } catch (thrown) {
    const { code } = asLabwrightError(thrown);
    // A machine that does not let itself be asked says nothing about the NAS.
    if (code === 'LW3003' || code === 'LW3004') return { kind: 'unasked' };
    throw thrown;
  }
}

async function observeFile(blueprint: Blueprint, nas: NasBlueprint, options: NasOptions): Promise<NasFacts['file']> {
  const target = nasTarget(nas, options);
  if (target === undefined) return undefined;
  const rules = rulesOf(blueprint, nas);
  try {
    const found = await readExports(target, rules);
    const problem = exportsProblem(target.host, blueprint.lab, found);
    if (problem !== undefined) return { error: problem.toJSON() };
    return found.text === formatExports(blueprint.lab, rules) ? 'as-wanted' : 'other';
  } catch (error) {
    options.signal.throwIfAborted();
    return { error: asLabwrightError(error).toJSON() };
  }
}

function nasTarget(
  { kind, address, ssh }: NasBlueprint,
  { privateKey, signal }: Pick<NasOptions, 'privateKey' | 'signal'>,
): SshTarget | undefined {
  if (kind !== 'linux' || ssh === undefined) return undefined;
  return {
    host: address,
    port: ssh.port,
    user: ssh.user,
    hostKey: ssh.hostKey,
    privateKey,
    timeoutMs: sshTimeoutMs,
    signal,
  };
}

const rulesOf = ({ network }: Blueprint, { exports }: NasBlueprint): readonly ExportRule[] =>
  exports.map(({ path }) => ({ path, clients: network.cidr }));

/** Steps for files of ours, problems with the steps for a person for everything else. Pure. */
export function planNas(blueprint: Blueprint, facts: readonly NasFacts[]): AreaPlan {
  const steps: Step[] = [];
  const problems: ErrorJson[] = [];
  for (const seen of facts) {
    const nas = blueprint.nas.find(({ name }) => name === seen.name);
    if (nas === undefined) continue;
    const { file } = seen;
    if (typeof file === 'object') problems.push(file.error);
    if (file === 'other') steps.push(planFile(blueprint, nas));
    for (const { path, answer } of seen.exports) {
      // What our own file does not say yet is not the NAS's fault.
      if (answer.kind !== 'trouble' || file === 'other') continue;
      problems.push(
        exportTrouble({ nas, path, clients: blueprint.network.cidr }, answer.trouble, answer.words).toJSON(),
      );
    }
  }
  return { steps, problems, notes: [] };
}

const kind = 'nas.exports';

function planFile(blueprint: Blueprint, { name, exports }: NasBlueprint): Step {
  return {
    id: stepId(kind, name),
    kind,
    target: name,
    title: `export ${exports.map(({ path }) => path).join(', ')} of ${name}`,
    change: 'change',
    reason: `${exportsFile} there is not as the lab file says`,
    needs: [],
    risk: { level: 'none' },
    estimateMs: 3_000,
    relies: [{ entry: `nas/${name} exports`, was: 'other' }],
    queues: [`nas/${name}`],
    input: { name, rules: rulesOf(blueprint, { name, exports } as NasBlueprint) } as unknown as Json,
  };
}

export function nasEntries(facts: readonly NasFacts[]): ReadonlyMap<string, string> {
  return new Map(
    facts.map(
      ({ name, file = 'none' }) => [`nas/${name} exports`, typeof file === 'object' ? 'unreadable' : file] as const,
    ),
  );
}

export function makeNasExecutors(blueprint: Blueprint, privateKey: Secret): ReadonlyMap<string, Executor> {
  return new Map<string, Executor>([
    [
      kind,
      {
        nature: 'work',
        run: async (input, { signal }) => {
          const { name, rules } = input as unknown as { name: string; rules: readonly ExportRule[] };
          const nas = blueprint.nas.find((each) => each.name === name);
          const target = nas === undefined ? undefined : nasTarget(nas, { privateKey, signal });
          invariant(target !== undefined, `${name} is a Linux NAS with an SSH login`);
          const outcome = await writeExports(target, blueprint.lab, rules);
          return outcome === 'same' ? 'exported already' : 'exported';
        },
      },
    ],
  ]);
}
