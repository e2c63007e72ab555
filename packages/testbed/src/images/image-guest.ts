// One virtual machine under emulation with a boot server of its own, for tests of what happens inside a machine.
import { spawn, type ChildProcess } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { DebianImage } from '@labwright/images/debian/debian-image';
import { renderIgnition, type IgnitionMachine } from '@labwright/netboot/ignition/ignition-config';
import { negotiateIgnitionVersion } from '@labwright/netboot/ignition/ignition-version';

/** What the guest told, in order: "started ...", "installing ...", "ready ..." and, for its end, "off". */
export interface Report {
  readonly seconds: number;
  readonly text: string;
}

export interface GuestSetup {
  /** Root tree with QEMU and its firmware. */
  readonly tools: string;
  readonly image: DebianImage;
  /** qcow2. */
  readonly disk: string;
  readonly boot:
    | { readonly from: 'network'; readonly machine: string; readonly generation: number }
    | { readonly from: 'disk'; readonly firmware: 'bios' | 'uefi' };
  readonly ignition: IgnitionMachine;
  readonly memoryMiB?: number;
  /** For the kernel, when it is booted from the network. */
  readonly kernelArguments?: readonly string[];
}

const smbiosKey = '0123456789abcdef'.repeat(4);
const mac = '02:1a:b0:00:01:01';
/** The boot server's port is stored on the disk, so it is the same for every boot of a test. QEMU's user network calls this computer 10.0.2.2. */
let port = 0;

export class ImageGuest implements AsyncDisposable {
  readonly reports: Report[] = [];
  #console = '';
  readonly #startedAt = performance.now();
  readonly #waiting = new Set<() => void>();
  readonly #server: Server;
  readonly #qemu: ChildProcess;

  private constructor(server: Server, qemu: ChildProcess) {
    this.#server = server;
    this.#qemu = qemu;
  }

