// The PHP that runs on the router: its files in php/, the arguments each takes, and the answers it gives.
import { readFile } from 'node:fs/promises';
import { z } from 'zod';

export type SnippetName = 'state' | 'write' | 'names' | 'writer' | 'balancer' | 'probe' | 'restore';

/** Files that are no snippets: what every one begins with, and what those that write go on with. */
export const sharedParts = ['common', 'reload'] as const;
type SharedPart = (typeof sharedParts)[number];

const partsOf = (name: SnippetName): readonly SharedPart[] =>
  name === 'write' || name === 'restore' ? ['common', 'reload'] : ['common'];

/** The code as exec_php takes it. Arguments go as base64 JSON in one literal, so no value can ever be code. */
export async function formatSnippet(name: SnippetName, values: unknown): Promise<string> {
  const text = Buffer.from(JSON.stringify(values), 'utf8').toString('base64');
  const bodies = await Promise.all([...partsOf(name), name].map(readPart));
  return `$lw_arguments = json_decode(base64_decode('${text}'), true);\n${bodies.join('\n')}`;
}

async function readPart(name: SnippetName | SharedPart): Promise<string> {
  const text = await readFile(new URL(`php/${name}.php`, import.meta.url), 'utf8');
  return text.replace(/^<\?php\n/, '');
}

const failed = z.object({ kind: z.literal('failed'), message: z.string() });
const refused = z.object({ kind: z.literal('refused'), message: z.string() });
/** Another writer has the right to write, for so many seconds more. */
const held = z.object({ kind: z.literal('held'), holder: z.string(), seconds: z.number() });
/** What each part said on taking a change up; an empty text when it did. An empty map comes as a list. */
const reloads = z.union([z.record(z.string(), z.string()), z.array(z.never()).transform(() => ({}))]);

export const stateAnswer = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('state'),
    version: z.string(),
    platform: z.string(),
    configVersion: z.string(),
    hash: z.string().regex(/^[0-9a-f]{64}$/),
    /** The other process that may write for the owner; empty when it is the caller, or the caller did not ask. */
    heldBy: z.string(),
    isPending: z.boolean(),
    /** Another text after the resolver was started anew, by whomever. */
    resolver: z.string(),
    hasBalancer: z.boolean(),
    config: z.base64(),
  }),
  failed,
]);

export const writeAnswer = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('written'),
    hash: z.string(),
    /** More than one when somebody wrote in between. */
    writes: z.number(),
    /** The sections that somebody changed in between; they were kept. */
    slipped: z.array(z.string()),
    /** Changes given up, because what slipped in between changed the same entry. */
    moved: z.array(z.number()),
    reloads,
  }),
  z.object({ kind: z.literal('equal'), hash: z.string(), reloads }),
  z.object({ kind: z.literal('moved'), changes: z.array(z.number()) }),
  /** Another version than the one that the changes were planned for. */
  z.object({ kind: z.literal('version'), version: z.string() }),
  refused,
  held,
  /** Writes that were made all the same, before it failed. */
  failed.extend({ writes: z.number() }),
]);
export type WriteAnswer = z.infer<typeof writeAnswer>;

export const restoreAnswer = z.discriminatedUnion('kind', [
  /** The router can read it; `latest` is the version of configurations that it writes itself. */
  z.object({ kind: z.literal('able'), latest: z.string() }),
  z.object({ kind: z.literal('unable') }),
  z.object({
    kind: z.literal('written'),
    hash: z.string(),
    /** The sections that somebody changed in the very moment of the write: what they had is in the router's own backup. */
    slipped: z.array(z.string()),
    /** The router's own backup of what was there; empty when there is none. */
    backup: z.string(),
    reloads,
  }),
  z.object({ kind: z.literal('equal'), hash: z.string() }),
  /** The configuration is not the one that was shown any more. */
  z.object({ kind: z.literal('moved') }),
  z.object({ kind: z.literal('version'), version: z.string() }),
  held,
  failed,
]);
export type RestoreAnswer = z.infer<typeof restoreAnswer>;

export const namesAnswer = z.discriminatedUnion('kind', [z.object({ kind: z.literal('done') }), refused, held, failed]);

export const writerAnswer = z.discriminatedUnion('kind', [z.object({ kind: z.literal('done') }), held, failed]);

export const probeAnswer = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('probed'),
    /** "as used", or what is otherwise. */
    functions: z.record(z.string(), z.string()),
    paths: z.record(z.string(), z.string()),
    programs: z.record(z.string(), z.string()),
    backups: z.string(),
    resolver: z.string(),
    /** "none" where it does not run. */
    balancer: z.string(),
  }),
  failed,
]);

export const balancerAnswer = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('done'), output: z.array(z.string()) }),
  refused,
  held,
  failed,
]);
