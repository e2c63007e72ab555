// Holds the table of packages (docs/design.md) against every package.json and every import.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const top = join(import.meta.dirname, '..');

/** What each package may import; a path after the package narrows it to that folder. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  wire: [],
  core: [],
  drivers: ['core'],
  images: ['core'],
  machines: ['core', 'drivers/proxmox'],
  cluster: ['core', 'wire', 'images', 'drivers/kubernetes', 'drivers/ssh', 'drivers/helm', 'drivers/nas'],
  netboot: ['core', 'wire', 'images'],
  network: ['core', 'wire', 'drivers/kubernetes', 'drivers/pfsense'],
  daemon: ['core', 'wire', 'drivers', 'images', 'machines', 'netboot', 'cluster', 'network'],
  rehearsal: ['wire'],
  cli: ['core', 'wire', 'drivers', 'images', 'machines', 'netboot', 'cluster', 'network', 'daemon', 'rehearsal'],
  testbed: [
    'core',
    'wire',
    'drivers',
    'images',
    'machines',
    'netboot',
    'cluster',
    'network',
    'daemon',
    'rehearsal',
    'cli',
  ],
};

const scope = '@labwright/';
const packages = readdirSync(join(top, 'packages'));

interface Import {
  readonly file: string;
  readonly target: string;
}

function sourceFiles(directory: string): readonly string[] {
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name));
}

function importsOf(name: string): readonly Import[] {
  return sourceFiles(join(top, 'packages', name, 'src')).flatMap((file) => {
    const text = readFileSync(file, 'utf8');
    const found = text.matchAll(
      /(?:^|[\s;])(?:import|export)\s[^'"]*?from\s+'([^']+)'|import\(\s*'([^']+)'|^import\s+'([^']+)'/gm,
    );
    return [...found].map((match) => ({
      file: file.slice(top.length + 1),
      target: match[1] ?? match[2] ?? match[3] ?? '',
    }));
  });
}

test('the table names every package', () => {
  expect(Object.keys(allowed).sort()).toEqual(packages.toSorted());
});

test.each(packages)('%s imports only what lies below it', (name) => {
  const arrows = allowed[name] ?? [];
  const wrong = importsOf(name).filter(({ target }) => {
    if (!target.startsWith(scope)) return false;
    const path = target.slice(scope.length);
    return !arrows.some((arrow) => path === arrow || path.startsWith(`${arrow}/`)) && !path.startsWith(`${name}/`);
  });
  expect(wrong).toEqual([]);
});

test.each(packages)('%s declares in package.json what it imports, and the arrows only', (name) => {
  const manifest = JSON.parse(readFileSync(join(top, 'packages', name, 'package.json'), 'utf8')) as {
    dependencies?: Record<string, string>;
  };
  const declared = Object.keys(manifest.dependencies ?? {}).filter((each) => each.startsWith(scope));
  const arrows = new Set((allowed[name] ?? []).map((arrow) => arrow.split('/')[0]));
  expect(declared.filter((each) => !arrows.has(each.slice(scope.length)))).toEqual([]);
});

test('imports inside a package do not leave its folder', () => {
  const escaping = packages.flatMap((name) =>
    importsOf(name).filter(({ file, target }) => {
      if (!target.startsWith('.')) return false;
      return !join(top, file, '..', target).startsWith(join(top, 'packages', name, 'src'));
    }),
  );
  expect(escaping).toEqual([]);
});

test('wire knows no platform', () => {
  const platform = importsOf('wire').filter(
    ({ file, target }) => target.startsWith('node:') && !file.endsWith('.test.ts'),
  );
  expect(platform).toEqual([]);
});

test('the emulators and the drivers share no code', () => {
  const shared = importsOf('rehearsal').filter(({ target }) => /@labwright\/(core|drivers)/.test(target));
  expect(shared).toEqual([]);
});
