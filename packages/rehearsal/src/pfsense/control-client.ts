// The other end of the router's control socket, for tests and for commands that break a rehearsal.
import { request } from 'node:http';
import type { FaultInput } from './fault.ts';
import type { SaveInput } from './hand.ts';
import { RouterError } from './router-error.ts';

export interface JournalEntry {
  readonly atMs: number;
  /** "config written", "unbound started", "haproxy reloaded" … */
  readonly what: string;
  readonly [detail: string]: unknown;
}

export interface RouterStatus {
  readonly state: 'running' | 'rebooting';
  readonly profile: string;
  /** Addresses that login protection does not answer. */
  readonly blocked: readonly string[];
}

/** A page that a person has open. */
export interface OpenPage {
  save(save: SaveInput): Promise<void>;
  leave(): Promise<void>;
}

export interface RouterControl {
  fetchStatus(): Promise<RouterStatus>;
  /** config.xml as it is on disk. */
  fetchConfig(): Promise<string>;
  /** Oldest first. */
  fetchBackups(): Promise<readonly { readonly time: number; readonly text: string }[]>;
  fetchJournal(): Promise<readonly JournalEntry[]>;
  /** Resolves when a reboot or restore is over. A standing fault gives its ID. */
  addFault(fault: FaultInput): Promise<number | undefined>;
  removeFaults(id?: number): Promise<void>;
  openPage(): Promise<OpenPage>;
}

/** Every call throws RouterError with the emulator's own words when it is refused. */
export function makeRouterControl(socketPath: string): RouterControl {
  const call = async <T>(method: string, path: string, body?: unknown): Promise<T> =>
    (await ask(socketPath, method, path, body)) as T;
  return {
    fetchStatus: async () => await call('GET', '/status'),
    fetchConfig: async () => (await call<{ text: string }>('GET', '/config')).text,
    fetchBackups: async () => await call('GET', '/backups'),
    fetchJournal: async () => await call('GET', '/journal'),
    addFault: async (fault) => (await call<{ id?: number }>('POST', '/faults', fault)).id,
    removeFaults: async (id) => await call('DELETE', id === undefined ? '/faults' : `/faults/${id}`),
    openPage: async () => {
      const { page } = await call<{ page: number }>('POST', '/pages');
      return {
        save: async (save) => await call('POST', `/pages/${page}`, save),
        leave: async () => await call('DELETE', `/pages/${page}`),
      };
    },
  };
}

async function ask(socketPath: string, method: string, path: string, body: unknown): Promise<unknown> {
  const { status, text } = await new Promise<{ status: number; text: string }>((resolve, reject) => {
    const outgoing = request({ socketPath, method, path, agent: false }, (incoming) => {
      let received = '';
      incoming.setEncoding('utf8');
      incoming.on('data', (part: string) => (received += part));
      incoming.on('error', reject);
      incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, text: received }));
    });
    outgoing.on('error', reject);
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  });
  const answer: unknown = JSON.parse(text);
  if (status === 200) return answer;
  const reason = (answer as { error?: string }).error ?? `status ${status}`;
  throw new RouterError(`${method} ${path}: ${reason}`, 'see the log of the router');
}
