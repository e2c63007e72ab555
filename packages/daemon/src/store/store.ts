// The store: history, what machines reported, pinned certificates, saved plans, caches. The lab itself is on the appliances, so
// losing this file loses no machine.
import { chmodSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { hostName, type HostName } from '@labwright/core/addresses/names';
import type { Journal } from '@labwright/core/engine/engine';
import { LabwrightError } from '@labwright/core/errors/error';
import type { LabEvent } from '@labwright/core/events/event';
import type { MachineReport } from '@labwright/core/facts/machines';
import type { Plan } from '@labwright/core/plan/plan';

const schema = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  CREATE TABLE IF NOT EXISTS event (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, run TEXT, body TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS report (
    machine TEXT PRIMARY KEY, generation INTEGER NOT NULL, boot TEXT NOT NULL, host_key TEXT NOT NULL, at INTEGER NOT NULL,
    current INTEGER NOT NULL
  );
  CREATE TABLE IF NOT EXISTS pin (host TEXT PRIMARY KEY, fingerprint TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS plan (id TEXT PRIMARY KEY, as_of INTEGER NOT NULL, body TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS cache (key TEXT PRIMARY KEY, at INTEGER NOT NULL, body TEXT NOT NULL);
`;

export interface Store extends Journal {
  /** What each machine said at its last boot; only those that are still up as far as we know. */
  currentReports(): readonly MachineReport[];
  /** The last report of a machine, current or not: its host key is kept over a restart. */
  findReport(machine: HostName): MachineReport | undefined;
  saveReport(report: MachineReport): void;
  /** The machine is about to start again: what it said is history until it speaks again. */
  outdateReport(machine: HostName): void;
  forgetReport(machine: HostName): void;
  readonly pins: {
    get(host: string): Promise<string | undefined>;
    set(host: string, fingerprint: string): Promise<void>;
  };
  savePlan(plan: Plan): void;
  findPlan(id: string): Plan | undefined;
  /** What is known anew in a while; whoever reads it checks its form and its age. */
  readonly caches: {
    get(key: string): Cached | undefined;
    set(key: string, cached: Cached): void;
  };
  close(): void;
}

export interface Cached {
  /** Milliseconds since 1970 UTC. */
  readonly at: number;
  readonly text: string;
}

/** Opens or makes the file, readable by its owner only. Throws LW0005. */
export function openStore(path: string): Store {
  let database: DatabaseSync;
  try {
    database = new DatabaseSync(path);
    chmodSync(path, 0o600);
    database.exec(schema);
  } catch (cause) {
    throw new LabwrightError('LW0005', {
      what: `the store ${path} cannot be opened`,
      why: cause instanceof Error ? cause.message : String(cause),
      fix: [
        'make its folder writable',
        `or move the file away: it holds history and caches, and Labwright makes a new one`,
      ],
      cause,
    });
  }
  const statement = (sql: string) => database.prepare(sql);
  const insertEvent = statement('INSERT INTO event (at, run, body) VALUES (?, ?, ?)');
  const selectReports = statement('SELECT * FROM report WHERE current = 1 ORDER BY machine');
  const selectReport = statement('SELECT * FROM report WHERE machine = ?');
  const upsertReport = statement(
    `INSERT INTO report (machine, generation, boot, host_key, at, current) VALUES (?, ?, ?, ?, ?, 1)
     ON CONFLICT (machine) DO UPDATE SET generation = excluded.generation, boot = excluded.boot,
       host_key = excluded.host_key, at = excluded.at, current = 1`,
  );
  const outdate = statement('UPDATE report SET current = 0 WHERE machine = ?');
  const forget = statement('DELETE FROM report WHERE machine = ?');
  const selectPin = statement('SELECT fingerprint FROM pin WHERE host = ?');
  const upsertPin = statement(
    'INSERT INTO pin (host, fingerprint) VALUES (?, ?) ON CONFLICT (host) DO UPDATE SET fingerprint = excluded.fingerprint',
  );
  const upsertPlan = statement('INSERT OR REPLACE INTO plan (id, as_of, body) VALUES (?, ?, ?)');
  const selectPlan = statement('SELECT body FROM plan WHERE id = ?');
  const upsertCached = statement('INSERT OR REPLACE INTO cache (key, at, body) VALUES (?, ?, ?)');
  const selectCached = statement('SELECT at, body FROM cache WHERE key = ?');

  return {
    append: async (event: LabEvent) => {
      insertEvent.run(event.at, 'run' in event ? event.run : null, JSON.stringify(event));
    },
    currentReports: () => selectReports.all().map(readReport),
    findReport: (machine) => {
      const row = selectReport.get(machine);
      return row === undefined ? undefined : readReport(row);
    },
    saveReport: ({ name, generation, bootId, sshHostKey, at }) => {
      upsertReport.run(name, generation, bootId, sshHostKey, at);
    },
    outdateReport: (machine) => void outdate.run(machine),
    forgetReport: (machine) => void forget.run(machine),
    pins: {
      get: async (host) => {
        const row = selectPin.get(host);
        return row === undefined ? undefined : String(row['fingerprint']);
      },
      set: async (host, fingerprint) => void upsertPin.run(host, fingerprint),
    },
    savePlan: (plan) => void upsertPlan.run(plan.id, plan.asOf, JSON.stringify(plan)),
    findPlan: (id) => {
      const row = selectPlan.get(id);
      return row === undefined ? undefined : (JSON.parse(String(row['body'])) as Plan);
    },
    caches: {
      get: (key) => {
        const row = selectCached.get(key);
        return row === undefined ? undefined : { at: Number(row['at']), text: String(row['body']) };
      },
      set: (key, { at, text }) => void upsertCached.run(key, at, text),
    },
    close: () => database.close(),
  };
}

function readReport(row: Record<string, unknown>): MachineReport {
  return {
    name: hostName(String(row['machine'])),
    generation: Number(row['generation']),
    bootId: String(row['boot']),
    sshHostKey: String(row['host_key']),
    at: Number(row['at']),
  };
}
