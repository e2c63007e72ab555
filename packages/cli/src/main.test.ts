// The command line as its users meet it: the real entry as a child process, its streams and its exit codes.
import { spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { commands } from './commands/commands.ts';
import { exitCodes } from './program.ts';
import { displayWidth } from './render/width.ts';

const entry = join(import.meta.dirname, 'main.ts');
const example = join(import.meta.dirname, '../../../examples/home/lab.yaml');
const token = 'labwright@pve!cli=11111111-2222-3333-4444-555555555555';

// Every test starts processes, on a machine that may be busy.
vi.setConfig({ testTimeout: 120_000 });

let folder: string;
/** The example on loopback addresses, where nothing answers. */
let lab: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'labwright-cli-'));
  const text = await readFile(example, 'utf8');
  lab = join(folder, 'lab', 'lab.yaml');
  await mkdir(join(folder, 'lab'));
  await mkdir(join(folder, 'empty'));
  await writeFile(lab, text.replaceAll('10.1.', '127.1.'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

interface Ended {
  readonly exitCode: number | null;
  readonly out: string;
  readonly err: string;
}

interface Run {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Close stdout after the first bytes, as `head -1` does. */
  readonly closesEarly?: boolean;
}

async function run(words: readonly string[], { cwd, env = {}, closesEarly = false }: Run = {}): Promise<Ended> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', entry, ...words], {
    cwd: cwd ?? join(folder, 'empty'),
    env: {
      PATH: process.env['PATH'],
      HOME: folder,
      XDG_CACHE_HOME: join(folder, 'cache'),
      XDG_STATE_HOME: join(folder, 'state'),
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
    if (closesEarly) child.stdout.destroy();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  const exitCode = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  return { exitCode, out, err };
}

function expectToFit(text: string): void {
  expect(text.split('\n').filter((line) => displayWidth(line) > 80)).toEqual([]);
}

/** The one document on stdout. */
function readError(out: string): { code: string; what: string; fix: string[] } {
  return (JSON.parse(out) as { error: { code: string; what: string; fix: string[] } }).error;
}

describe.concurrent('help', () => {
  const names = [...commands.map((command) => command.name), 'config', 'machine', ''];
  test.each(names)('of "%s" has an example and fits', async (name) => {
    const { exitCode, out, err } = await run([...name.split(' ').filter((word) => word !== ''), '--help']);
    expect([exitCode, err]).toEqual([exitCodes.done, '']);
    expect(out).toMatch(/Examples:\n {2}labwright /);
    expectToFit(out);
  });

  test('without a command is no result', async () => {
    const { exitCode, out, err } = await run([]);
    expect([exitCode, out]).toEqual([exitCodes.usage, '']);
    expect(err).toContain('Usage: labwright');
  });
});

describe.concurrent('typing mistakes', () => {
  test.each([
    [['plna'], 'did you mean plan?'],
    [['rehearse', 'stpo'], 'did you mean rehearse stop?'],
    [['plan', '--ful'], 'did you mean --full?'],
    [['plan', '--nonsense'], 'labwright plan --help'],
    [['config', 'chekc'], 'did you mean check?'],
    [['machine', 'rebuild'], 'missing required argument "name"'],
    [['explain', 'LW300'], 'labwright explain LW300'],
    [['destroy'], 'name the machines'],
    [['rehearse', '--only', 'moon'], 'labwright rehearse --only machines'],
  ])('%j', async (words, advice) => {
    const { exitCode, out, err } = await run(words);
    expect([exitCode, out]).toEqual([exitCodes.usage, '']);
    expect(err).toContain('error LW0002');
    expect(err).toContain(advice);
    expectToFit(err);
  });

  test('as JSON', async () => {
    const { exitCode, out, err } = await run(['plan', '--nonsense', '--json']);
    expect([exitCode, err, readError(out).code]).toEqual([exitCodes.usage, '', 'LW0002']);
  });
});

describe.concurrent('the lab file', () => {
  test('that is not there', async () => {
    const plain = await run(['plan']);
    expect([plain.exitCode, plain.out]).toEqual([exitCodes.usage, '']);
    expect(plain.err).toMatch(/fix {5}labwright rehearse {2,}try the example/);
    const json = await run(['plan', '--json']);
    expect([json.exitCode, json.err, readError(json.out).code]).toEqual([exitCodes.usage, '', 'LW1001']);
  });

  test('with problems: all of them, with carets', async () => {
    const broken = join(folder, 'broken.yaml');
    await writeFile(
      broken,
      (await readFile(lab, 'utf8'))
        .replace('cidr:', 'cdir:')
        .replace('maintenance', 'x')
        .replace('count: 1', 'count: many'),
    );
    const { exitCode, out, err } = await run(['--lab', broken, 'config', 'check']);
    expect([exitCode, out]).toEqual([exitCodes.usage, '']);
    expect(err.match(/^ +│ +\^+/gm)?.length).toBeGreaterThan(1);
    expect(err).toMatch(/\d problems in broken\.yaml; nothing was changed\.\n$/);
    expectToFit(err);
    const json = await run(['--lab', broken, 'plan', '--json']);
    const document = JSON.parse(json.out) as { error: { code: string }; diagnostics: unknown[] };
    expect([json.exitCode, document.error.code, document.diagnostics.length > 1]).toEqual([
      exitCodes.usage,
      'LW1002',
      true,
    ]);
  });

  test.each([
    [['config', 'check'], 'is fine: lab home'],
    [['config', 'show'], 'cidr: 127.1.0.0/22'],
    [['config', 'show', '--resolved'], 'default'],
    [['ssh-config'], 'Host node101'],
    [['inventory'], 'node101'],
  ])('%j', async (words, expected) => {
    const { exitCode, out, err } = await run(words, { cwd: join(folder, 'lab') });
    expect([exitCode, err]).toEqual([exitCodes.done, '']);
    expect(out).toContain(expected);
  });

  test.each(['config check', 'ssh-config'])('%s as JSON', async (name) => {
    const { exitCode, out } = await run([...name.split(' '), '--json'], { cwd: join(folder, 'lab') });
    expect([exitCode, typeof JSON.parse(out)]).toEqual([exitCodes.done, 'object']);
  });

  test('as a schema and errors explained', async () => {
    const schema = await run(['config', 'schema']);
    expect(JSON.parse(schema.out)).toHaveProperty('properties.pools');
    const all = await run(['explain']);
    expect(all.out).toContain('LW2001  a Proxmox host does not answer');
    const one = await run(['explain', 'lw2001', '--json']);
    expect(JSON.parse(one.out)).toMatchObject({ code: 'LW2001', kind: 'unreachable' });
  });
});

describe.concurrent('secrets and hosts', () => {
  test('a missing secret is a matter of configuration', async () => {
    const { exitCode, err } = await run(['plan'], { cwd: join(folder, 'lab') });
    expect(exitCode).toBe(exitCodes.usage);
    expect(err).toContain('error LW1003');
    expect(err).toContain('PROXMOX_TOKEN is not set');
  });

  test('so is one that others may read', async () => {
    const directory = join(folder, 'secret');
    await mkdir(directory);
    const secret = join(directory, 'token');
    await writeFile(secret, token);
    await chmod(secret, 0o644);
    const text = (await readFile(lab, 'utf8')).replace('{ env: PROXMOX_TOKEN }', '{ file: token }');
    await writeFile(join(directory, 'lab.yaml'), text);
    const { exitCode, out } = await run(['plan', '--json'], { cwd: directory });
    expect([exitCode, readError(out)]).toMatchObject([
      exitCodes.usage,
      { code: 'LW1003', fix: [`chmod 600 ${secret}`] },
    ]);
    expect(out).not.toContain('555555555555');
  });

  test('hosts that do not answer', async () => {
    const { exitCode, err } = await run(['plan'], { cwd: join(folder, 'lab'), env: { PROXMOX_TOKEN: token } });
    expect(exitCode).toBe(exitCodes.unreachable);
    expect(err).toContain('error LW2001');
    expect(err).toContain('ECONNREFUSED');
    expect(err).not.toContain('555555555555');
  });

  test('the doctor says all of it and how to fix it', async () => {
    const { exitCode, out } = await run(['doctor'], { cwd: join(folder, 'lab'), env: { PROXMOX_TOKEN: token } });
    expect(exitCode).toBe(exitCodes.failed);
    expect(out).toContain('Proxmox host pve1 does not answer');
    expectToFit(out);
    const json = await run(['doctor', '--json'], { cwd: join(folder, 'lab') });
    const { blocks, findings } = JSON.parse(json.out) as { blocks: number; findings: { commands?: string[] }[] };
    expect([json.exitCode, blocks > 0]).toEqual([exitCodes.failed, true]);
    expect(findings.flatMap((finding) => finding.commands ?? [])).toContain('pveum user add labwright@pve');
  });

  test('the doctor trusts no host it cannot see, and none the lab file does not have', async () => {
    const silent = await run(['doctor', '--trust', 'pve1'], { cwd: join(folder, 'lab') });
    expect([silent.exitCode, silent.err]).toEqual([exitCodes.unreachable, expect.stringContaining('LW2001')]);
    const unknown = await run(['doctor', '--trust', 'pve9'], { cwd: join(folder, 'lab') });
    expect([unknown.exitCode, unknown.err]).toEqual([exitCodes.usage, expect.stringContaining('--trust pve')]);
  });
});

describe.concurrent('streams', () => {
  test('a reader that has seen enough is no error', async () => {
    const { exitCode, out, err } = await run(['config', 'schema'], { closesEarly: true });
    expect([exitCode, err]).toEqual([exitCodes.done, '']);
    expect(out).not.toBe('');
  });

  test.each([{}, { LABWRIGHT_ACCESSIBLE: '1' }])('%j: no control sequence', async (env) => {
    const { out, err } = await run(['doctor'], { env });
    // oxlint-disable-next-line no-control-regex -- none may come
    expect(out + err).not.toMatch(/\u001b/);
  });

  test('a lab file found by a link is the same lab file', async () => {
    await symlink(lab, join(folder, 'linked.yaml'));
    const { exitCode } = await run(['--lab', join(folder, 'linked.yaml'), 'config', 'check']);
    expect(exitCode).toBe(exitCodes.done);
  });
});
