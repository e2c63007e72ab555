import { describe, expect, test } from 'vitest';
import { findHelpTopic, fitLines, formatItem, wordsOf } from './help.ts';

describe('help in words', () => {
  test.each([
    ['help', ''],
    ['help plan', 'plan'],
    ['help rehearse stop', 'rehearse stop'],
    ['rehearse help', 'rehearse'],
    ['rehearse stop help', 'rehearse stop'],
    ['config help', 'config'],
    ['--lab my.yaml plan help --json', 'plan'],
    ['help rehearse exec', 'rehearse exec'],
    ['help nonsense', 'nonsense'],
  ])('%s', (line, topic) => {
    expect(findHelpTopic(line.split(' '))).toBe(topic);
  });

  test.each(['plan', 'rehearse exec help', 'rehearse exec -- help', '--lab help plan', 'nonsense help', ''])(
    'not in "%s"',
    (line) => {
      expect(findHelpTopic(line.split(' '))).toBeUndefined();
    },
  );

  test('words are what is no option and no value of one', () => {
    expect(wordsOf(['--lab', 'x', 'plan', '--json', 'y', '--', 'z'])).toEqual(['plan', 'y']);
  });
});

describe('layout', () => {
  test('a term has its text beside it, or below where that leaves no room', () => {
    expect(formatItem('--json', 12, 'results and errors as JSON', 60)).toBe(
      '  --json        results and errors as JSON',
    );
    expect(formatItem('--json', 16, 'results and errors as JSON', 40)).toBe(
      ['  --json', '      results and errors as JSON'].join('\n'),
    );
    expect(formatItem('--json', 12, '', 40)).toBe('  --json');
  });

  test('a long line goes on below, indented', () => {
    expect(fitLines('Usage: labwright rehearse exec [options]\n  short', 30)).toBe(
      ['Usage: labwright rehearse exec', '  [options]', '  short'].join('\n'),
    );
  });
});
