// What a rehearsal leaves for later commands in the same directory: which lab file it rehearses and where to ask.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findInit } from '@labwright/rehearsal/keeper/namespaces';
import * as z from 'zod';

const recordSchema = z.object({
  version: z.literal(1),
  directory: z.string(),
  labFile: z.string(),
  /** Milliseconds since 1970 UTC. */
  startedAt: z.number(),
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

/** The rehearsal that runs with this state; undefined when none does, also when only its files are left. */
export async function findRehearsal(stateDirectory: string): Promise<RunningRehearsal | undefined> {
  const init = await findInit(stateDirectory);
  if (init === undefined) return undefined;
  const record = recordSchema.parse(JSON.parse(await readFile(recordFile(stateDirectory), 'utf8')));
  return { ...record, stateDirectory, init };
}

const recordFile = (stateDirectory: string): string => join(stateDirectory, 'rehearsal.json');
