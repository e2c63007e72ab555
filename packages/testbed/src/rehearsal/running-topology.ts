// A few devices of a rehearsal under its real keeper, without hosts and `serve`, inside the testbed.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { endRehearsal, enterDevice, findInit, startKeeper } from '@labwright/rehearsal/keeper/namespaces';
import type { KeeperStatus } from '@labwright/rehearsal/keeper/keeper';
import { keeperSocket, topologyFile, type DeviceInput, type TopologyInput } from '@labwright/rehearsal/lab/topology';
import { request } from 'node:http';

const run = promisify(execFile);

export interface CommandResult {
  readonly exitCode: number;
  readonly output: string;
}

export interface RunningTopology {
  readonly stateDirectory: string;
  /** Runs a program of a Debian root as a device. */
  runOn(device: string, root: string, command: readonly string[]): Promise<CommandResult>;
  /** A process of a device, as /proc of the testbed numbers it. */
  findPid(device: string, program: RegExp): Promise<number>;
  fetchStatus(): Promise<KeeperStatus | undefined>;
  /** The last lines of every log, for a test that failed. */
  readLogs(): Promise<string>;
  stop(): Promise<void>;
}

interface RunningTopologyOptions {
  /** Given the state directory, since devices have their files in it. */
  readonly makeDevices: (stateDirectory: string) => Promise<readonly DeviceInput[]>;
  readonly descriptors?: readonly number[];
}

/** Resolves when every process of every device runs. */
export async function startTopology({
  makeDevices,
  descriptors = [],
}: RunningTopologyOptions): Promise<RunningTopology> {
  const stateDirectory = await mkdtemp(join(tmpdir(), 'rehearsal-'));
  const devices = await makeDevices(stateDirectory);
  const topology: TopologyInput = { version: 1, lab: 'test', stateDirectory, prefixLength: 24, devices: [...devices] };
  await writeFile(topologyFile(stateDirectory), JSON.stringify(topology));
  const logFile = join(stateDirectory, 'keeper.log');
  startKeeper({ stateDirectory, nodeArguments: [], logFile, descriptors });
  const fetchStatus = (): Promise<KeeperStatus | undefined> => fetchKeeperStatus(stateDirectory);
  const readLogs = async (): Promise<string> => {
    const logs = devices.flatMap(({ name, processes = [] }) =>
      processes.map((process) => join(stateDirectory, 'logs', `${name}-${process.name}.log`)),
    );
    const texts = [logFile, ...logs].map(async (file) => `${file}\n${await readFile(file, 'utf8').catch(() => '')}`);
    return (await Promise.all(texts)).join('\n');
  };
  const init = async (): Promise<number> => {
    const pid = await findInit(stateDirectory);
    if (pid === undefined) throw new Error(`the rehearsal is gone\n${await readLogs()}`);
    return pid;
  };
  const stop = async (): Promise<void> => {
    await endRehearsal(stateDirectory, AbortSignal.timeout(10_000));
    await rm(stateDirectory, { recursive: true, force: true });
  };
  try {
    await waitFor('every process runs', 30_000, async () => {
      const status = await fetchStatus();
      return status !== undefined && status.processes.every(({ state }) => state === 'running');
    });
  } catch (error) {
    const logs = await readLogs();
    await stop();
    throw new Error(logs, { cause: error });
  }
  return {
    stateDirectory,
    fetchStatus,
    readLogs,
    stop,
    runOn: async (device, root, command) =>
      await runToEnd('nsenter', enterDevice(await init(), device, ['chroot', root, ...command])),
    findPid: async (device, program) => {
      const { stdout } = await run('nsenter', [...enterDevice(await init(), device, ['ip', 'netns', 'pids', device])]);
      for (const inner of stdout.trim().split('\n')) {
        // Numbered as inside; outside it is the process whose innermost number is that one.
        const pid = await findOuterPid(await init(), inner);
        const argv = pid === undefined ? '' : await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
        if (pid !== undefined && program.test(argv.replaceAll('\0', ' '))) return pid;
      }
      throw new Error(`${device} runs no ${program.source}`);
    },
  };
}

async function findOuterPid(init: number, inner: string): Promise<number | undefined> {
  const { stdout } = await run('sh', ['-c', 'grep -l "" /proc/[0-9]*/status 2>/dev/null || true']);
  for (const file of stdout.trim().split('\n')) {
    const status = await readFile(file, 'utf8').catch(() => '');
    const numbers = /^NSpid:\t(.*)$/m.exec(status)?.[1]?.split('\t') ?? [];
    if (numbers.length > 1 && numbers.at(-1) === inner && Number(numbers[0]) > init) return Number(numbers[0]);
  }
  return undefined;
}

/** Runs a program in the testbed's own network: outside of every rehearsal. */
export async function runOutside(root: string, command: readonly string[]): Promise<CommandResult> {
  return await runToEnd('chroot', [root, ...command]);
}

export async function waitFor(what: string, timeoutMs: number, isTrue: () => Promise<boolean>): Promise<number> {
  const startedAt = performance.now();
  for (;;) {
    if (await isTrue()) return performance.now() - startedAt;
    if (performance.now() - startedAt > timeoutMs) throw new Error(`waited ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function runToEnd(program: string, argv: readonly string[]): Promise<CommandResult> {
  try {
    const { stdout, stderr } = await run(program, [...argv], { timeout: 15_000, killSignal: 'SIGKILL' });
    return { exitCode: 0, output: stdout + stderr };
  } catch (error) {
    const failed = error as { code?: unknown; stdout?: string; stderr?: string };
    const exitCode = typeof failed.code === 'number' ? failed.code : 124;
    return { exitCode, output: `${failed.stdout ?? ''}${failed.stderr ?? ''}` };
  }
}

async function fetchKeeperStatus(stateDirectory: string): Promise<KeeperStatus | undefined> {
  return await new Promise((resolve) => {
    const outgoing = request({ socketPath: keeperSocket(stateDirectory), path: '/', agent: false }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (part: string) => (text += part));
      answer.on('end', () => resolve(JSON.parse(text) as KeeperStatus));
    });
    outgoing.on('error', () => resolve(undefined)); // Not listening yet.
    outgoing.end();
  });
}
