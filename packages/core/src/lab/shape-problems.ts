// Turns what zod found about keys and values into sentences for a person, with the nearest match and an example.
import type { z } from 'zod';
import { formatPath, type LabPath, type Problem, isSecretPath } from './diagnostic.ts';
import { schemasAt, type JsonSchema } from './lab-json-schema.ts';
import { nearestName } from './nearest-name.ts';

type Issue = z.core.$ZodIssue;

/** What the sentences need to know beside the issue itself. */
interface Surroundings {
  /** The file's plain value. */
  readonly value: unknown;
  readonly schema: JsonSchema;
}

export function shapeProblems(issues: readonly Issue[], surroundings: Surroundings): ShapeProblem[] {
  const problems = issues
    .filter((issue) => !isOverruled(issue, issues))
    .flatMap((issue) => problemsOf(issue, issue.path as LabPath, surroundings));
  // A misspelt key is not missing as well.
  const meant = new Set(problems.flatMap(({ meansKey }) => (meansKey === undefined ? [] : [formatPath(meansKey)])));
  return problems.filter(({ lacksKey }) => lacksKey === undefined || !meant.has(formatPath(lacksKey)));
}

/** Any whole number has limits of its own; where ours are told, they say nothing more. */
function isOverruled(issue: Issue, issues: readonly Issue[]): boolean {
  if (issue.code !== 'too_big' && issue.code !== 'too_small') return false;
  const limit = issue.code === 'too_big' ? issue.maximum : -Number(issue.minimum);
  if (limit !== Number.MAX_SAFE_INTEGER) return false;
  const at = formatPath(issue.path as LabPath);
  return issues.some(
    (other) => other !== issue && other.code === issue.code && formatPath(other.path as LabPath) === at,
  );
}

interface ShapeProblem extends Problem {
  /** The known key that an unknown one was probably meant to be. */
  readonly meansKey?: LabPath;
  readonly lacksKey?: LabPath;
}

function problemsOf(issue: Issue, path: LabPath, surroundings: Surroundings): ShapeProblem[] {
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => unknownKey(path, key, surroundings.schema));
    case 'invalid_union':
      return unionProblems(issue.errors, path, surroundings);
    case 'invalid_key':
      return issue.issues.slice(0, 1).map((inner) => ({ ...leafProblem(inner, path, surroundings), part: 'key' }));
    default:
      return [leafProblem(issue, path, surroundings)];
  }
}

function unknownKey(path: LabPath, key: string, schema: JsonSchema): ShapeProblem {
  const known = schemasAt(schema, path).flatMap((form) => Object.keys(form.properties ?? {}));
  const nearest = nearestName(key, known);
  const where = path.length === 0 ? 'a lab file' : formatPath(path);
  // `{hunter2}` is a map with that key.
  if (isSecretPath(path)) {
    return {
      path,
      part: 'key',
      message: `${where} has a key that it cannot have`,
      fix: `the keys are ${known.join(', ')}`,
    };
  }
  return {
    path: [...path, key],
    part: 'key',
    message: `${where} has no key "${key}"`,
    ...(nearest === undefined ? {} : { label: `did you mean "${nearest}"?`, meansKey: [...path, nearest] }),
    fix: nearest === undefined ? `remove it; the keys here are ${known.join(', ')}` : `write ${nearest}`,
  };
}

/** Only the form the value was probably meant to have is told about: a map, or text. */
function unionProblems(branches: readonly Issue[][], path: LabPath, surroundings: Surroundings): ShapeProblem[] {
  const isRootIssue = (issue: Issue) =>
    issue.path.length === 0 && ['invalid_type', 'invalid_value'].includes(issue.code);
  const meant = branches.find((issues) => !issues.some(isRootIssue));
  if (meant !== undefined) {
    return meant.flatMap((issue) => problemsOf(issue, [...path, ...(issue.path as LabPath)], surroundings));
  }
  const value = valueAt(surroundings.value, path);
  return [
    {
      path,
      message: `${formatPath(path)} cannot be ${describeAt(path, value)}`,
      fix: exampleFix(path, surroundings.schema) ?? 'see docs/lab-file.md for its forms',
    },
  ];
}

