// One command on a machine over SSH, with its input and output. The host key is pinned, the login is a key.
import { LabwrightError } from '@labwright/core/errors/error';
import type { Secret } from '@labwright/core/ports/secret';
import ssh2, { type Client, type ClientChannel } from 'ssh2';
import { formatCommandLine } from './command-line.ts';
import { type PinnedHostKey, formatFingerprint, isPinnedHostKey, signaturesFor } from './host-key.ts';

export interface SshTarget {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** In OpenSSH or PEM form, without passphrase. */
  readonly privateKey: Secret;
  readonly hostKey: PinnedHostKey;
  /** For everything: connecting, login and the command. */
  readonly timeoutMs: number;
  /** During a command it is asked this often whether it is still there; five times without an answer, and it is not. */
  readonly askEveryMs?: number;
  readonly signal: AbortSignal;
}

export interface SshResult {
  readonly exitCode: number;
  /** Set when a signal ended the command ("KILL"); the exit code is 255 then. */
  readonly killedBy?: string;
  readonly stdout: string;
  readonly stderr: string;
}

export interface SshStreams {
  readonly stdin?: string | Uint8Array;
  /** Told each piece of standard output as it comes; a character may be split between two. The result has it all. */
  readonly onStdout?: (piece: Uint8Array) => void;
}

const mostOutputBytes = 16 * 1024 * 1024;
/** A machine that loses power closes no connection. One that is emulated may be silent for half a minute under load. */
const defaultAskEveryMs = 15_000;
const unansweredMost = 4;
/** For connecting and login, when a command may take longer: before the login nobody is asked whether he is still there. */
const loginMs = 60_000;

/**
 * Any exit code is a result. Throws LW3003 when the machine does not answer in time or breaks off, LW3004 for a host key
 * that is not the pinned one (found before any authentication) or a refused login, and the signal's reason when aborted.
 */
export async function runOverSsh(
  target: SshTarget,
  command: readonly string[],
  { stdin = '', onStdout }: SshStreams = {},
): Promise<SshResult> {
  target.signal.throwIfAborted();
  const client = new ssh2.Client();
  const ended = Promise.withResolvers<never>();
  // Rejections reach the caller through the races below; this keeps one that comes after them from being unhandled.
  ended.promise.catch(() => undefined);
  const timeout = AbortSignal.timeout(target.timeoutMs);
  let stage = 'connecting';
  const onAbort = (): void => {
    ended.reject(target.signal.reason as Error);
  };
  const onTimeout = (): void => {
    ended.reject(silent(target, `nothing came within ${target.timeoutMs} ms of ${stage}`));
  };
  target.signal.addEventListener('abort', onAbort, { once: true });
  timeout.addEventListener('abort', onTimeout, { once: true });
  client.on('error', (error) => {
    ended.reject(translate(target, error, stage));
  });
  client.on('close', () => {
    ended.reject(silent(target, `the connection was closed while ${stage}`));
  });
  try {
    await Promise.race([logIn(client, target, ended.reject), ended.promise]);
    stage = `running ${command[0] ?? 'nothing'}`;
    return await Promise.race([execute(client, formatCommandLine(command), stdin, onStdout), ended.promise]);
  } finally {
    target.signal.removeEventListener('abort', onAbort);
    timeout.removeEventListener('abort', onTimeout);
    client.destroy();
  }
}

async function logIn(client: Client, target: SshTarget, refuse: (error: LabwrightError) => void): Promise<void> {
  const ready = Promise.withResolvers<void>();
  client.once('ready', ready.resolve);
  client.connect({
    host: target.host,
    port: target.port,
    username: target.user,
    privateKey: target.privateKey.reveal(),
    readyTimeout: Math.min(target.timeoutMs, loginMs),
    keepaliveInterval: target.askEveryMs ?? defaultAskEveryMs,
    keepaliveCountMax: unansweredMost,
    // Asked for during key exchange, so before the user's name or a signature leaves this computer.
    hostVerifier: (shown: Buffer) => {
      if (isPinnedHostKey(target.hostKey, shown)) return true;
      refuse(wrongHostKey(target, shown));
      return false;
    },
    algorithms: { serverHostKey: signaturesFor(target.hostKey) },
  });
  await ready.promise;
}

