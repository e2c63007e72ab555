import { createHash } from 'node:crypto';
import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { kubernetesVersion } from '@labwright/core/addresses/kubernetes-version';
import { Secret } from '@labwright/core/ports/secret';
import { systemRandom } from '@labwright/core/ports/system';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { decodeArchiveEntry } from './archive-entry.ts';
import { ensureHelm, type HelmProgramContext } from './helm-program.ts';
import { helmToFetch, parseHelmVersion, servedMinors, servesMinor } from './helm-version.ts';
import { makeRedaction, runHelm } from './run-helm.ts';

const run = promisify(execFile);
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'helm-test-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

describe('versions', () => {
  // Rows of https://helm.sh/docs/topics/version_skew/ and https://helm.sh/docs/v3/topics/version_skew/.
  test.each([
    ['3.5.0', 17, 20],
    ['3.6.2', 18, 21],
    ['3.8.2', 20, 23],
    ['3.14.0', 26, 29],
    ['3.20.0', 32, 35],
    ['4.0.0', 31, 34],
    ['4.1.4', 32, 35],
    ['4.2.3', 33, 36],
  ])('helm %s serves Kubernetes 1.%i to 1.%i', (text, oldest, newest) => {
    const version = parseHelmVersion(text);
    expect(version && servedMinors(version)).toEqual({ oldest, newest });
  });

  test('there is one to fetch for every Kubernetes from 1.20 to 1.36, and it serves it', () => {
    for (let minor = 20; minor <= 36; minor += 1) {
      const version = helmToFetch(minor);
      expect(version !== undefined && servesMinor(version, minor), `1.${minor}`).toBe(true);
    }
    expect([helmToFetch(19), helmToFetch(99)]).toEqual([undefined, undefined]);
  });

  test.each(['v3.6.2+gee407bd', 'v4.1.4', '3.8.2\n'])('%j is a version', (text) => {
    expect(parseHelmVersion(text)).toBeDefined();
  });

  test.each(['', 'helm', 'v3', 'v3.6', '2.17.0.1'])('%j is none', (text) => {
    expect(parseHelmVersion(text)).toBeUndefined();
  });
});

describe('a file of an archive', () => {
  test('is what the tar program packed, also with long names', async () => {
    const long = `${'deep/'.repeat(25)}file`;
    await mkdir(join(folder, 'in', 'deep/'.repeat(25)), { recursive: true });
    await writeFile(join(folder, 'in', long), 'long');
    await writeFile(join(folder, 'in', 'helm'), Buffer.alloc(100_000, 7));
    await run('tar', ['--format=ustar', '-czf', join(folder, 'a.tgz'), '-C', join(folder, 'in'), long, 'helm']);
    const archive = await readFile(join(folder, 'a.tgz'));
    expect(decodeArchiveEntry(archive, (name) => name === 'helm')?.length).toBe(100_000);
    expect(Buffer.from(decodeArchiveEntry(archive, (name) => name === long) ?? '').toString()).toBe('long');
    expect(decodeArchiveEntry(archive, (name) => name === 'other')).toBeUndefined();
    // Cut anywhere it gives nothing or the whole file, and never ends the program.
    for (let length = 0; length < archive.length; length += 7) {
      const part = decodeArchiveEntry(archive.subarray(0, length), (name) => name === 'helm');
      expect(part === undefined || part.length === 100_000).toBe(true);
    }
  });

  test('is not found in what is no archive', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2_000 }), (bytes) => {
        expect(decodeArchiveEntry(bytes, () => true)).toBeUndefined();
      }),
      { numRuns: 300 },
    );
  });
});

/** A program with helm's command line as far as a test needs it: says its version, and what it was given. */
async function writeProgram(path: string, version: string, body = ''): Promise<void> {
  await writeFile(path, `#!/bin/sh\n[ "$1" = version ] && { printf '%s' '${version}'; exit 0; }\n${body}\n`);
  await chmod(path, 0o755);
}

