// A folder with a lab file whose Labwright is served by a stand-in, and the program that a command of it is given.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { readLab } from '@labwright/core/lab/read-lab';
import { systemRandom } from '@labwright/core/ports/system';
import { hardwareSocket } from '../folders.ts';
import type { GlobalOptions, Program } from '../program.ts';
import { makeScreen } from '../render/screen.test-data.ts';

const labText = `version: 1
lab: home
networks:
  lan: { cidr: 10.77.51.0/24, gateway: 10.77.51.1, machines: 10.77.51.16/28 }
hosts: { pve1: { address: 10.77.51.2, cores: 12, memory: 24GiB } }
proxmox: { token: { env: PROXMOX_TOKEN } }
router: { name: fw1, kind: pfsense, address: 10.77.51.1, password: { env: P }, manage: [dns] }
netboot: { mode: serve, address: 10.77.51.50 }
pools:
  workers: { firstVmId: 102, count: 2 }
`;

export interface ServedLab {
  readonly directory: string;
  /** `typed` is what a person answers to each question; nobody is there when it is undefined. */
  open(
    options: Partial<GlobalOptions>,
    typed: string | undefined,
  ): { readonly program: Program; readonly lines: () => readonly string[] };
  close(): Promise<void>;
}

/** `answer` is asked with the path of each request and its body, and gives the body of the answer; both are JSON. */
export async function serveLab(answer: (path: string, body: unknown) => unknown): Promise<ServedLab> {
  const directory = await mkdtemp(join(tmpdir(), 'served-lab-'));
  const folders = { cache: directory, state: directory };
  await writeFile(join(directory, 'lab.yaml'), labText);
  const socket = hardwareSocket(folders, await readLab(join(directory, 'lab.yaml')));
  await mkdir(dirname(socket), { recursive: true });
  const server = createServer((incoming, outgoing) => {
    let body = '';
    incoming.on('data', (chunk: Buffer) => (body += chunk.toString()));
    incoming.on('end', () => outgoing.end(JSON.stringify(answer(incoming.url ?? '', JSON.parse(body)))));
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  return {
    directory,
    open: (options, typed) => {
      const screen = makeScreen({ columns: 80, rows: 24, isInteractive: false });
      const { signal } = new AbortController();
      const ask = async (question: string): Promise<string | undefined> => {
        screen.err(`${question}\n`);
        return await Promise.resolve(typed);
      };
      const program: Program = {
        terminal: { ...screen, ask },
        environment: {},
        folders,
        directory,
        clock: {
          now: () => Date.UTC(2026, 10, 22, 17),
          monotonic: () => 0,
          sleep: async () => await Promise.resolve(),
        },
        random: systemRandom,
        options: { json: false, yes: false, real: false, debug: false, withoutServe: false, ...options },
        interrupt: signal,
        signal,
      };
      return { program, lines: () => screen.lines() };
    },
    close: async () => {
      await new Promise((resolve) => server.close(resolve));
      await rm(directory, { recursive: true });
    },
  };
}
