// The keeper: first process of a rehearsal after its init. Makes the LAN, starts every device's processes, starts them
// again when they die as a service manager would, and answers on a Unix socket what runs.
//
//   process:  starting → running → (died) → starting …
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { access, mkdir, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { keeperSocket, type Device, type DeviceProcess, type Topology } from '../lab/topology.ts';
import { enterDeviceRoot, makeDeviceRoot } from '../lan/device-root.ts';
import { makeNetwork } from '../lan/network.ts';
import { isListening } from './listening.ts';

export interface ProcessStatus {
  readonly device: string;
  readonly process: string;
  readonly state: 'starting' | 'running' | 'died';
  /** How often it was started again. */
  readonly restarts: number;
  readonly log: string;
}

export interface KeeperStatus {
  readonly lab: string;
  readonly processes: readonly ProcessStatus[];
}

export interface KeeperOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly log: (line: string) => void;
}

const restartPauseMs = 1000;
const readyPollMs = 50;

/** Runs until the signal is aborted; then ends what it started. */
export async function keep(topology: Topology, options: KeeperOptions, signal: AbortSignal): Promise<void> {
  const statuses = new Map<string, ProcessStatus>();
  await mkdir(`${topology.stateDirectory}/logs`, { recursive: true });
  await makeNetwork(topology);
  for (const { name, root } of topology.devices) if (root !== undefined) await makeDeviceRoot(name, root);
  options.log('the LAN is up');
  const server = await listen(topology, () => ({ lab: topology.lab, processes: [...statuses.values()] }));
  const services = topology.devices.flatMap((device) =>
    device.processes.map((process) => keepProcess(topology, device, process, statuses, options, signal)),
  );
  try {
    await Promise.all(services);
  } finally {
    server.close();
  }
}

async function keepProcess(
  topology: Topology,
  device: Device,
  process: DeviceProcess,
  statuses: Map<string, ProcessStatus>,
  options: KeeperOptions,
  signal: AbortSignal,
): Promise<void> {
  const key = `${device.name}/${process.name}`;
  const log = `${topology.stateDirectory}/logs/${device.name}-${process.name}.log`;
  const set = (state: ProcessStatus['state'], restarts: number): void => {
    statuses.set(key, { device: device.name, process: process.name, state, restarts, log });
    options.log(`${key} ${state}`);
  };
  for (let restarts = 0; !signal.aborted; restarts += 1) {
    set('starting', restarts);
    if (process.readySocket !== undefined) await rm(process.readySocket, { force: true });
    const child = startProcess(device, process, log, options);
    const ended = new Promise<void>((resolve) => {
      child.once('close', () => resolve());
      child.once('error', (error) => {
        options.log(`${key}: ${error.message}`);
        resolve();
      });
    });
    const stop = (): void => void child.kill('SIGTERM');
    signal.addEventListener('abort', stop, { once: true });
    const gone = new AbortController();
    const ready = watchReady(process, child.pid, gone.signal).then((isReady) => isReady && set('running', restarts));
    await ended;
    gone.abort();
    await ready;
    signal.removeEventListener('abort', stop);
    set('died', restarts);
    if (!signal.aborted) await delay(restartPauseMs, undefined, { signal }).catch(() => undefined);
  }
}

async function watchReady(process: DeviceProcess, pid: number | undefined, gone: AbortSignal): Promise<boolean> {
  // Neither can be watched for before its owner made it, so it is looked for.
  while (!gone.aborted) {
    if (await isReady(process, pid)) return true;
    await delay(readyPollMs);
  }
  return false;
}

async function isReady({ readySocket, readyPort }: DeviceProcess, pid: number | undefined): Promise<boolean> {
  if (readyPort !== undefined && (pid === undefined || !(await isListening(pid, readyPort)))) return false;
  if (readySocket === undefined) return true;
  try {
    await access(readySocket);
    return true;
  } catch {
    return false; // Not there yet.
  }
}

function startProcess(device: Device, process: DeviceProcess, log: string, options: KeeperOptions): ChildProcess {
  const output = openSync(log, 'a');
  try {
    // Each at the place of its number: that is where the child finds it.
    const stdio: (number | 'ignore')[] = ['ignore', output, output];
    for (const descriptor of process.inherits) stdio[descriptor] = descriptor;
    for (let number = 3; number < stdio.length; number += 1) stdio[number] ??= 'ignore';
    return spawn('ip', ['netns', 'exec', device.name, ...enterDeviceRoot(device, process.command)], {
      stdio,
      env: options.environment,
    });
  } finally {
    closeSync(output);
  }
}

async function listen(topology: Topology, status: () => KeeperStatus): Promise<Server> {
  const path = keeperSocket(topology.stateDirectory);
  await rm(path, { force: true });
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(status()));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  return server;
}