describe('a run', () => {
  const base = () => ({
    program: join(folder, 'helm'),
    temporaryDirectory: folder,
    environment: {},
    signal: new AbortController().signal,
  });

  test('has secrets in no argument, in a private file for its time, and as dots in what it says', async () => {
    await writeProgram(
      join(folder, 'helm'),
      'v3.8.2',
      'for word; do file=$word; done; stat -c "%a %U" "$file"; cat "$file" - ; tr "\\0" "\\n" </proc/$$/cmdline >&2; echo "Error: cannot use swordfish or $(printf swordfish | base64)" >&2; exit 1',
    );
    const result = await runHelm({
      ...base(),
      args: ['upgrade', 'web'],
      stdin: new Secret('password: swordfish'),
      kubeconfig: new Secret('the kubeconfig'),
      secrets: [new Secret('swordfish'), new Secret('')],
    });
    expect(result.exitCode).toBe(1);
    expect(result.stdout).toMatch(/^600 \w+\nthe kubeconfigpassword: swordfish$/);
    expect(result.log.at(-1)).toBe('Error: cannot use ••• or •••');
    expect(result.log.join('\n')).not.toContain('swordfish');
    expect(result.log.join('\n')).not.toContain('the kubeconfig');
    expect(await readdir(folder)).toEqual(['helm']);
  });

  test('hands on of the environment only what leads out of the network', async () => {
    await writeProgram(join(folder, 'helm'), '', 'env');
    const environment = {
      HTTPS_PROXY: 'http://proxy',
      KUBECONFIG: '/root/.kube/config',
      AWS_SECRET: 'x',
      HELM_DRIVER: 'sql',
    };
    const { stdout } = await runHelm({ ...base(), environment, args: ['list'] });
    expect(stdout).toContain('HTTPS_PROXY=http://proxy');
    expect(stdout).not.toMatch(/KUBECONFIG|AWS_SECRET|HELM_DRIVER/);
  });

  test('that is aborted may end in good order, and leaves nothing', async () => {
    await writeProgram(
      join(folder, 'helm'),
      '',
      `trap 'echo rolled back > ${folder}/trace; exit 1' TERM; echo started >&2; while :; do sleep 0.05; done`,
    );
    const aborting = new AbortController();
    const running = runHelm({
      ...base(),
      args: ['upgrade'],
      signal: aborting.signal,
      onLine: () => aborting.abort(new Error('stop')),
    });
    await expect(running).rejects.toThrow('stop');
    expect(await readFile(join(folder, 'trace'), 'utf8')).toBe('rolled back\n');
    expect((await readdir(folder)).toSorted()).toEqual(['helm', 'trace']);
  });

  test('of a program that is gone is LW0004', async () => {
    await expect(runHelm({ ...base(), args: [] })).rejects.toMatchObject({ code: 'LW0004' });
  });

  test('dots stand for the longest secret that fits', () => {
    const hide = makeRedaction([new Secret('pass'), new Secret('password1'), new Secret('abc')]);
    expect(hide('password1 pass abc')).toBe('••• ••• abc');
  });
});

