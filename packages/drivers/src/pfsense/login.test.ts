import { LabwrightError } from '@labwright/core/errors/error';
import { Secret } from '@labwright/core/ports/secret';
import { describe, expect, test } from 'vitest';
import { RouterLogin } from './login.ts';

const refusal = new LabwrightError('LW8002', { what: 'refused' });

describe('a refused login', () => {
  test('is mended by another password, and by nothing else', async () => {
    let [password, readable] = ['old', true];
    const readPassword = async () => await (readable ? Promise.resolve(new Secret(password)) : Promise.reject(refusal));
    const login = new RouterLogin({ password: new Secret('old'), readPassword, now: () => 0 });
    login.refused(refusal, 'login');
    expect(await login.isMended()).toBe(false);
    readable = false;
    expect(await login.isMended()).toBe(false);
    expect(login.refusal).toBe(refusal);
    [password, readable] = ['new', true];
    expect(await login.isMended()).toBe(true);
    expect([login.refusal, login.password.reveal()]).toEqual([undefined, 'new']);
  });

  test('is tried once more when a person asks, and not so often that the router bans us', () => {
    let now = 0;
    const login = new RouterLogin({ password: new Secret('old'), now: () => now });
    login.refused(refusal, 'login');
    expect(login.forgive()).toBe(true);
    login.refused(refusal, 'login');
    expect(login.forgive()).toBe(false);
    expect(login.refusal).toBe(refusal);
    now = 31 * 60_000;
    expect(login.forgive()).toBe(true);
  });

  test('that lacks a privilege is asked again each minute', async () => {
    let now = 0;
    const login = new RouterLogin({ password: new Secret('old'), now: () => now });
    login.refused(refusal, 'privilege');
    expect(await login.isMended()).toBe(false);
    now = 60_000;
    expect(await login.isMended()).toBe(true);
  });
});
