// One run of kubeadm on a machine that forms or joins a cluster, as a job that is followed (machine-job/followed-job.ts).
//
//   blank ──begin──▶ begun ──kubeadm ends well──▶ member
//                      │ ▲
//     power cut, error ╰─╯ undone by `kubeadm reset`, done again
//
// The marks are files on the machine's own disk (guest/state.sh), so whoever comes next knows, whatever became of us.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { followJob, type FollowedJob, type FollowOptions } from '../machine-job/followed-job.ts';
import { packFiles } from '../machine-job/job-archive.ts';
import type { PushedFile } from '../pki/control-plane-files.ts';
import type { Shell } from './shell.ts';

export type JobKind = 'init' | 'join' | 'addons';

export interface KubeadmJob {
  readonly kind: JobKind;
  /** After "kubeadm": words without spaces. */
  readonly command: readonly string[];
  readonly options: readonly string[];
  /** The text for --config; removed from the machine afterwards, since a join's holds its token. */
  readonly config: string;
  /** Put in place before kubeadm starts, with the folders they need. */
  readonly files: readonly PushedFile[];
  /** PEM of the cluster's authority: a machine that has another one is not touched. */
  readonly authority: string;
  readonly criSocket: string;
}

export type JobOutcome =
  | { readonly kind: 'done' }
  /** It was in the cluster before; nothing was run. */
  | { readonly kind: 'member' }
  /** It is in another cluster, or (for 'addons') in none; nothing was run. */
  | { readonly kind: 'refused'; readonly state: 'foreign' | 'blank' | 'begun' }
  | { readonly kind: 'failed'; readonly exitCode: number; readonly log: readonly string[] }
  /** The unit is gone without a last word: the machine was switched off, or somebody stopped it. */
  | { readonly kind: 'killed'; readonly log: readonly string[] };

const logLines = 15;

/** Starts the job or finds it under way, and follows it to its end. Throws LW3003 when the machine stays silent, and LW3004. */
export async function runKubeadmJob(shell: Shell, job: KubeadmJob, options: FollowOptions): Promise<JobOutcome> {
  const { exitCode, word, log } = await followJob(shell, await describeJob(job), options);
  if (exitCode === 0) return { kind: 'done' };
  if (exitCode !== undefined) return { kind: 'failed', exitCode, log: log.slice(-logLines) };
  if (word === 'member') return { kind: 'member' };
  if (word === 'foreign' || word === 'blank' || word === 'begun') return { kind: 'refused', state: word };
  return { kind: 'killed', log: log.slice(-logLines) };
}

async function describeJob(job: KubeadmJob): Promise<FollowedJob> {
  return {
    unit: 'labwright-kubeadm',
    description: 'Labwright: kubeadm',
    work: readGuestFile('kubeadm.sh'),
    check: readGuestFile('kubeadm-check.sh'),
    settings: {
      job: job.kind,
      authority: createHash('sha256').update(job.authority).digest('hex'),
      socket: job.criSocket,
      command: job.command.join(' '),
      options: job.options.join(' '),
    },
    files: [
      { path: 'state.sh', mode: 0o600, content: readGuestFile('state.sh') },
      { path: 'files/kubeadm.yaml', mode: 0o600, content: job.config },
      { path: 'files/root.tar', mode: 0o600, content: await packFiles(job.files.map(toRelative)) },
    ],
    describe: describeLine,
    whileLost: 'the connection is lost; kubeadm goes on without it',
  };
}

const toRelative = (file: PushedFile): PushedFile => ({ ...file, path: file.path.replace(/^\//, '') });

/** kubeadm says "[phase] What it does"; what people see of it. Undefined for what is no news. */
function describeLine(line: string): string | undefined {
  const [, phase = '', rest = ''] = /^\[([a-z-]+)\] (.*)$/.exec(line) ?? [];
  if (phase === 'labwright') return rest.charAt(0).toLowerCase() + rest.slice(1);
  return Object.hasOwn(phaseWords, phase) ? phaseWords[phase] : undefined;
}

const phaseWords: Readonly<Record<string, string>> = {
  preflight: 'kubeadm: checks of the machine',
  certs: 'kubeadm: certificates',
  kubeconfig: 'kubeadm: logins of the control plane',
  'kubelet-start': 'kubeadm: starts the kubelet',
  'control-plane': 'kubeadm: control plane',
  etcd: 'kubeadm: etcd',
  'etcd-join': 'kubeadm: joins etcd',
  'wait-control-plane': 'kubeadm: waits for the API server',
  apiclient: 'kubeadm: the API server answers',
  'upload-config': 'kubeadm: puts its configuration into the cluster',
  'mark-control-plane': 'kubeadm: marks the control plane',
  'bootstrap-token': 'kubeadm: rules for joining',
  'kubelet-finalize': 'kubeadm: the kubelet’s login',
  addons: 'kubeadm: add-ons',
};

export function readGuestFile(name: string): string {
  return readFileSync(join(import.meta.dirname, '../guest', name), 'utf8');
}
