// What the emulators of the rehearsal answered to the checks; a network test holds this against them (LABWRIGHT_RECORD=1 writes it anew).
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { EmulatedAnswers } from './check.ts';

export const emulatedAnswersFile = new URL('emulated-answers.json', import.meta.url);

const observation = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('answer'), fields: z.record(z.string(), z.string()), isRead: z.boolean() }),
  z.object({ kind: z.literal('refusal'), status: z.string(), message: z.string() }),
]);

export async function readEmulatedAnswers(): Promise<EmulatedAnswers> {
  return z.record(z.string(), observation).parse(JSON.parse(await readFile(emulatedAnswersFile, 'utf8')));
}