async function execute(
  client: Client,
  line: string,
  stdin: string | Uint8Array,
  onStdout: SshStreams['onStdout'],
): Promise<SshResult> {
  const result = Promise.withResolvers<SshResult>();
  client.exec(line, (error, channel) => {
    if (error === undefined) {
      collect(channel, result.resolve, result.reject);
      if (onStdout !== undefined) channel.on('data', onStdout);
    } else result.reject(error);
    // A command that does not read its input may close it before everything is written; its exit code tells what happened.
    channel?.on('error', (broken: Error) => {
      result.reject(broken);
    });
    channel?.end(stdin);
  });
  return await result.promise;
}

function collect(channel: ClientChannel, resolve: (result: SshResult) => void, reject: (error: Error) => void): void {
  const output: Record<'stdout' | 'stderr', Buffer[]> = { stdout: [], stderr: [] };
  let size = 0;
  const gather = (into: Buffer[]) => (chunk: Buffer) => {
    size += chunk.length;
    into.push(chunk);
    if (size > mostOutputBytes) reject(tooMuch());
  };
  channel.on('data', gather(output.stdout));
  channel.stderr.on('data', gather(output.stderr));
  let exit: Pick<SshResult, 'exitCode' | 'killedBy'> | undefined;
  channel.on('exit', (code: number | null, signal?: string) => {
    exit = code === null ? { exitCode: 255, killedBy: signal ?? 'an unknown signal' } : { exitCode: code };
  });
  channel.on('close', () => {
    const stdout = Buffer.concat(output.stdout).toString('utf8');
    const stderr = Buffer.concat(output.stderr).toString('utf8');
    // Without an exit status the connection went first; "close" of the client rejects with the reason.
    if (exit !== undefined) resolve({ ...exit, stdout, stderr });
  });
}

const placeOf = (target: SshTarget): Record<string, string> => ({
  ssh: `${target.user}@${target.host}:${target.port}`,
});

function tooMuch(): LabwrightError {
  return new LabwrightError('LW3003', {
    what: `a command wrote more than ${mostOutputBytes / 1024 ** 2} MiB, more than is kept`,
    fix: ['report this with the output of the same command and --debug'],
  });
}

function silent(target: SshTarget, why: string, cause?: unknown): LabwrightError {
  return new LabwrightError('LW3003', {
    what: `${target.host} does not answer over SSH`,
    where: placeOf(target),
    why,
    fix: ['see how far the machine is: labwright status', `and what its console shows: on its host, qm terminal VMID`],
    cause,
  });
}

function wrongHostKey(target: SshTarget, shown: Uint8Array): LabwrightError {
  return new LabwrightError('LW3004', {
    what: `${target.host} shows another SSH host key than the one it phoned home with, so no login was tried`,
    where: { ...placeOf(target), shown: formatFingerprint(shown) },
    why: 'it was installed again without Labwright, or another computer answers on its address',
    fix: [
      'look for another computer on that address',
      'or provision the machine again: labwright machine rebuild NAME',
    ],
  });
}

function translate(target: SshTarget, error: Error & { level?: string }, stage: string): LabwrightError {
  if (error.level === 'client-timeout') return silent(target, `nothing comes from it any more while ${stage}`, error);
  if (error.level !== 'client-authentication') return silent(target, error.message, error);
  return new LabwrightError('LW3004', {
    what: `${target.host} refused the login of ${target.user}`,
    where: placeOf(target),
    why: error.message,
    fix: ['the machine does not know this key: labwright machine rebuild NAME gives it the present one'],
    cause: error,
  });
}
