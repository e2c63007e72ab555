import { defineConfig } from 'vitest/config';

// Three kinds of tests by file name: x.test.ts runs anywhere; x.net.test.ts needs namespaces of its own (tools/in-testbed);
// x.guest.test.ts boots real guests there and takes minutes.
const kind = process.env['LABWRIGHT_GUESTS'] === '1' ? 'guest' : process.env['LABWRIGHT_TESTBED'] === '1' ? 'net' : '';
const all = 'packages/*/src/**';

export default defineConfig({
  test: {
    include: kind === '' ? [`${all}/*.test.ts`, 'tools/**/*.test.ts'] : [`${all}/*.${kind}.test.ts`],
    exclude: kind === '' ? ['**/*.net.test.ts', '**/*.guest.test.ts', '**/node_modules/**'] : ['**/node_modules/**'],
    setupFiles: kind === 'net' ? ['packages/testbed/src/network/empty-testbed.ts'] : [],
    reporters: ['default', './tools/closing-line.ts'],
    testTimeout: 20_000,
    hookTimeout: 60_000,
    fileParallelism: kind === '',
  },
});
