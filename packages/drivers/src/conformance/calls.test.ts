// docs/fidelity.md and the checks against the code: every call that the drivers can make stands in both, and none that they cannot.
import { readFile, readdir } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { readEmulatedAnswers } from './emulated-answers.ts';
import { answerKey } from './check.ts';
import { pfsenseChecks } from './pfsense-checks.ts';
import { configReaders, pfsenseFunctions } from './pfsense-uses.ts';
import { sharedParts } from '../pfsense/snippet.ts';
import { proxmoxChecks } from './proxmox-checks.ts';

const at = (path: string): URL => new URL(path, import.meta.url);
const fidelity = await readFile(at('../../../../docs/fidelity.md'), 'utf8');

async function readAll(folder: string, ends: string): Promise<string> {
  const names = (await readdir(at(folder), { recursive: true })).filter(
    (name) => name.endsWith(ends) && !name.endsWith('.test.ts'),
  );
  const texts = await Promise.all(names.map(async (name) => await readFile(at(`${folder}/${name}`), 'utf8')));
  return texts.join('\n');
}

/** The first column of the table under a heading, without its marks of code. */
function tableUnder(heading: string): readonly string[] {
  const section = fidelity.split(`\n### ${heading}\n`)[1]?.split(/\n##/)[0] ?? '';
  const rows = section.split('\n').filter((line) => line.startsWith('| `'));
  return rows.map((row) => /^\| `([^`]+)`/.exec(row)?.[1] ?? '').toSorted();
}

const unique = (values: readonly string[]): readonly string[] => [...new Set(values)].toSorted();

describe('Proxmox', async () => {
  const code = await readAll('../proxmox', '.ts');
  const calls = unique(
    [...code.matchAll(/proxmoxCall\(\s*'(GET|POST|PUT|DELETE)',\s*'([^']+)'/g)].map(
      ([, method, route]) => `${method} ${route}`,
    ),
  );

  test('docs/fidelity.md lists every call of the code', () => {
    expect(calls.length).toBeGreaterThan(20);
    expect(tableUnder('Calls to Proxmox')).toEqual(calls);
  });

  test('every call has a check, except for the login with a password', () => {
    expect(unique(proxmoxChecks.map(({ call }) => call))).toEqual(
      calls.filter((call) => call !== 'POST /access/ticket'),
    );
  });
});

describe('pfSense', async () => {
  const code = await readAll('../pfsense/php', '.php');
  const snippets = (await readdir(at('../pfsense/php'))).flatMap((name) => /^(\w+)\.php$/.exec(name)?.[1] ?? []);
  const methods = [...(await readFile(at('../pfsense/connection.ts'), 'utf8')).matchAll(/'pfsense\.(\w+)'/g)];

  test('docs/fidelity.md lists every method and snippet, and each has a check', () => {
    const calls = unique([
      ...methods.map(([, name = '']) => name).filter((name) => name !== 'exec_php'),
      ...snippets.filter((name) => sharedParts.every((part) => part !== name)).map((name) => `exec_php ${name}`),
    ]);
    expect(tableUnder('Calls to pfSense')).toEqual(calls);
    expect(unique(pfsenseChecks.map(({ call }) => call))).toEqual(calls);
  });

  test('docs/fidelity.md and the probe name every function of pfSense that the snippets call', () => {
    const used = unique(functionsCalled(code).filter((name) => !phpOwn.has(name)));
    expect(unique([...pfsenseFunctions, ...configReaders].map(({ name }) => name))).toEqual(used);
    expect(tableUnder('Functions of pfSense')).toEqual(used);
  });

  test.each([...pfsenseFunctions, ...configReaders])('$name is given at most $takes arguments', ({ name, takes }) => {
    const given = [...withoutTexts(code).matchAll(new RegExp(`(?<![\\w$>:])${name}\\s*\\(`, 'g'))].map(({ index }) =>
      countArguments(withoutTexts(code).slice(index + name.length)),
    );
    expect(Math.max(...given)).toBe(takes);
  });
});

test('what the emulators answer is written down for every check', async () => {
  const keys = [...proxmoxChecks, ...pfsenseChecks].map(answerKey);
  expect(new Set(keys).size).toBe(keys.length);
  expect(Object.keys(await readEmulatedAnswers()).toSorted()).toEqual(keys.toSorted());
});

/** PHP without its comments, and with empty texts. */
function withoutTexts(code: string): string {
  return code
    .replaceAll(/\/\*[^]*?\*\//g, '')
    .replaceAll(/^\s*\/\/.*$/gm, '')
    .replaceAll(/'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"/g, "''");
}

function functionsCalled(code: string): readonly string[] {
  return [...withoutTexts(code).matchAll(/(?<![\w$>:])([a-z_][a-z0-9_]*)\s*\(/g)].map(([, name = '']) => name);
}

/** From an opening bracket on. */
function countArguments(code: string): number {
  let [depth, count] = [0, 1];
  for (const [index, sign] of code.split('').entries()) {
    if (sign === '(' || sign === '[') depth += 1;
    if (sign === ')' || sign === ']') depth -= 1;
    if (sign === ',' && depth === 1) count += 1;
    if (depth === 0 && sign === ')') return code.slice(0, index).replace('(', '').trim() === '' ? 0 : count;
  }
  throw new RangeError('a bracket has no end');
}

/** Words and functions of PHP itself. */
const phpOwn: ReadonlySet<string> = new Set([
  ...['array', 'catch', 'elseif', 'for', 'foreach', 'function', 'if', 'isset', 'require_once', 'unset', 'use', 'while'],
  ...['array_chunk', 'ctype_digit', 'stream_set_timeout'],
  ...['array_diff', 'array_diff_key', 'array_filter', 'array_flip', 'array_intersect', 'array_key_exists'],
  ...['array_keys', 'array_merge', 'array_shift', 'array_slice', 'array_unique', 'array_values', 'base64_decode'],
  ...['base64_encode', 'basename', 'count', 'empty', 'end', 'explode', 'fclose', 'file_get_contents'],
  ...['file_put_contents', 'filemtime', 'function_exists', 'fwrite', 'glob', 'gzdecode', 'gzencode'],
  ...['hash', 'hash_file', 'html_entity_decode', 'implode', 'in_array', 'is_array', 'is_bool', 'is_executable'],
  ...['is_file', 'is_resource', 'is_string', 'json_decode', 'json_encode', 'ksort', 'ob_end_clean', 'ob_get_level'],
  ...['ob_start', 'preg_match', 'preg_replace', 'proc_close', 'proc_open', 'register_shutdown_function', 'rename'],
  ...['rtrim', 'serialize', 'str_replace', 'stream_get_contents', 'stream_socket_client', 'strip_tags', 'strlen'],
  ...['strncmp', 'substr', 'tempnam', 'time', 'trim', 'unlink', 'unserialize', 'usleep'],
]);
