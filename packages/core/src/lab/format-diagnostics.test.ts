import { describe, expect, test } from 'vitest';
import { formatCount, formatDiagnostics } from './format-diagnostics.ts';
import { displayWidth, takeColumns } from '../text/width.ts';
import { parseLab } from './parse-lab.ts';

const broken = `version: 1
lab: home
networks:
  lan:
    cidr: 10.1.0.0/22
    gateway: 10.1.0.1
    machines: 10.1.1.0/28
    services: 10.1.1.8-10.1.1.20
hosts:
  pve1: { address: 10.1.0.11, cores: 12, memory: 24GiB }
  pve2: { address: 10.1.0.12, cores: 12, memory: 24GiB }
  pve3: { address: 10.1.0.13, cores: 12, memory: 24GiB, maintenance: true }
proxmox: { token: { env: TOKEN } }
netboot: { address: 10.1.0.9 }
pools:
  control: { count: 3, spread: host }
  workers: { count: 2, firstVmId: 104, coers: 4, memory: 2GB }
`;

const golden = `error    the services range of network lan overlaps the machines block of
         network lan
  lab.yaml:8:15
    8 │     services: 10.1.1.8-10.1.1.20
      │               ^^^^^^^^^^^^^^^^^^ shares 10.1.1.8 and more with it
  see      line 7: the machines block of network lan
  fix      move one of the two

error    the 3 machines of pool control cannot be spread over 2 hosts
  lab.yaml:16:32
   16 │   control: { count: 3, spread: host }
      │                                ^^^^ needs 3; there are pve1, pve2
  see      line 12: pve3 is in maintenance
  fix      end the maintenance, lower the count, or set spread: even

error    pools.workers has no key "coers"
  lab.yaml:17:40
   17 │   workers: { count: 2, firstVmId: 104, coers: 4, memory: 2GB }
      │                                        ^^^^^ did you mean "cores"?
  fix      write cores

error    pools.workers.memory: "GB" is not a unit of size here
  lab.yaml:17:58
   17 │   workers: { count: 2, firstVmId: 104, coers: 4, memory: 2GB }
      │                                                          ^^^
  fix      write 2GiB; the units are MiB, GiB and TiB

4 problems in lab.yaml; nothing was changed.
`;

const format = (source: string, width = 80): string =>
  formatDiagnostics(parseLab(source, 'lab.yaml').diagnostics, source, { width });

describe('diagnostics on a terminal', () => {
  test('four problems at 80 columns', () => {
    expect(format(broken)).toBe(golden);
  });

  test.each([40, 60, 80, 120])('no line is longer than %d columns', (width) => {
    const wide = `${broken}  ${'very-long-pool-name-'.repeat(3)}x: { count: 1, firstVmId: 110, ${'k'.repeat(60)}: 1 }\n`;
    const long = format(wide, width)
      .split('\n')
      // A word that is longer than the line stays whole: it is there to be copied.
      .filter((line) => line.length > width && line.trim().includes(' '));
    expect(long.filter((line) => line.includes('│'))).toEqual([]);
  });

  test('a label that does not fit beside the caret stands below it', () => {
    const text = format(broken, 56);
    expect(text).toContain('      │                                ^^^^\n      │ needs 3; there are pve1, pve2\n');
  });

  test.each([
    ['"日本語" x', 'lab: "日本語" x', '              ^'],
    ['"🏠 x" y', 'lab: "🏠 x" y', '            ^'],
    ['"e\u0301" y', 'lab: "e\u0301" y', '         ^'],
    ['"\u200d" y', 'lab: "�" y', '         ^'],
    ['"日本"', 'lab: "日本"', '     ^^^^^^'],
  ])('carets stand under what they mean, also beside wide characters: %s', (value, shown, caret) => {
    const text = format(`version: 1\nlab: ${value}\n`);
    expect(text).toContain(`    2 │ ${shown}\n      │ ${caret}\n`);
  });

  test('a long line of wide characters is cut by columns', () => {
    const lines = format(`version: 1\nlab: "${'語'.repeat(100)}" x ${'語'.repeat(100)}\n`, 60).split('\n');
    expect(lines.filter((line) => displayWidth(line) > 60)).toEqual([]);
    const [at = 0] = lines.flatMap((line, index) => (line.includes('^') ? [index] : []));
    const caret = lines[at]?.indexOf('^') ?? 0;
    expect(takeColumns(lines[at - 1] ?? '', caret + 1).at(-1)).toBe('x');
  });

  test('the end of a long line is shown in a window around the caret', () => {
    const source = `version: 1\nlab: { a: ${'b'.repeat(200)}, ? [x] : 1 }\n`;
    const lines = format(source).split('\n');
    expect(lines.every((line) => line.length <= 80)).toBe(true);
    expect(lines.some((line) => line.includes('│ …'))).toBe(true);
  });

  test('a file cannot steer the terminal', () => {
    const text = format(`version: 1\nlab: "\u001b[31m\u202e"\nx\u009b: 1\n`);
    expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u202e]/u);
  });

  test('the count names errors and warnings apart', () => {
    const [error] = parseLab('', 'lab.yaml').diagnostics;
    if (error === undefined) throw new Error('an empty file has a problem');
    const warning = { ...error, severity: 'warning' as const };
    expect(formatCount([])).toBe('No problems.');
    expect(formatCount([error])).toBe('1 problem in lab.yaml; nothing was changed.');
    expect(formatCount([error, error, warning])).toBe('2 problems and 1 warning in lab.yaml; nothing was changed.');
    expect(formatCount([warning, warning])).toBe('2 warnings in lab.yaml.');
  });
});

test('a secret that was written into the file is not shown', () => {
  const source = 'version: 1\nlab: home\nproxmox: { token: "admin@pve!x=hidden-uuid" }\nrouter:\n  password: hunter2\n';
  const { diagnostics } = parseLab(source, 'lab.yaml');
  const text = formatDiagnostics(diagnostics, source, { width: 80 });
  expect(text).toContain('the secret itself');
  expect(`${text}${JSON.stringify(diagnostics)}`).not.toMatch(/hidden-uuid|hunter2/);
});