  static async start(setup: GuestSetup): Promise<ImageGuest> {
    let guest: ImageGuest | undefined;
    const server = createServer((request, response) => {
      void answer(request, response, setup, (text) => guest?.report(text));
    });
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    port = (server.address() as AddressInfo).port;
    // Its own process, killed by id; no shell, no network but QEMU's own.
    const qemu = spawn(join(setup.tools, 'lib64/ld-linux-x86-64.so.2'), qemuArguments(setup), {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: '/usr/bin:/bin', QEMU_MODULE_DIR: join(setup.tools, 'usr/lib/x86_64-linux-gnu/qemu') },
    });
    guest = new ImageGuest(server, qemu);
    const started = guest;
    const keep = (chunk: Buffer): void => {
      started.#console = (started.#console + chunk.toString('latin1')).slice(-20_000);
      started.#wake();
    };
    qemu.stdout.on('data', keep);
    qemu.stderr.on('data', keep);
    qemu.once('exit', () => started.report('off'));
    return guest;
  }

  /** Seconds from the start of QEMU until it says something that begins so. */
  async waitFor(beginning: string, timeoutMs: number): Promise<Report> {
    const find = (): Report | undefined => this.reports.find((report) => report.text.startsWith(beginning));
    return await this.#waitUntil(`"${beginning}"`, find, timeoutMs);
  }

  /** Until the serial console shows it; the match. */
  async waitForConsole(pattern: RegExp, timeoutMs: number): Promise<RegExpExecArray> {
    return await this.#waitUntil(String(pattern), () => pattern.exec(this.#console) ?? undefined, timeoutMs);
  }

  async #waitUntil<Found>(what: string, find: () => Found | undefined, timeoutMs: number): Promise<Found> {
    const deadline = AbortSignal.timeout(timeoutMs);
    for (;;) {
      const found = find();
      if (found !== undefined) return found;
      if (deadline.aborted || this.reports.at(-1)?.text === 'off') {
        throw new Error(
          `no ${what} within ${timeoutMs} ms; it said ${JSON.stringify(this.reports)}; console:\n${this.#console.slice(-4000)}`,
        );
      }
      await new Promise<void>((resolve) => {
        this.#waiting.add(resolve);
        deadline.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }

  report(text: string): void {
    this.reports.push({ seconds: Math.round((performance.now() - this.#startedAt) / 100) / 10, text });
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  /** Pulls the plug: nothing is flushed by the guest. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#qemu.exitCode === null && this.#qemu.signalCode === null) {
      const gone = once(this.#qemu, 'exit');
      this.#qemu.kill('SIGKILL');
      await gone;
    }
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  setup: GuestSetup,
  report: (text: string) => void,
): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks).toString('utf8');
  const asked = `${request.method} ${request.url}`;
  if (asked === 'GET /b/TOKEN/rootfs') {
    response.writeHead(200, { 'content-length': setup.image.files.rootfs.size });
    createReadStream(setup.image.files.rootfs.path).pipe(response);
  } else if (asked === 'GET /b/TOKEN/ignition.json') {
    const agreed = negotiateIgnitionVersion(request.headers.accept);
    if (agreed.kind !== 'agreed') throw new Error(`Ignition announced ${agreed.announced}`);
    response.writeHead(200).end(renderIgnition(setup.ignition, agreed.version));
  } else if (asked === 'POST /b/TOKEN/progress') {
    response.writeHead(204).end();
    report(body);
  } else if (asked === 'POST /phone-home') {
    const expected = createHmac('sha256', Buffer.from(smbiosKey, 'hex')).update(body).digest('hex');
    const isGenuine = request.headers['labwright-signature'] === expected;
    response.writeHead(isGenuine ? 204 : 403).end();
    report(isGenuine ? `ready ${body}` : 'a phone-home with a wrong signature');
  } else {
    response.writeHead(404).end();
    report(`an unexpected ${asked}`);
  }
}

function qemuArguments(setup: GuestSetup): readonly string[] {
  const { tools, image, disk, boot } = setup;
  const inTools = (path: string): string => join(tools, path);
  const libraries = ['lib/x86_64-linux-gnu', 'usr/lib/x86_64-linux-gnu', 'usr/lib/x86_64-linux-gnu/pulseaudio']
    .map(inTools)
    .join(':');
  const bootArguments =
    boot.from === 'network'
      ? [
          ['-kernel', image.files.kernel.path],
          ['-initrd', image.files.initrd.path],
          ['-append', kernelCommandLine(boot.machine, boot.generation, setup.kernelArguments)],
        ]
      : boot.firmware === 'uefi'
        ? [
            ['-drive', `if=pflash,format=raw,readonly=on,file=${inTools('usr/share/OVMF/OVMF_CODE.fd')}`],
            ['-drive', `if=pflash,format=raw,snapshot=on,file=${inTools('usr/share/OVMF/OVMF_VARS.fd')}`],
          ]
        : [];
  return [
    ['--library-path', libraries, inTools('usr/bin/qemu-system-x86_64')],
    ['usr/share/qemu', 'usr/share/seabios', 'usr/lib/ipxe/qemu'].flatMap((path) => ['-L', inTools(path)]),
    // Never the kernel's: /dev/kvm is there on computers where a guest hangs in it.
    ['-accel', 'tcg,thread=multi,tb-size=1024', '-cpu', 'max', '-smp', '2', '-m', String(setup.memoryMiB ?? 1024)],
    [
      '-machine',
      'graphics=off',
      '-display',
      'none',
      '-serial',
      'stdio',
      '-no-reboot',
      '-smbios',
      `type=1,serial=${smbiosKey}`,
    ],
    ['-drive', `file=${disk},format=${disk.endsWith('.raw') ? 'raw' : 'qcow2'},if=none,id=disk`],
    ['-device', 'virtio-scsi-pci', '-device', 'scsi-hd,drive=disk', '-device', 'virtio-rng-pci'],
    ['-netdev', 'user,id=lan', '-device', `virtio-net-pci,netdev=lan,mac=${mac},romfile=`],
    ...bootArguments,
  ].flat();
}

function kernelCommandLine(machine: string, generation: number, more: readonly string[] = []): string {
  return [
    `labwright.url=http://10.0.2.2:${port}/b/TOKEN labwright.lab=home labwright.machine=${machine} labwright.generation=${generation}`,
    `labwright.mac=${mac} labwright.address=10.0.2.15/24 labwright.gateway=10.0.2.2 labwright.resolvers=10.0.2.3 console=ttyS0 quiet`,
    ...more,
  ].join(' ');
}
