// The command line as its users meet it: the real entry as a child process, its streams and its exit codes.
import { spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, open, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { commandGroups, commands } from './commands/commands.ts';
import { exitCodes } from './program.ts';
import { displayWidth } from '@labwright/core/text/width';

const entry = join(import.meta.dirname, 'main.ts');
const example = join(import.meta.dirname, '../../../examples/home/lab.yaml');
const token = 'labwright@pve!cli=11111111-2222-3333-4444-555555555555';

// Every test starts processes, on a machine that may be busy.
vi.setConfig({ testTimeout: 120_000 });

let folder: string;
/** The example on loopback addresses, where nothing answers, and with a router that is its owner's alone. */
let lab: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'labwright-cli-'));
  const text = await readFile(example, 'utf8');
  lab = join(folder, 'lab', 'lab.yaml');
  await mkdir(join(folder, 'lab'));
  await mkdir(join(folder, 'empty'));
  const unmanaged = text.replace(/^ +manage: .*\n/m, '').replace(/^exposures: .*\n/m, '');
  await writeFile(lab, unmanaged.replaceAll('10.1.', '127.1.'));
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
  /** stdout, where that is not a pipe to the test. */
  readonly output?: number;
  /** When the terminal goes away. Shell and kernel may both say so. */
  readonly hangsUpAfter?: Promise<void>;
}

