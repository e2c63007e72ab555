// The values a chart is given: ours and the lab file's merged, secrets put in at the last moment, and what differs by key.
import type { ChartValues } from '@labwright/core/lab/service-schema';
import { secretOfValue } from '@labwright/core/lab/service-schema';
import type { SecretRef } from '@labwright/core/lab/lab-values';
import type { Json } from '@labwright/core/plan/step';
import type { Secret } from '@labwright/core/ports/secret';

type JsonMap = Readonly<Record<string, Json>>;

/** Fetches what a lab file names; `path` says where in the file, for the error. */
export type SecretReader = (reference: SecretRef, path: string) => Promise<Secret>;

/** Maps key by key, everything else as the second one has it, as Helm merges values files. */
export function mergeValues(ours: ChartValues, theirs: ChartValues): ChartValues {
  const merged: Record<string, Json> = { ...ours };
  for (const [key, value] of Object.entries(theirs)) {
    const before = Object.hasOwn(merged, key) ? merged[key] : undefined;
    const isBothMaps = before !== undefined && isMap(before) && isMap(value) && secretOfValue(value) === undefined;
    merged[key] = isBothMaps ? mergeValues(before, value) : value;
  }
  return merged;
}

export interface RevealedValues {
  /** With the secrets themselves: only for helm's standard input, and to be compared. */
  readonly values: ChartValues;
  readonly secrets: readonly Secret[];
  /** Where in the values they stand. */
  readonly secretPaths: readonly string[];
}

/** Throws LW1003 for a secret that cannot be had. `place` is where the values stand in the lab file. */
export async function revealValues(values: ChartValues, place: string, read: SecretReader): Promise<RevealedValues> {
  const secrets: Secret[] = [];
  const secretPaths: string[] = [];
  const reveal = async (value: Json, path: string): Promise<Json> => {
    const reference = secretOfValue(value);
    if (reference !== undefined) {
      const secret = await read(reference, `${place}.${path}`);
      secrets.push(secret);
      secretPaths.push(path);
      return secret.reveal();
    }
    if (isList(value))
      return await Promise.all(value.map(async (item, index) => await reveal(item, `${path}[${index}]`)));
    return isMap(value) ? await revealMap(value, path) : value;
  };
  const revealMap = async (map: JsonMap, path: string): Promise<JsonMap> => {
    const entries = Object.entries(map).map(
      async ([key, item]) => [key, await reveal(item, path === '' ? key : `${path}.${key}`)] as const,
    );
    return Object.fromEntries(await Promise.all(entries));
  };
  return { values: await revealMap(values, ''), secrets, secretPaths };
}

export interface ValueChange {
  /** "deployment.replicas", "args[0]". */
  readonly path: string;
  /** As text, secrets as dots; absent when it was not there. */
  readonly was?: string;
  /** Absent when it goes. */
  readonly is?: string;
}

const dots = '•••';

/**
 * The single values that differ, in the order of their paths. Whatever stands, or stood, at one of the secret paths is told as dots, and so
 * is any text that has one of the secrets in it.
 */
export function diffValues(
  was: ChartValues,
  is: ChartValues,
  hidden: { readonly paths: readonly string[]; readonly secrets: readonly Secret[] },
): readonly ValueChange[] {
  const before = new Map(leavesOf(was, ''));
  const after = new Map(leavesOf(is, ''));
  const values = hidden.secrets.map((secret) => secret.reveal()).filter((value) => value !== '');
  const isHidden = (path: string, leaf: Json): boolean =>
    hidden.paths.some((secret) => path === secret || path.startsWith(`${secret}.`) || path.startsWith(`${secret}[`)) ||
    values.some((value) => typeof leaf === 'string' && leaf.includes(value));
  const show = (path: string, leaf: Json): string => (isHidden(path, leaf) ? dots : JSON.stringify(leaf));
  const changes: ValueChange[] = [];
  for (const path of [...new Set([...before.keys(), ...after.keys()])].toSorted()) {
    const [old, next] = [before.get(path), after.get(path)];
    if (JSON.stringify(old) === JSON.stringify(next)) continue;
    changes.push({
      path,
      ...(old === undefined ? {} : { was: show(path, old) }),
      ...(next === undefined ? {} : { is: show(path, next) }),
    });
  }
  return changes;
}

/** "deployment.replicas: 1 → 2", "admin.password: ••• → •••", "logs.level: none → "DEBUG"". */
export function formatValueChange({ path, was = 'none', is = 'none' }: ValueChange): string {
  return `${path}: ${was} → ${is}`;
}

/** Every value that is neither a map nor a list with something in it, by its path. Null takes a default away, so it counts. */
function leavesOf(value: Json, path: string): readonly (readonly [string, Json])[] {
  if (isList(value) && value.length > 0) return value.flatMap((item, index) => leavesOf(item, `${path}[${index}]`));
  if (!isMap(value) || (path !== '' && Object.keys(value).length === 0)) return [[path, value]];
  return Object.entries(value).flatMap(([key, item]) => leavesOf(item, path === '' ? key : `${path}.${key}`));
}

function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}

function isMap(value: Json): value is JsonMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
