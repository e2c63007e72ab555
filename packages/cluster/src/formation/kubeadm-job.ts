// One run of kubeadm on a machine, under systemd there: started over SSH, followed over SSH, and alive without either.
//
//   blank ──begin──▶ begun ──kubeadm ends well──▶ member
//                      │ ▲
//     power cut, error ╰─╯ undone by `kubeadm reset`, done again
//
// The marks are files on the machine's own disk (guest/state.sh), so whoever comes next knows, whatever became of us.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LabwrightError } from '@labwright/core/errors/error';
import type { Clock } from '@labwright/core/ports/clock';
import { pack } from 'tar-stream';
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

export interface JobOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly progress: (words: string) => void;
  /** The machine may be silent for this long in the middle (a network that is gone for a while). */
  readonly patienceMs: number;
  readonly timeoutMs: number;
}

const reconnectMs = 2_000;
const logLines = 15;

/** Starts the job or finds it under way, and follows it to its end. Throws LW3003 when the machine stays silent, and LW3004. */
export async function runKubeadmJob(shell: Shell, job: KubeadmJob, options: JobOptions): Promise<JobOutcome> {
  const archive = await packJob(job);
  let seenAt = options.clock.monotonic();
  for (;;) {
    const lines: string[] = [];
    try {
      return await followOnce(shell, archive, options, (line) => {
        seenAt = options.clock.monotonic();
        lines.push(line);
      });
    } catch (error) {
      options.signal.throwIfAborted();
      const isSilent = error instanceof LabwrightError && error.code === 'LW3003';
      if (!isSilent || options.clock.monotonic() - seenAt > options.patienceMs) throw error;
      options.progress('the connection is lost; kubeadm goes on without it');
      await options.clock.sleep(reconnectMs, options.signal);
    }
  }
}

const command = ['sudo', 'sh', '-c', readGuestFile('receive.sh')] as const;

async function followOnce(
  shell: Shell,
  archive: Uint8Array,
  { signal, progress, timeoutMs }: JobOptions,
  told: (line: string) => void,
): Promise<JobOutcome> {
  const ended = new AbortController();
  const log: string[] = [];
  let state = '';
  let exitCode: number | undefined;
  const read = readLines((line) => {
    told(line);
    const [, word = '', rest = ''] = /^labwright: (\w+) ?(.*)$/.exec(line) ?? [];
    if (word === 'ended') {
      exitCode = Number(rest);
      ended.abort();
    } else if (word !== '') state = word;
    else {
      log.push(line);
      const words = describeLine(line);
      if (words !== undefined) progress(words);
    }
  });
  try {
    const result = await shell([...command], {
      stdin: archive,
      onStdout: read,
      timeoutMs,
      signal: AbortSignal.any([signal, ended.signal]),
    });
    log.push(...result.stderr.split('\n').filter((line) => line !== ''));
  } catch (error) {
    // The last line is all there is to wait for; `tail` notices a moment later that nothing follows.
    if (!ended.signal.aborted) throw error;
  }
  signal.throwIfAborted();
  if (exitCode === 0) return { kind: 'done' };
  if (exitCode !== undefined) return { kind: 'failed', exitCode, log: log.slice(-logLines) };
  if (state === 'member') return { kind: 'member' };
  if (state === 'foreign' || state === 'blank' || state === 'begun') return { kind: 'refused', state };
  return { kind: 'killed', log: log.slice(-logLines) };
}

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

/** The archive that guest/receive.sh unpacks: the scripts, what they are to do, and the files in an archive of their own. */
async function packJob(job: KubeadmJob): Promise<Uint8Array> {
  const script = (name: string): PushedFile => ({ path: name, mode: 0o600, content: readGuestFile(name) });
  const files = await packFiles(job.files.map((file) => ({ ...file, path: file.path.replace(/^\//, '') })));
  const settings = {
    job: job.kind,
    authority: createHash('sha256').update(job.authority).digest('hex'),
    socket: job.criSocket,
    command: job.command.join(' '),
    options: job.options.join(' '),
  };
  const conf = Object.entries(settings).map(([key, value]) => `${key}='${value}'\n`);
  return await packFiles([
    ...['start.sh', 'state.sh', 'follow.sh', 'job.sh'].map(script),
    { path: 'job.conf', mode: 0o600, content: conf.join('') },
    { path: 'kubeadm.yaml', mode: 0o600, content: job.config },
    { path: 'files.tar', mode: 0o600, content: files },
  ]);
}

export type ArchivedFile =
  | PushedFile
  | { readonly path: string; readonly mode: number; readonly content: string | Uint8Array };

/** Without entries for folders: tar makes what is missing, and leaves those alone that are there. */
export async function packFiles(files: readonly ArchivedFile[]): Promise<Uint8Array> {
  const archive = pack();
  for (const file of files) {
    if ('target' in file) archive.entry({ name: file.path, type: 'symlink', linkname: file.target });
    else archive.entry({ name: file.path, mode: file.mode }, Buffer.from(file.content));
  }
  archive.finalize();
  const pieces: Uint8Array[] = [];
  for await (const piece of archive) pieces.push(piece as Uint8Array);
  return new Uint8Array(Buffer.concat(pieces));
}

export function readGuestFile(name: string): string {
  return readFileSync(join(import.meta.dirname, '../guest', name), 'utf8');
}

/** Whole lines of a stream of bytes. */
export function readLines(told: (line: string) => void): (piece: Uint8Array) => void {
  const decoder = new TextDecoder();
  let rest = '';
  return (piece) => {
    const lines = (rest + decoder.decode(piece, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) told(line);
  };
}
