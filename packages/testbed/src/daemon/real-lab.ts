// A rehearsal with real guests for acceptance runs: the commands as a person types them, and a look behind the scenes.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import type { Blueprint, MachineBlueprint } from '@labwright/core/blueprint/blueprint';
import { resolveBlueprint } from '@labwright/core/blueprint/resolve-blueprint';
import { paths } from '@labwright/core/contract/contract';
import type { LabEvent } from '@labwright/core/events/event';
import { readLab } from '@labwright/core/lab/read-lab';
import { enterLaptop } from '@labwright/rehearsal/keeper/laptop';
import { findInit } from '@labwright/rehearsal/keeper/namespaces';
import { sendControl } from '@labwright/rehearsal/proxmox/cluster-fixture';
import { getFolders, rehearsalFolder } from 'labwright/folders';
import { proxmoxControlSocket, rehearsalFiles, rehearsalTokenId } from 'labwright/rehearsal/lab-in-rehearsal';
import { serveSocket } from 'labwright/rehearsal/record';
import { routerControlSocket } from 'labwright/rehearsal/router-in-rehearsal';
import { makeRouterControl, type RouterControl } from '@labwright/rehearsal/pfsense/control-client';
import { findWrongs, openHostFiles, type HostFiles } from './lab-inspection.ts';
import type { ProxmoxOrder } from './proxmox-call.ts';

export interface CommandResult {
  readonly exitCode: number;
  /** Both streams, as they came. */
  readonly output: string;
}

const top = join(import.meta.dirname, '../../../..');
const lookMs = 250;

export class RealLab implements AsyncDisposable {
  readonly blueprint: Blueprint;
  readonly labFile: string;
  /** Of the Labwright that serves, as long as one did; in order. */
  readonly events: LabEvent[] = [];
  readonly #folder: string;
  readonly #state: string;
  readonly #over = new AbortController();
  readonly #listening: Promise<void>;

  private constructor(folder: string, labFile: string, blueprint: Blueprint) {
    this.#folder = folder;
    this.labFile = labFile;
    this.blueprint = blueprint;
    this.#state = rehearsalFolder(getFolders(process.env), folder);
    this.#listening = this.#listen();
  }

  /** Writes the lab file into a folder of its own; nothing runs yet. */
  static async make(labText: string): Promise<RealLab> {
    const folder = await realpath(await mkdtemp(join(tmpdir(), 'real-')));
    const labFile = join(folder, 'lab.yaml');
    await writeFile(labFile, labText);
    const { lab } = await readLab(labFile);
    return new RealLab(folder, labFile, resolveBlueprint(lab, { rehearsal: true }));
  }

  machine(name: string): MachineBlueprint {
    const machine = this.blueprint.machines.find((each) => each.name === name);
    if (machine === undefined) throw new RangeError(`the lab has no ${name}`);
    return machine;
  }