describe('the helm program', () => {
  const progress: string[] = [];
  const nowhere = 'http://127.0.0.1:1';
  const context = (changes: Partial<HelmProgramContext> = {}): HelmProgramContext => ({
    environment: { PATH: join(folder, 'bin') },
    directory: folder,
    cacheDirectory: join(folder, 'cache'),
    random: systemRandom,
    signal: new AbortController().signal,
    onProgress: (message) => progress.push(message),
    upstream: nowhere,
    ...changes,
  });
  const old = kubernetesVersion('1.20.2');

  async function install(version: string): Promise<void> {
    await mkdir(join(folder, 'bin'), { recursive: true });
    await writeProgram(join(folder, 'bin', 'helm'), version);
  }

  /** As get.helm.sh lays it out. */
  async function writeMirror(changeSum: (sum: string) => string = (sum) => sum): Promise<string> {
    const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';
    const place = join(folder, 'unpacked', `linux-${architecture}`);
    await mkdir(place, { recursive: true });
    await mkdir(join(folder, 'mirror'), { recursive: true });
    await writeProgram(join(place, 'helm'), 'v3.8.2');
    const name = `helm-v3.8.2-linux-${architecture}.tar.gz`;
    await run('tar', ['-czf', join(folder, 'mirror', name), '-C', join(folder, 'unpacked'), `linux-${architecture}`]);
    const sum = createHash('sha256')
      .update(await readFile(join(folder, 'mirror', name)))
      .digest('hex');
    await writeFile(join(folder, 'mirror', `${name}.sha256sum`), `${changeSum(sum)}  ${name}\n`);
    return join(folder, 'mirror');
  }

  async function serve(directory: string): Promise<{ readonly url: string; readonly server: Server }> {
    const server = createServer((request, response) => {
      readFile(join(directory, request.url ?? '')).then(
        (content) => response.end(content),
        () => response.writeHead(404).end(),
      );
    });
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
  }

  test('is the installed one when it serves the cluster', async () => {
    await install('v3.6.2+gee407bd');
    expect(await ensureHelm(old, context())).toEqual({
      path: join(folder, 'bin', 'helm'),
      version: { major: 3, minor: 6, patch: 2 },
      source: 'installed',
    });
  });

  test('comes from a mirror folder when the installed one is for another Kubernetes, then from the cache', async () => {
    await install('v4.1.4');
    const mirror = await writeMirror();
    const fetched = await ensureHelm(old, context({ mirror: 'mirror' }));
    expect(fetched).toMatchObject({ version: { major: 3, minor: 8, patch: 2 }, source: 'mirror' });
    expect((await run(fetched.path, ['version'])).stdout).toBe('v3.8.2');
    await rm(mirror, { recursive: true });
    expect(await ensureHelm(old, context({ mirror: 'mirror' }))).toEqual({ ...fetched, source: 'cache' });
    expect((await stat(fetched.path)).mode & 0o777).toBe(0o755);
    // A program in the cache that was cut short is fetched again.
    await writeFile(fetched.path, 'half');
    await writeMirror();
    expect(await ensureHelm(old, context({ mirror: 'mirror' }))).toEqual(fetched);
  });

  test('comes from upstream by HTTP', async () => {
    const { url, server } = await serve(await writeMirror());
    expect(await ensureHelm(old, context({ upstream: url }))).toMatchObject({ source: 'upstream' });
    server.close();
  });

  test('with a wrong sum is refused, and nothing of it stays', async () => {
    await writeMirror((sum) => sum.replace(/^./, (digit) => (digit === '0' ? '1' : '0')));
    await expect(ensureHelm(old, context({ mirror: 'mirror' }))).rejects.toMatchObject({ code: 'LW4001' });
    expect(await readdir(folder)).not.toContain('cache');
  });

  test('that cannot be had names the one to install, and the one that was passed over', async () => {
    await install('v4.1.4');
    await expect(ensureHelm(old, context({ mirror: 'missing' }))).rejects.toMatchObject({
      code: 'LW7001',
      why: expect.stringMatching(
        /missing has no helm-v3\.8\.2.*; http:\/\/127\.0\.0\.1:1.*is 4\.1\.4, for Kubernetes 1\.32 to 1\.35/,
      ),
      fix: [expect.stringContaining('install helm 3.8.2'), expect.stringContaining('kubernetes.helmMirror')],
    });
    await expect(ensureHelm(kubernetesVersion('1.99.0'), context())).rejects.toMatchObject({
      code: 'LW7001',
      why: expect.stringContaining('no version of helm that Labwright knows serves Kubernetes 1.99.0'),
    });
  });
});