async function run(
  words: readonly string[],
  { cwd, env = {}, closesEarly = false, output, hangsUpAfter }: Run = {},
): Promise<Ended> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', entry, ...words], {
    cwd: cwd ?? join(folder, 'empty'),
    env: {
      PATH: process.env['PATH'],
      HOME: folder,
      XDG_CACHE_HOME: join(folder, 'cache'),
      XDG_STATE_HOME: join(folder, 'state'),
      ...env,
    },
    stdio: ['ignore', output ?? 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    out += text;
    if (closesEarly) child.stdout?.destroy();
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (err += text));
  void hangsUpAfter?.then(() => [child.kill('SIGHUP'), child.kill('SIGHUP')]);
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
  const names = [...commands.map((command) => command.name), ...Object.keys(commandGroups), ''];
  test.each(names)('of "%s" has an example and fits', async (name) => {
    const { exitCode, out, err } = await run([...name.split(' ').filter((word) => word !== ''), '--help']);
    expect([exitCode, err]).toEqual([exitCodes.done, '']);
    expect(out).toMatch(/Examples:\n {2}labwright /);
    const examples = out.match(/^ {2}labwright .*?(?= {2,}|$)/gm) ?? [];
    expect(new Set(examples).size).toBe(examples.length);
    expectToFit(out);
  });

  test.each([
    [['help'], 'Usage: labwright '],
    [['rehearse', 'help'], 'Usage: labwright rehearse '],
    [['help', 'rehearse', 'stop'], 'Usage: labwright rehearse stop '],
  ])('%j', async (words, usage) => {
    const { exitCode, out, err } = await run(words);
    expect([exitCode, err]).toEqual([exitCodes.done, '']);
    expect(out).toContain(usage);
  });

  test('the version is that of the package', async () => {
    const { version } = JSON.parse(await readFile(join(import.meta.dirname, '../package.json'), 'utf8')) as {
      version: string;
    };
    for (const option of ['-V', '--version']) {
      expect(await run([option])).toEqual({ exitCode: exitCodes.done, out: `labwright ${version}\n`, err: '' });
    }
    expect(JSON.parse((await run(['--version', '--json'])).out)).toEqual({ version });
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
    [['config', 'chekc'], 'did you mean config check?'],
    [['config', 'x'], 'there is no command "config x"'],
    [['rehearse', 'hlep'], 'did you mean rehearse help?'],
    [['plan', '4f2c1a'], 'plan takes no argument, and there is "4f2c1a"'],
    [['explain', 'a', 'b'], 'explain takes one argument, and there are 2: a b'],
    [['help', 'plna'], 'did you mean plan?'],
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

  test.each([
    [['rehearse', 'start'], 'rehearse start'],
    [['stop'], 'stop'],
    [['constructor'], 'constructor'],
    [['help', 'constructor'], 'constructor'],
  ])('%j is near nothing, and nothing is suggested', async (words, typed) => {
    const { exitCode, err } = await run(words);
    expect([exitCode, err]).toEqual([exitCodes.usage, expect.stringContaining(`there is no command "${typed}"`)]);
    expect(err).not.toContain('did you mean');
  });

  test.each([
    [['machine', 'rebuild', 'node013'], 'node103'],
    [['destroy', 'node101', 'nod102'], 'node102'],
  ])('%j: an unknown machine is told before anybody is asked', async (words, meant) => {
    // Without the token nobody could be asked.
    const { exitCode, out, err } = await run(words, { cwd: join(folder, 'lab') });
    expect([exitCode, out]).toEqual([exitCodes.usage, '']);
    expect(err).toContain('error LW0002');
    expect(err).toContain(`did you mean ${meant}?`);
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
    expect(err.replaceAll(/\s+/g, ' ')).toContain(`problems in ${broken}; nothing was changed. `);
    const fromHere = await run(['--lab', '../broken.yaml', 'config', 'check']);
    expect(fromHere.err).toMatch(/\d problems in \.\.\/broken\.yaml; nothing was changed\.\n$/);
    expect(fromHere.err).toMatch(/^ {2}\.\.\/broken\.yaml:\d+:\d+$/m);
    expectToFit(fromHere.err);
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

  test('resolved fits', async () => {
    const { exitCode, out } = await run(['config', 'show', '--resolved'], { cwd: join(folder, 'lab') });
    expect(exitCode).toBe(exitCodes.done);
    expectToFit(out);
  });

  test.each([
    ['exposures', 'kubernetes: { version: '],
    ['why web.svc', 'kubernetes: { version: '],
    ['cluster status', 'kubernetes: { version: '],
    ['router backup', 'router: { kind: pfsense, '],
  ])('without the part that %s is about: what to write', async (words, section) => {
    const bare = join(folder, `bare-${words.split(' ')[0]}.yaml`);
    const text = await readFile(lab, 'utf8');
    await writeFile(bare, text.replace(/^kubernetes:\n(?: .*\n)*/m, '').replaceAll(/^ +role: .*\n/gm, ''));
    const { exitCode, out, err } = await run(['--lab', bare, ...words.split(' ')]);
    expect([exitCode, out]).toEqual([exitCodes.usage, '']);
    expect(err).toContain('error LW1004');
    expect(err).toContain(section);
    expectToFit(err);
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

describe.concurrent('services outside the cluster', () => {
  test('have a compose file where they run on a NAS', async () => {
    const file = join(folder, 'services.yaml');
    const services = 'services: { mariadb: { kind: mariadb, nas: nas1 } }';
    const text = (await readFile(lab, 'utf8')).replace(/^services:\n(?:(?:[ #].*)?\n)*/m, '');
    await writeFile(file, `${text}\n${services}\n`);
    const { exitCode, out } = await run(['--lab', file, 'services', 'compose', 'mariadb']);
    expect([exitCode, out]).toEqual([exitCodes.done, expect.stringContaining('container_name: mariadb')]);
    const wrong = await run(['--lab', file, 'services', 'compose', 'mariadbb']);
    expect([wrong.exitCode, wrong.out]).toEqual([exitCodes.usage, '']);
    expect(wrong.err).toContain('labwright services compose mariadb');
  });
});

describe.concurrent('secrets and hosts', () => {
  test('a missing secret is a matter of configuration', async () => {
    const { exitCode, err } = await run(['plan'], { cwd: join(folder, 'lab') });
    expect(exitCode).toBe(exitCodes.usage);
    expect(err).toContain('error LW1003');
    expect(err).toContain('PROXMOX_TOKEN is not set');
  });

  test.each([[['diff']], [['backup']], [['adopt', 'x']]])('router %j needs that of the router alone', async (words) => {
    const managed = join(folder, `router-${words[0]}.yaml`);
    await writeFile(managed, (await readFile(example, 'utf8')).replaceAll('10.1.', '127.1.'));
    const asked = ['--lab', managed, 'router', ...words];
    const without = await run(asked);
    expect([without.exitCode, without.err]).toEqual([exitCodes.usage, expect.stringContaining('PFSENSE_PASSWORD')]);
    const { exitCode, err } = await run(asked, { env: { PFSENSE_PASSWORD: 'secret' } });
    expect([exitCode, err]).toEqual([exitCodes.unreachable, expect.stringContaining('error LW8001')]);
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
    expect(err.match(/waiting for Proxmox to answer: pve1, pve2, pve3\n/g)).toHaveLength(1);
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

describe.concurrent('the end of the terminal', () => {
  test.each([
    ['plan', exitCodes.interrupted],
    // Ended while it waits for hosts is ended as asked.
    ['serve', exitCodes.done],
  ])('ends %s as Ctrl-C does', async (name, expected) => {
    // Hosts that take a connection and never say anything are waited for.
    const host = createServer((socket) => socket.on('error', () => undefined).resume());
    const asked = Promise.withResolvers<void>();
    host.on('connection', () => asked.resolve());
    await new Promise<void>((resolve) => host.listen(0, '0.0.0.0', resolve));
    const { port } = host.address() as AddressInfo;
    const directory = join(folder, `hung-up-${name}`);
    await mkdir(directory);
    const text = (await readFile(lab, 'utf8')).replace('proxmox:\n', `proxmox:\n  port: ${port}\n`);
    await writeFile(join(directory, 'lab.yaml'), text);
    const { exitCode, err } = await run([name], {
      cwd: directory,
      env: { PROXMOX_TOKEN: token },
      hangsUpAfter: asked.promise,
    });
    expect(exitCode).toBe(expected);
    expect(err).not.toMatch(/LW0001|^ +at /m);
    await new Promise((resolve) => host.close(resolve));
  });
});

describe.concurrent('streams', () => {
  test('a reader that has seen enough is no error', async () => {
    const { exitCode, out, err } = await run(['config', 'schema'], { closesEarly: true });
    expect([exitCode, err]).toEqual([exitCodes.done, '']);
    expect(out).not.toBe('');
  });

  test('a disk that is full is one', async () => {
    const full = await open('/dev/full', 'w');
    try {
      const { exitCode, err } = await run(['explain'], { output: full.fd });
      expect(exitCode).toBe(exitCodes.failed);
      expect(err).toMatch(/^error LW0005 {2}the output could not be written\n {2}why {5}no space is left\n/);
    } finally {
      await full.close();
    }
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

describe.concurrent('a computer with nothing in its place', () => {
  test.each([
    [['rehearse', 'stop'], '/dev/null'],
    [['plan'], '/dev/null'],
    [['status'], '/dev/null'],
    [['status'], '/proc'],
  ])('%j without a usable state folder: %s', async (words, place) => {
    const cwd = join(folder, 'lab');
    const variable = 'XDG_STATE_HOME';
    const env = { PROXMOX_TOKEN: token, [variable]: place };
    const { exitCode, out, err } = await run(words, { cwd, env });
    expect([exitCode, out]).toEqual([exitCodes.failed, '']);
    expect(err).toContain('error LW0005');
    expect(err).toContain(variable);
    expect(err).not.toMatch(/LW0001|^ +at /m);
    const { code } = readError((await run([...words, '--json'], { cwd, env })).out);
    expect(code).toBe('LW0005');
  });

  test('a cache that cannot be made only takes longer', async () => {
    const { exitCode, err } = await run(['--version'], { env: { XDG_CACHE_HOME: '/proc' } });
    expect([exitCode, err]).toEqual([exitCodes.done, '']);
  });

  test.each([
    ['XDG_STATE_HOME', 'what labs remember'],
    ['XDG_CACHE_HOME', 'images and programs'],
  ])('the doctor says that %s is of no use', async (variable, what) => {
    const { exitCode, out } = await run(['doctor'], { env: { [variable]: '/dev/null' } });
    expect(exitCode).toBe(exitCodes.failed);
    expect(out).toContain(`the folder for ${what} cannot be used`);
    expect(out).toContain(`set ${variable}`);
  });

  test('the doctor names the command that shows what is wrong in the lab file that was meant', async () => {
    const broken = join(folder, 'unfinished.yaml');
    await writeFile(broken, 'version: 1\n');
    const { out } = await run(['--lab', '../unfinished.yaml', 'doctor']);
    expect(out).toContain('labwright --lab ../unfinished.yaml config check');
    expect((await run(['--lab', '../unfinished.yaml', 'config', 'check'])).err).toContain('unfinished.yaml:1:1');
  });

  test('the current folder is gone', async () => {
    const gone = join(folder, 'gone');
    await mkdir(gone);
    const shell = [
      '-c',
      'rmdir "$0" && exec "$@"',
      gone,
      process.execPath,
      '--disable-warning=ExperimentalWarning',
      entry,
    ];
    const start = async (words: readonly string[]) => {
      await mkdir(gone, { recursive: true });
      const child = spawn('sh', [...shell, ...words], { cwd: gone, env: { HOME: folder, PATH: process.env['PATH'] } });
      let text = '';
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (part: Buffer) => (text += part.toString()));
      const exitCode = await new Promise<number | null>((resolve) => child.once('close', resolve));
      return { exitCode, text };
    };
    const plan = await start(['plan']);
    expect(plan.exitCode).toBe(exitCodes.failed);
    expect(plan.text).toMatch(/^error LW0005 {2}the current folder no longer exists\n/m);
    expect((await start(['explain', 'LW0005'])).exitCode).toBe(exitCodes.done);
    expect((await start(['--version'])).exitCode).toBe(exitCodes.done);
  });

  test.each([[], ['config']])('%j with --json is a mistake as a document', async (...words) => {
    const { exitCode, out, err } = await run([...words, '--json']);
    expect([exitCode, err, readError(out).what]).toEqual([exitCodes.usage, '', 'no command was given']);
  });

  test('rehearse stop with --json is one document', async () => {
    const { exitCode, out, err } = await run(['rehearse', 'stop', '--json']);
    expect([exitCode, err, JSON.parse(out)]).toEqual([exitCodes.done, '', { ended: false }]);
  });
});
