import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { encodeCpio } from './cpio.ts';

test('GNU cpio unpacks what is encoded', () => {
  const folder = mkdtempSync(join(tmpdir(), 'labwright-cpio-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const archive = encodeCpio([
    { kind: 'directory', path: 'bin', mode: 0o755 },
    // Lengths that leave every remainder of four.
    ...[0, 1, 2, 3, 4, 5].map(
      (length) =>
        ({
          kind: 'file',
          path: `bin/f${'x'.repeat(length)}`,
          mode: 0o750,
          content: new Uint8Array(length).fill(65),
        }) as const,
    ),
    { kind: 'link', path: 'bin/sh', target: 'busybox' },
  ]);
  execFileSync('cpio', ['--extract', '--quiet', '--no-absolute-filenames'], { input: archive, cwd: folder });
  for (const length of [0, 1, 2, 3, 4, 5])
    expect(readFileSync(join(folder, `bin/f${'x'.repeat(length)}`), 'utf8')).toBe('A'.repeat(length));
  expect(statSync(join(folder, 'bin/f')).mode & 0o7777).toBe(0o750);
  expect(readlinkSync(join(folder, 'bin/sh'))).toBe('busybox');
});
