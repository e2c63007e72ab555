// Runs every check of the tree in order, prints what each took, and stops at the first that fails:
//   node tools/check.ts [--quick]     --quick leaves out what needs namespaces
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const top = join(import.meta.dirname, '..');
const bin = (name: string): string => join(top, 'node_modules', '.bin', name);
const node = process.execPath;

interface Check {
  readonly name: string;
  readonly command: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

const testbed = join(top, 'packages/testbed/src');
const quick = process.argv.includes('--quick');

const checks: readonly Check[] = [
  { name: 'format', command: [bin('oxfmt'), '--check'] },
  { name: 'lint', command: [bin('oxlint'), '--type-aware', '--deny-warnings'] },
  { name: 'types', command: [bin('tsc')] },
  { name: 'unused', command: [bin('knip')] },
  { name: 'programs for tests', command: [node, join(testbed, 'programs/main.ts')] },
  // Network tests run in namespaces that have no way out, so what they boot is built before.
  { name: 'images for tests', command: [node, join(testbed, 'main.ts')] },
  { name: 'unit tests', command: [bin('vitest'), 'run'] },
  { name: 'network tests', command: [join(top, 'tools/in-testbed'), bin('vitest'), 'run'] },
  {
    name: 'firmware tests',
    command: [join(top, 'tools/in-testbed'), bin('vitest'), 'run', join(testbed, 'netboot/dhcp-modes.guest.test.ts')],
    environment: { LABWRIGHT_GUESTS: '1', LABWRIGHT_PAIRWISE: '1' },
  },
];
const slow = new Set(['images for tests', 'network tests', 'firmware tests']);

let failed: string | undefined;
for (const check of checks.filter(({ name }) => !quick || !slow.has(name))) {
  const startedAt = performance.now();
  const [program = '', ...argv] = check.command;
  // Programs of npm packages find Node 24 first, whatever the system has.
  const path = `${join(node, '..')}:${process.env['PATH'] ?? ''}`;
  const env = { ...process.env, ...check.environment, PATH: path };
  const { status } = spawnSync(program, argv, { cwd: top, stdio: 'inherit', env });
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  console.log(`— ${check.name}: ${status === 0 ? 'passed' : 'FAILED'} in ${seconds} s`);
  if (status !== 0) {
    failed = check.name;
    break;
  }
}
process.exitCode = failed === undefined ? 0 : 1;