  /** `./labwright WORDS` in the lab's folder, begun and left to whoever asked. */
  begin(...words: readonly string[]): ChildProcess {
    return spawn(join(top, 'labwright'), words, { cwd: this.#folder, stdio: ['ignore', 'pipe', 'pipe'] });
  }

  async labwright(...words: readonly string[]): Promise<CommandResult> {
    return await untilEnd(this.begin(...words));
  }

  /** As above; throws with what it said when it does not end well. */
  async expect(...words: readonly string[]): Promise<string> {
    const { exitCode, output } = await this.labwright(...words);
    if (exitCode !== 0) throw new Error(`labwright ${words.join(' ')} ended with ${exitCode}:\n${output}`);
    return output;
  }

  /** As above, with standard output alone and without the last newline. */
  async expectOutput(...words: readonly string[]): Promise<string> {
    const child = this.begin(...words);
    let text = '';
    child.stdout?.setEncoding('utf8').on('data', (part: string) => (text += part));
    const { exitCode, output } = await untilEnd(child);
    if (exitCode !== 0) throw new Error(`labwright ${words.join(' ')} ended with ${exitCode}:\n${output}`);
    return text.trimEnd();
  }

  /** Standard output of a command line on a machine, without the last newline; undefined while it does not let us in. */
  async on(machine: string, commandLine: string): Promise<string | undefined> {
    const ssh = ['ssh', '-o', 'ConnectTimeout=3', '-o', 'BatchMode=yes', '-o', 'LogLevel=ERROR', machine, commandLine];
    const { exitCode, stdout } = await this.#atLaptop(ssh);
    return exitCode === 0 ? stdout.trimEnd() : undefined;
  }

  /** A call of the Proxmox API from the lab's LAN by a client of its own; a task is awaited. Throws when it fails. */
  async proxmox(method: string, path: string, parameters: Readonly<Record<string, string>> = {}): Promise<unknown> {
    const [host] = this.blueprint.hosts;
    if (host === undefined) throw new Error('the lab has no host');
    const order: ProxmoxOrder = {
      url: `https://${host.address}:${this.blueprint.proxmox.port}/api2/json`,
      tokenId: rehearsalTokenId,
      secretFile: rehearsalFiles(this.#state).proxmoxSecret,
      method,
      path,
      parameters,
    };
    const entry = join(import.meta.dirname, 'proxmox-call.ts');
    const node = [process.execPath, '--disable-warning=ExperimentalWarning', entry, JSON.stringify(order)];
    const { exitCode, stdout, stderr } = await this.#atLaptop(node);
    if (exitCode !== 0) throw new Error(`${method} ${path}: ${stderr}`);
    return JSON.parse(stdout);
  }

  /** The API's path of the machine's VM, on the host that has it. */
  async vmPath(machine: string): Promise<string> {
    return `/nodes/${await this.#hostOf(machine)}/qemu/${this.machine(machine).vmId}`;
  }

  async cutPower(machine: string): Promise<void> {
    const socket = proxmoxControlSocket(this.#state, await this.#hostOf(machine));
    await sendControl(socket, 'POST', '/faults', { kind: 'power-cut', vmId: this.machine(machine).vmId });
  }

  /** The guest ends at once and its disk is gone; the VM's configuration stays. */
  async failDisk(machine: string): Promise<void> {
    await this.expect('rehearse', 'break', 'disk', machine);
  }

  /** The body of a good answer within five seconds, asked for as anybody in the lab's LAN would. */
  async fetchFromLaptop(url: string): Promise<string | undefined> {
    const { exitCode, stdout } = await this.#atLaptop(['curl', '--silent', '--fail', '--max-time', '5', url]);
    return exitCode === 0 ? stdout : undefined;
  }

  /** A hand on the emulated router, and what it knows of itself. */
  router(): RouterControl {
    return makeRouterControl(routerControlSocket(this.#state));
  }

  /** What the machine's serial console has shown since its VM was created. */
  async readConsole(machine: string): Promise<string> {
    const log = `${this.machine(machine).vmId}.serial0.log`;
    const { proxmox } = rehearsalFiles(this.#state);
    return await readFile(join(proxmox, 'hosts', await this.#hostOf(machine), 'log', log), 'latin1');
  }

  /** Files of snapshots of etcd, oldest first. */
  async listSnapshots(): Promise<readonly string[]> {
    const folder = join(rehearsalFiles(this.#state).serveState, 'snapshots');
    return (await readdir(folder)).toSorted().map((name) => join(folder, name));
  }

  /** The process of `serve`. The keeper starts it again when it was killed. */
  async findServe(): Promise<number> {
    return await until('serve runs', 30_000, async () => {
      for (const entry of await readdir('/proc')) {
        if (!/^\d+$/.test(entry)) continue;
        const argv = (await readFile(`/proc/${entry}/cmdline`, 'utf8').catch(() => '')).split('\0');
        if (argv.includes('serve') && argv.includes('--rehearsal') && argv.includes(this.#state)) return Number(entry);
      }
      return undefined;
    });
  }

  /** SIGKILL; resolves when the next one answers. */
  async killServe(): Promise<void> {
    const pid = await this.findServe();
    process.kill(pid, 'SIGKILL');
    await until('serve was started again', 60_000, async () => ((await this.findServe()) === pid ? undefined : true));
    await this.untilServed();
  }

  async untilServed(): Promise<void> {
    await until('serve answers', 60_000, async () =>
      (await this.#ask(paths.status)) === undefined ? undefined : true,
    );
  }

  /** Removes the store and nothing else. */
  async loseStore(): Promise<void> {
    const { serveState } = rehearsalFiles(this.#state);
    for (const name of await readdir(serveState))
      if (name.startsWith('store.')) await rm(join(serveState, name), { force: true });
  }

  /** The first event from now on, or from a place in the list on, that fits. */
  async waitForEvent(
    what: string,
    fits: (event: LabEvent) => boolean,
    timeoutMs: number,
    from = this.events.length,
  ): Promise<LabEvent> {
    return await until(what, timeoutMs, () => this.events.slice(from).find(fits));
  }

  /** As findWrongs of lab-inspection.ts; also whether every machine lets us in as the generation that is wanted. */
  async findWrongs(machines = this.blueprint.machines): Promise<readonly string[]> {
    const wrongs = [...(await findWrongs(this.#hostFiles(), { lab: this.blueprint.lab, machines }))];
    for (const { name } of machines) {
      const said = await this.on(name, 'sed -n s/^LABWRIGHT_GENERATION=//p /etc/labwright/machine');
      const wanted = await this.generationOf(name);
      if (said !== wanted) wrongs.push(`${name} has generation ${said ?? '(no answer)'}, ${wanted} is wanted`);
    }
    return wrongs;
  }

  /** As it stands in the VM's description on its host. */
  async generationOf(machine: string): Promise<string | undefined> {
    const files = await this.#hostFiles().listConfigFiles();
    const file = files.find(({ vmId }) => vmId === this.machine(machine).vmId);
    return /^#generation=(\d+)$/m.exec(file === undefined ? '' : await readFile(file.path, 'utf8'))?.[1];
  }

  /** "pve2 local-lvm:vm-101-disk-0" for every image that lies on a host. */
  async listVolumes(): Promise<readonly string[]> {
    return await this.#hostFiles().listVolumes();
  }

  /** What `plan` would do, one title a step. */
  async listPlannedSteps(): Promise<readonly string[]> {
    const { steps } = JSON.parse((await this.labwright('plan', '--json')).output) as {
      readonly steps: readonly { readonly title: string }[];
    };
    return steps.map(({ title }) => title);
  }

  /** Ends the rehearsal and removes its folder. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.abort();
    await this.#listening;
    await this.labwright('rehearse', 'stop');
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #hostOf(machine: string): Promise<string> {
    const { vmId } = this.machine(machine);
    const file = (await this.#hostFiles().listConfigFiles()).find((each) => each.vmId === vmId);
    if (file === undefined) throw new Error(`no host has ${machine}`);
    return file.host;
  }

  #hostFiles(): HostFiles {
    const hosts = this.blueprint.hosts.map(({ name }) => name);
    return openHostFiles(rehearsalFiles(this.#state).proxmox, hosts);
  }

  async #atLaptop(command: readonly string[]): Promise<{ exitCode: number; stdout: string; stderr: string }> {
    const init = await findInit(this.#state);
    if (init === undefined) throw new Error('the rehearsal does not run');
    const child = spawn('nsenter', enterLaptop(init, this.#state, this.#folder, command), {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const [exitCode] = (await once(child, 'close')) as [number | null];
    return { exitCode: exitCode ?? 128, stdout, stderr };
  }

  /** The events of every `serve` there is, one after the other. */
  async #listen(): Promise<void> {
    while (!this.#over.signal.aborted) {
      const stream = await this.#ask(paths.events);
      try {
        if (stream !== undefined)
          for await (const line of createInterface({ input: stream })) this.events.push(JSON.parse(line) as LabEvent);
      } catch (error) {
        // Killed in the middle of a line, or of the stream.
        const isCut = error instanceof SyntaxError || (error instanceof Error && 'code' in error);
        if (!isCut && !this.#over.signal.aborted) throw error;
      }
      // It went away, or nobody serves yet.
      await delay(lookMs, undefined, { signal: this.#over.signal }).catch(() => undefined);
    }
  }

  /** The body of a good answer; undefined when nobody answers. */
  async #ask(path: string): Promise<NodeJS.ReadableStream | undefined> {
    const { signal } = this.#over;
    return await new Promise((resolve) => {
      const outgoing = request({ socketPath: serveSocket(this.#state), path, agent: false, signal }, (answer) => {
        if (path !== paths.events) answer.resume();
        resolve(answer.statusCode === 200 ? answer : undefined);
      });
      outgoing.on('error', () => resolve(undefined));
      outgoing.end();
    });
  }
}

/** Looks until there is something; throws when the time is over. */
export async function until<Found>(
  what: string,
  timeoutMs: number,
  look: () => Found | undefined | Promise<Found | undefined>,
): Promise<Found> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > deadline) throw new Error(`not within ${Math.round(timeoutMs / 1000)} s: ${what}`);
    await delay(lookMs);
  }
}

export async function untilEnd(child: ChildProcess): Promise<CommandResult> {
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => (output += text));
  const [exitCode] = (await once(child, 'close')) as [number | null];
  return { exitCode: exitCode ?? 128, output };
}
