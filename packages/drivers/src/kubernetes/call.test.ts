import { silentLog } from '@labwright/core/ports/log';
import type { Clock } from '@labwright/core/ports/clock';
import { describe, expect, test } from 'vitest';
import { type Caller, formatPath, makeCaller } from './call.ts';
import type { ApiRequest, ApiTransport, Exchange } from './transport.ts';

const signal = new AbortController().signal;
const read: ApiRequest = { method: 'GET', path: '/api/v1/nodes' };
const write: ApiRequest = { method: 'POST', path: '/api/v1/nodes', body: { type: 'application/json', text: '{}' } };
const done: Exchange = { kind: 'answer', status: 200, body: '{"ok":true}' };
const refused = (
  status: number,
  more: { readonly message?: string; readonly details?: object; readonly retryAfterMs?: number } = {},
): Exchange => ({
  kind: 'answer',
  status,
  body: JSON.stringify({ kind: 'Status', message: more.message ?? 'no', details: more.details }),
  ...(more.retryAfterMs === undefined ? {} : { retryAfterMs: more.retryAfterMs }),
});
const silence = (sent: boolean): Exchange => ({ kind: 'silence', sent, reason: 'connect ECONNREFUSED' });

/** A caller whose transport gives these answers, one after the other, and a clock on which sleeping takes no time. */
function makeScript(...exchanges: readonly Exchange[]): {
  readonly caller: Caller;
  readonly slept: number[];
  readonly asked: () => number;
} {
  const slept: number[] = [];
  let asked = 0;
  const transport: ApiTransport = {
    send: () => Promise.resolve(exchanges[Math.min(asked++, exchanges.length - 1)] ?? done),
    stream: () => Promise.reject(new Error('not asked for')),
    close: () => Promise.resolve(),
  };
  const clock: Clock = {
    now: () => 0,
    monotonic: () => 0,
    sleep: (ms, until) => {
      until.throwIfAborted();
      slept.push(ms);
      return Promise.resolve();
    },
  };
  return { caller: makeCaller(transport, '10.1.0.10:6443', clock, silentLog), slept, asked: () => asked };
}

describe('what passes by itself is asked again', () => {
  test.each<[string, ApiRequest, Exchange]>([
    ['no answer to a read', read, silence(true)],
    ['a connection that did not come about, also for a write', write, silence(false)],
    ['an API server that shuts down', read, refused(503)],
    ['one with too much to do, also for a write', write, refused(429)],
    ['an etcd that elects its leader', write, refused(500, { message: 'etcdserver: leader changed' })],
  ])('%s', async (_, request, first) => {
    const { caller, slept } = makeScript(first, first, done);
    expect(await caller.call(request, { signal })).toEqual({ ok: true });
    expect(slept).toEqual([250, 1_000]);
  });

  test('after the time that the server asks for, if that is not long', async () => {
    const { caller, slept } = makeScript(
      refused(429, { retryAfterMs: 3_000 }),
      refused(503, { retryAfterMs: 3_600_000 }),
      done,
    );
    await caller.call(read, { signal });
    expect(slept).toEqual([3_000, 10_000]);
  });

  test('a bounded number of times', async () => {
    const { caller, asked } = makeScript(silence(false));
    await expect(caller.call(read, { signal })).rejects.toMatchObject({ code: 'LW6001', why: 'connect ECONNREFUSED' });
    expect(asked()).toBe(5);
    const once = makeScript(silence(false));
    await expect(once.caller.call(read, { signal, tries: 1 })).rejects.toMatchObject({ code: 'LW6001' });
    expect(once.asked()).toBe(1);
  });

  test('until the signal is aborted', async () => {
    const { caller } = makeScript(silence(false));
    await expect(caller.call(read, { signal: AbortSignal.abort(new Error('Ctrl-C')) })).rejects.toThrow('Ctrl-C');
  });
});

describe('what does not pass is told at once', () => {
  test.each<[string, ApiRequest, Exchange, object]>([
    ['a write that may have arrived', write, silence(true), { code: 'LW6001' }],
    ['a refused login', read, refused(401), { code: 'LW6002' }],
    [
      'a missing right',
      read,
      refused(403),
      { code: 'LW6004', message: 'Labwright may not do this in the cluster at 10.1.0.10:6443' },
    ],
    ['a conflict', write, refused(409), { code: 'LW6005' }],
    [
      'a mistake of the API server',
      read,
      refused(500, { message: 'omits key field' }),
      { code: 'LW6004', why: 'omits key field' },
    ],
    ['a page of somebody else', read, { kind: 'answer', status: 200, body: '<html>' }, { code: 'LW6006' }],
    [
      'an error page of somebody else',
      read,
      { kind: 'answer', status: 418, body: '<html>\n teapot' },
      { code: 'LW6004', why: '<html> teapot' },
    ],
    [
      'a disruption budget',
      write,
      refused(429, { message: 'Cannot evict', details: { causes: [{ reason: 'DisruptionBudget' }] } }),
      { code: 'LW6004', why: 'Cannot evict' },
    ],
  ])('%s', async (_, request, answer, error) => {
    const { caller, asked } = makeScript(answer, done);
    await expect(caller.call(request, { signal })).rejects.toMatchObject(error);
    expect(asked()).toBe(1);
  });
});

test('a path has its parts encoded and only the parameters that are set', () => {
  expect(formatPath(['api', 'v1', 'a/b'], { x: 'a b&c', y: undefined, z: true })).toBe(
    '/api/v1/a%2Fb?x=a+b%26c&z=true',
  );
  expect(() => formatPath(['api', '..'])).toThrow(expect.objectContaining({ code: 'LW0001' }));
});
