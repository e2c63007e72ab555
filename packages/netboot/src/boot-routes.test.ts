import fc from 'fast-check';
import { expect, test } from 'vitest';
import { autoexecRoute, parseBootPath, redactPath } from './boot-routes.ts';

const token = '0123456789abcdef0123456789abcdef';

test.each([`b/${token}/kernel`, `/b/${token}/kernel`, `//b//${token}///kernel`])('%s names the kernel', (path) => {
  expect(parseBootPath(path)).toEqual({ token, name: 'kernel' });
});

test.each([
  `b/${token}/`,
  `b/${token}`,
  `b/${token}/../kernel`,
  `b/${token}/.hidden`,
  `b/${token}/a/b`,
  `b/${token.toUpperCase()}/kernel`,
  `b/${token}0/kernel`,
  `../b/${token}/kernel`,
  `b\\${token}\\kernel`,
  `b/${token}/kernel\0`,
  `b/${token}/kernel\n`,
  `b/${token}/%2e%2e`,
])('%j names nothing', (path) => {
  expect(parseBootPath(path)).toBeUndefined();
});

test('no path names anything outside: what is named has no separator and no leading dot', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 80 }), (tail) => {
      const route = parseBootPath(`b/${token}/${tail}`);
      expect(route === undefined || /^[a-z0-9][a-z0-9._-]*$/.test(route.name)).toBe(true);
    }),
  );
});

test('a path in a log has no token, no control characters and an end', () => {
  expect(redactPath(`b/${token}/x\u001b[2J`)).toBe('b/TOKEN/x\\u001b[2J');
  expect(redactPath('x'.repeat(500))).toHaveLength(103);
});

test('autoexec.ipxe at the top is that of the boot whose loader was fetched from there', () => {
  const session = { token: '0123456789abcdef0123456789abcdef' };
  const route = { token: session.token, name: 'autoexec.ipxe' };
  expect(autoexecRoute('autoexec.ipxe', session)).toEqual(route);
  expect(autoexecRoute('/autoexec.ipxe', session)).toEqual(route);
  expect(autoexecRoute('autoexec.ipxe', undefined)).toBeUndefined();
  expect(autoexecRoute('x/autoexec.ipxe', session)).toBeUndefined();
});
