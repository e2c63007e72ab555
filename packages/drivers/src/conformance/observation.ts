// What an appliance answered, as far as two appliances can be compared by it: fields with their types, or a refusal's own words.

export type Observation =
  | {
      readonly kind: 'answer';
      /** Path of each field to its types, with "?" at the end where some of the rows lack it: "[].vmid" → "number". */
      readonly fields: Readonly<Record<string, string>>;
      /** The product's own reader took it. */
      readonly isRead: boolean;
    }
  | { readonly kind: 'refusal'; readonly status: string; readonly message: string };

export interface Difference {
  /** 'more': it says something that the emulator leaves out, which harms nobody who does not look for it. */
  readonly kind: 'differs' | 'more';
  readonly what: string;
}

/** Answers a stranger sends are looked at this far and no further. */
const bounds = { depth: 8, rows: 200, fields: 2_000 };

/** `open` names the paths whose keys are data (a map by path or by name); they are all told as "*". */
export function observeAnswer(value: unknown, isRead: boolean, open: readonly string[] = []): Observation {
  const fields = new Map<string, string>();
  describe(value, '', 0, { fields, open });
  return { kind: 'answer', fields: Object.fromEntries([...fields].toSorted(byPath)), isRead };
}

const byPath = ([one]: readonly [string, string], [other]: readonly [string, string]): number =>
  one < other ? -1 : one > other ? 1 : 0;

interface Described {
  readonly fields: Map<string, string>;
  readonly open: readonly string[];
}

function describe(value: unknown, path: string, depth: number, to: Described): void {
  if (to.fields.size >= bounds.fields) return;
  const rows = rowsOf(value, path, to.open);
  if (rows === undefined || depth >= bounds.depth) {
    note(to.fields, path, value === null ? 'null' : Array.isArray(value) ? 'list' : typeof value);
    return;
  }
  const inner = Array.isArray(value) ? `${path}[]` : to.open.includes(path) ? `${path}.*` : path;
  if (rows.length === 0) note(to.fields, inner, 'none');
  for (const row of rows.slice(0, bounds.rows)) {
    if (!isObject(row) || to.open.includes(inner)) describe(row, inner, depth + 1, to);
  }
  const objects = to.open.includes(inner) ? [] : rows.slice(0, bounds.rows).filter(isObject);
  for (const name of new Set(objects.flatMap((row) => Object.keys(row)))) {
    const at = inner === '' ? name : `${inner}.${name}`;
    const having = objects.filter((row) => Object.hasOwn(row, name));
    for (const row of having) describe(row[name], at, depth + 1, to);
    if (having.length < objects.length) for (const key of to.fields.keys()) if (isWithin(key, at)) markSome(to, key);
  }
}

/** The rows of a list, the values of an open map, or an object as its own only row; undefined for what has none. */
function rowsOf(value: unknown, path: string, open: readonly string[]): readonly unknown[] | undefined {
  if (Array.isArray(value)) return value as readonly unknown[];
  if (!isObject(value)) return undefined;
  return open.includes(path) ? Object.values(value) : [value];
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isWithin(key: string, path: string): boolean {
  return key === path || key.startsWith(`${path}.`) || key.startsWith(`${path}[`);
}

function markSome({ fields }: Described, key: string): void {
  const types = fields.get(key) ?? '';
  if (!types.endsWith('?')) fields.set(key, `${types}?`);
}

function note(fields: Map<string, string>, path: string, type: string): void {
  const known = (fields.get(path) ?? '').replace(/\?$/, '').split('|');
  fields.set(
    path,
    [...new Set([...known, type])]
      .filter((one) => one !== '')
      .toSorted()
      .join('|'),
  );
}

/** What the real one does otherwise than the emulator. A field that only some rows of the emulator have is no promise. */
export function compareObservations(emulated: Observation, real: Observation): readonly Difference[] {
  const differs = (what: string): Difference => ({ kind: 'differs', what });
  if (emulated.kind === 'refusal' || real.kind === 'refusal') {
    if (emulated.kind !== real.kind) return [differs(`${summarise(real)}; the emulator: ${summarise(emulated)}`)];
    if (JSON.stringify(emulated) === JSON.stringify(real)) return [];
    return [differs(`${summarise(real)}; the emulator: ${summarise(emulated)}`)];
  }
  const unread = real.isRead || !emulated.isRead ? [] : [differs('Labwright cannot read this answer')];
  const empty = Object.entries(real.fields).flatMap(([path, types]) => (types === 'none' ? [path] : []));
  const unlike = Object.entries(emulated.fields).flatMap(([path, types]) => {
    if (types === 'none' || empty.some((list) => isWithin(path, list))) return [];
    const seen = real.fields[path];
    if (seen === undefined) return types.endsWith('?') ? [] : [differs(`${path} is not there`)];
    const [known, found] = [typesOf(types), typesOf(seen)];
    return found.every((type) => known.includes(type))
      ? []
      : [differs(`${path} is ${found.join(' or ')}; the emulator: ${known.join(' or ')}`)];
  });
  const bare = Object.entries(emulated.fields).flatMap(([path, types]) => (types === 'none' ? [path] : []));
  const more = Object.keys(real.fields)
    .filter((path) => emulated.fields[path] === undefined && !bare.some((list) => isWithin(path, list)))
    .filter((path) => !empty.includes(path))
    .map((path): Difference => ({ kind: 'more', what: path }));
  return [...unread, ...unlike, ...more];
}

const typesOf = (types: string): readonly string[] => types.replace(/\?$/, '').split('|');

function summarise(observation: Observation): string {
  if (observation.kind === 'answer') return 'it answers';
  return `${observation.status} "${observation.message}"`;
}
