import { userInfo } from 'node:os';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { getFolders } from './folders.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

describe('folders', () => {
  test('are where the environment says', () => {
    expect(getFolders({ XDG_CACHE_HOME: '/c', XDG_STATE_HOME: '/s' })).toEqual({
      cache: '/c/labwright',
      state: '/s/labwright',
    });
  });

  test.each(['', 'relative', './here'])('%j is no place, neither as XDG folder nor as HOME', (path) => {
    vi.stubEnv('HOME', path);
    const { homedir } = userInfo();
    expect(getFolders({ XDG_CACHE_HOME: path, XDG_STATE_HOME: path })).toEqual({
      cache: `${homedir}/.cache/labwright`,
      state: `${homedir}/.local/state/labwright`,
    });
  });
});
