// What a rehearsal leaves for later commands in the same directory: which lab file it rehearses and where to ask.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findInit } from '@labwright/rehearsal/keeper/namespaces';
import * as z from 'zod';
import type { RehearsalShape } from './rehearsed-lab.ts';

const recordSchema = z.object({
  version: z.literal(1),
  directory: z.string(),
  labFile: z.string(),
  /** Milliseconds since 1970 UTC. */
  startedAt: z.number(),
  /** As it was asked for: see rehearsed-lab.ts. */
  size: z.enum(['file', 'ha']).default('file'),
  extent: z.enum(['lab', 'machines']).default('lab'),
  nasHostKeys: z.record(z.string(), z.string()).default({}),
  /**
   * Port of 127.0.0.1 in the user's own network that leads to the cluster's API while the rehearsal runs (the endpoint's name
   * is the `tls-server-name`); absent without a cluster.
   */
  apiPort: z.number().optional(),
});
export type RehearsalRecord = z.infer<typeof recordSchema>;

export interface RunningRehearsal extends RehearsalRecord {
  readonly stateDirectory: string;
  /** The first process of its namespaces, as the user's side numbers it. */
  readonly init: number;
}

export function serveSocket(stateDirectory: string): string {
  return join(stateDirectory, 'serve.sock');
}

export async function writeRecord(stateDirectory: string, record: RehearsalRecord): Promise<void> {
  await writeFile(recordFile(stateDirectory), `${JSON.stringify(record, undefined, 2)}\n`);
}

/** What was asked for when the rehearsal with this state was started; for `serve` inside it. */
export async function readRehearsalShape(stateDirectory: string): Promise<RehearsalShape> {
  const { size, extent, nasHostKeys } = await readRecord(stateDirectory);
  return { size, extent, nasHostKeys };
}

/** The rehearsal that runs with this state; undefined when none does, also when only its files are left. */
export async function findRehearsal(stateDirectory: string): Promise<RunningRehearsal | undefined> {
  const init = await findInit(stateDirectory);
  if (init === undefined) return undefined;
  return { ...(await readRecord(stateDirectory)), stateDirectory, init };
}

async function readRecord(stateDirectory: string): Promise<RehearsalRecord> {
  return recordSchema.parse(JSON.parse(await readFile(recordFile(stateDirectory), 'utf8')));
}

const recordFile = (stateDirectory: string): string => join(stateDirectory, 'rehearsal.json');
