// PHP of the emulated router: one process a request, started ahead so that the next one finds it with the library loaded, as
// php-fpm's workers are. A process that was started runs to its end whether or not anybody still waits.
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { createWriteStream, type WriteStream } from 'node:fs';
import { once } from 'node:events';
import { latencyProfiles } from './latency.ts';
import type { RouterPlan } from './router-plan.ts';
import { versionProfiles } from './version.ts';

export interface PhpResult {
  readonly exitCode: number;
  readonly output: Buffer;
}

export interface PhpOptions {
  readonly plan: RouterPlan;
  readonly tree: string;
  /** Takes what PHP and the programs it starts say on standard error. */
  readonly logFile: string;
}

/** A process that waits for its input. */
export interface PhpProcess {
  /** Gives it the input and waits for its end. */
  finish(input: string): Promise<PhpResult>;
  /** Gives it one line, and waits for the next line of its output; undefined when it ended instead. */
  ask(line: string): Promise<string | undefined>;
  kill(): void;
}

export interface Php {
  start(script: string, argv?: readonly string[]): PhpProcess;
  /** One call of xmlrpc.php, by the process that has waited longest. */
  answer(request: string): Promise<PhpResult>;
  /** Runs until the router's services are up. */
  boot(): Promise<PhpResult>;
  /** Ends those that wait. */
  close(): Promise<void>;
}

export const phpScripts = {
  xmlrpc: '/usr/local/www/xmlrpc.php',
  boot: '/usr/local/libexec/emulator/bootup.php',
  seed: '/usr/local/libexec/emulator/seed.php',
  hand: '/usr/local/libexec/emulator/hand.php',
  restore: '/usr/local/libexec/emulator/restore.php',
} as const;

const includePath = '.:/etc/inc:/usr/local/pfSense/include:/usr/local/www:/usr/local/pkg';
const settings = [
  'display_errors=0',
  'log_errors=1',
  'html_errors=0',
  'memory_limit=512M',
  `include_path=${includePath}`,
  // Standard input is a socket to PHP, which would give up after a minute without a request.
  'default_socket_timeout=-1',
];

export function makePhp(options: PhpOptions): Php {
  const { plan } = options;
  const log = createWriteStream(options.logFile, { flags: 'a' });
  const environment = {
    PATH: '/sbin:/bin:/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin',
    // `su -m` keeps it: unbound's own may not log in.
    SHELL: '/bin/sh',
    HOME: '/root',
    LABWRIGHT_ROUTER: JSON.stringify({ ...versionProfiles[plan.profile], latency: latencyProfiles[plan.latency] }),
  };
  const start = (
    script: string,
    argv: readonly string[] = [],
    more: Readonly<Record<string, string>> = {},
  ): PhpProcess => {
    const flags = settings.flatMap((setting) => ['-d', setting]);
    const child = spawn('unshare', ['--root', options.tree, '--wd', '/', 'php', ...flags, script, ...argv], {
      env: { ...environment, ...more },
    });
    return watchProcess(child, log);
  };
  let waiting = Array.from({ length: plan.workers }, () => start(phpScripts.xmlrpc));
  return {
    start,
    answer: async (request) => {
      const taken = waiting.shift() ?? start(phpScripts.xmlrpc);
      waiting.push(start(phpScripts.xmlrpc));
      return await taken.finish(`${request}\n`);
    },
    boot: async () => await start(phpScripts.boot, [], { LABWRIGHT_BOOTING: '1' }).finish(''),
    close: async () => {
      for (const process of waiting) process.kill();
      waiting = [];
      log.end();
      await once(log, 'close');
    },
  };
}

function watchProcess(child: ChildProcessWithoutNullStreams, log: WriteStream): PhpProcess {
  const chunks: Buffer[] = [];
  let onOutput = (): void => undefined;
  child.stdout.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    onOutput();
  });
  child.stderr.on('data', (chunk: Buffer) => void (log.writable && log.write(chunk)));
  // One that ended before it read its input says so by its exit code.
  child.stdin.on('error', () => undefined);
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    // Not 'close': a server that it started may hold its standard error for ever.
    child.once('exit', (code) => {
      const exitCode = code ?? 255;
      if (child.stdout.readableEnded) resolve(exitCode);
      else child.stdout.once('end', () => resolve(exitCode));
    });
  });
  ended.catch(() => undefined); // Whoever finishes it is told.
  const takeLine = (): string | undefined => {
    const text = Buffer.concat(chunks).toString('utf8');
    const end = text.indexOf('\n');
    if (end === -1) return undefined;
    chunks.splice(0, chunks.length, Buffer.from(text.slice(end + 1)));
    return text.slice(0, end);
  };
  return {
    finish: async (input) => {
      child.stdin.end(input);
      const exitCode = await ended;
      return { exitCode, output: Buffer.concat(chunks) };
    },
    ask: async (line) => {
      child.stdin.write(`${line}\n`);
      return await new Promise<string | undefined>((resolve, reject) => {
        let isAnswered = false;
        const look = (isLast: boolean): void => {
          // What comes later belongs to whoever asks or finishes next.
          if (isAnswered) return;
          const found = takeLine();
          if (found === undefined && !isLast) return;
          isAnswered = true;
          resolve(found);
        };
        onOutput = () => look(false);
        look(false);
        ended.then(() => look(true), reject);
      });
    },
    kill: () => void child.kill('SIGKILL'),
  };
}
