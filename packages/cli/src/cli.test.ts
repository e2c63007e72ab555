// The command line without a process: what help and explanations look like on terminals of every width.
import { errorTable } from '@labwright/core/errors/table';
import { systemClock, systemRandom } from '@labwright/core/ports/system';
import { describe, expect, test } from 'vitest';
import { runCommandLine, type ProgramBase } from './cli.ts';
import { commandGroups, commands } from './commands/commands.ts';
import { exitCodes } from './program.ts';
import { makeScreen } from './render/screen.test-data.ts';

/** Nothing these commands do depends on a folder or a lab. */
async function run(argv: readonly string[], columns: number, { directory, interrupt }: Partial<ProgramBase> = {}) {
  const screen = makeScreen({ columns, rows: 24, isInteractive: false });
  const never = new AbortController().signal;
  const exitCode = await runCommandLine(argv, {
    terminal: { ...screen, outStyle: screen.outStyle, errStyle: screen.errStyle },
    environment: {},
    folders: { cache: '/nowhere', state: '/nowhere' },
    directory,
    clock: systemClock,
    random: systemRandom,
    interrupt: interrupt ?? never,
    signal: never,
  });
  return { exitCode, text: screen.lines().join('\n'), widest: screen.widest() };
}

describe.each([40, 60, 80, 100])('on %d columns', (columns) => {
  test.each(['', ...commands.map(({ name }) => name), ...Object.keys(commandGroups)])(
    'help of "%s" fits',
    async (name) => {
      const { exitCode, text, widest } = await run(['help', ...name.split(' ').filter((word) => word !== '')], columns);
      expect([exitCode, text]).toEqual([exitCodes.done, expect.stringContaining('Examples:')]);
      expect(widest).toBeLessThanOrEqual(columns);
    },
  );

  test('every error is explained in lines that fit', async () => {
    for (const code of Object.keys(errorTable)) {
      const { exitCode, widest } = await run(['explain', code], columns);
      expect([code, exitCode, widest <= columns]).toEqual([code, exitCodes.done, true]);
    }
  });

  test('a typing mistake fits', async () => {
    const { exitCode, widest } = await run(['rehearse', 'a-very-long-word-that-is-no-command-of-ours'], columns);
    expect([exitCode, widest <= columns]).toEqual([exitCodes.usage, true]);
  });
});

test('help on a narrow terminal', async () => {
  const { text } = await run(['help', 'rehearse'], 40);
  await expect(text).toMatchFileSnapshot('render/testdata/help-rehearse.40.txt');
});

test('help of everything', async () => {
  const { text } = await run(['help'], 80);
  await expect(text).toMatchFileSnapshot('render/testdata/help.80.txt');
});

test('an interrupted command with --json is an error as a document', async () => {
  const interrupted = { directory: '/', interrupt: AbortSignal.abort() };
  const { exitCode, text } = await run(['config', 'check', '--json', '--lab', '/nowhere'], 80, interrupted);
  expect([exitCode, JSON.parse(text)]).toMatchObject([exitCodes.interrupted, { error: { code: 'LW0003' } }]);
});