function leafProblem(issue: Issue, path: LabPath, { value: root, schema }: Surroundings): ShapeProblem {
  const value = valueAt(root, path);
  const name = path.length === 0 ? 'the lab file' : formatPath(path);
  if (value === undefined) return missing(path, schema);
  const example = exampleFix(path, schema);
  const withExample = { fix: example ?? 'docs/lab-file.md says what may stand here' };
  switch (issue.code) {
    case 'invalid_type': {
      const expected = typeNames[issue.expected] ?? issue.expected;
      if (value === null) {
        return { path, part: 'key', message: `${name} has no value; it must be ${expected}`, ...withExample };
      }
      const isUnquoted = issue.expected === 'string' && typeof value !== 'object' && example === undefined;
      const quote = isUnquoted ? { fix: `quote it: "${nameOfValue(value)}"` } : {};
      const message = `${name} must be ${expected}, not ${describeAt(path, value)}`;
      return { path, message, ...withExample, ...quote, ...(issue.expected === 'boolean' ? truthFix(value) : {}) };
    }
    case 'invalid_value':
      return { path, message: `${name} cannot be ${describeAt(path, value)}`, ...oneOf(issue.values, value) };
    case 'too_small':
    case 'too_big':
      return { path, message: limitMessage(issue, name, value), ...withExample };
    case 'custom': {
      const fix: unknown = issue.params?.['fix'];
      return { path, message: `${name}: ${issue.message}`, ...(typeof fix === 'string' ? { fix } : withExample) };
    }
    default:
      return { path, message: `${name}: ${issue.message}`, ...withExample };
  }
}

/** "yes" and "on" were true in older YAML, and are text in the one that is read here. */
function truthFix(value: unknown): { readonly fix: string } {
  const word = typeof value === 'string' || typeof value === 'number' ? String(value).toLowerCase() : '';
  if (['yes', 'y', 'on', '1', 'true'].includes(word)) return { fix: 'write true' };
  return { fix: ['no', 'n', 'off', '0', 'false'].includes(word) ? 'write false' : 'write true or false' };
}

function missing(path: LabPath, schema: JsonSchema): ShapeProblem {
  const key = String(path.at(-1) ?? '');
  const parent = path.slice(0, -1);
  const [node] = schemasAt(schema, path);
  const example = node?.example ?? node?.enum?.[0];
  const place = parent.length === 0 ? 'the lab file' : formatPath(parent);
  const description = node?.description === undefined ? '' : ` (${node.description.replace(/\.$/, '')})`;
  return {
    path: parent,
    part: 'key',
    lacksKey: path,
    message: `${place} needs the key "${key}"`,
    label: `"${key}" is missing`,
    fix: example === undefined ? `add ${key}${description}` : `add ${key}: ${example}`,
  };
}

function oneOf(values: readonly unknown[], value: unknown): { readonly label?: string; readonly fix: string } {
  const names = values.map(String);
  const nearest = typeof value === 'string' ? nearestName(value, names) : undefined;
  if (names.length === 1) return { fix: `write ${names[0]}` };
  const fix = `write one of ${names.join(', ')}`;
  return nearest === undefined ? { fix } : { label: `did you mean ${nearest}?`, fix };
}

type LimitIssue = Extract<Issue, { code: 'too_small' | 'too_big' }>;

function limitMessage(issue: LimitIssue, name: string, value: unknown): string {
  if (issue.origin === 'string') return issue.code === 'too_small' ? `${name} is empty` : `${name} is too long`;
  if (issue.origin === 'array') return `${name} is an empty list`;
  const limit = issue.code === 'too_small' ? `at least ${issue.minimum}` : `at most ${issue.maximum}`;
  return `${name} must be ${limit}, not ${nameOfValue(value)}`;
}

function exampleFix(path: LabPath, schema: JsonSchema): string | undefined {
  const key = path.findLast((step) => typeof step === 'string');
  const isItem = typeof path.at(-1) === 'number';
  const [node] = schemasAt(schema, isItem ? path.slice(0, path.lastIndexOf(key ?? '') + 1) : path);
  const example = node?.example;
  return example === undefined ? undefined : `write it like ${key}: ${example}`;
}

const typeNames: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'a map of keys',
  record: 'a map by name',
  array: 'a list',
};

function describeAt(path: LabPath, value: unknown): string {
  return isSecretPath(path) && typeof value !== 'object' ? 'the secret itself' : nameOfValue(value);
}

function nameOfValue(value: unknown): string {
  if (value === null) return 'empty';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a map';
  if (typeof value === 'string')
    return `the text ${JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)}`;
  // Numbers first: JSON has no infinity, and YAML does.
  return typeof value === 'number' ? String(value) : JSON.stringify(value);
}

/** The plain value at a path; undefined where there is none. */
function valueAt(root: unknown, path: LabPath): unknown {
  let value = root;
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Record<string | number, unknown>)[step];
  }
  return value;
}
