import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatRefusal, isLockTimeout, parseAnswer } from './answer.ts';
import { parseUpid } from './upid.ts';

describe('an answer', () => {
  it('of any bytes is data, a refusal with a message, or foreign', () => {
    const body = fc.oneof(
      fc.string(),
      fc.json(),
      fc
        .record({ data: fc.jsonValue(), message: fc.jsonValue(), errors: fc.jsonValue() })
        .map((value) => JSON.stringify(value)),
    );
    fc.assert(
      fc.property(fc.integer({ min: 200, max: 599 }), fc.string(), body, (status, statusText, text) => {
        const answer = parseAnswer({ status, statusText, body: text });
        const isElsewhere = status >= 300 && status < 400;
        const possible = status < 300 ? ['data', 'foreign'] : isElsewhere ? ['foreign'] : ['refused', 'foreign'];
        expect(possible).toContain(answer.kind);
        const said = answer.kind === 'refused' ? formatRefusal(answer.refusal) : 'nothing to say';
        expect(said).toMatch(/\S/);
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    [
      { status: 302, statusText: 'Found', body: '', location: 'http://nas1:5000/' },
      '302 Found, a redirect to http://nas1:5000/',
    ],
    [{ status: 304, statusText: '', body: '' }, '304, and nothing more'],
    [{ status: 404, statusText: 'Not Found', body: '\n<html>' }, '404 Not Found, and a text that begins with "<html>"'],
    [{ status: 200, statusText: 'OK', body: 'Welcome' }, '200 OK, and a text that begins with "Welcome"'],
  ])('%# of another server is told by what it says', (raw, said) => {
    expect(parseAnswer(raw)).toEqual({ kind: 'foreign', said });
  });

  it.each([
    { status: 401, statusText: 'Unauthorized', body: '<html>' },
    { status: 502, statusText: 'Bad Gateway', body: '<html>' },
    { status: 501, statusText: "Method 'GET /x' not implemented", body: '' },
  ])('%# of Proxmox, or of a proxy that passes it on, is a refusal', (raw) => {
    expect(parseAnswer(raw)).toMatchObject({
      kind: 'refused',
      refusal: { status: raw.status, message: raw.statusText },
    });
  });

  it.each([
    "can't lock file '/var/lock/qemu-server/lock-101.conf' - got timeout",
    "clone failed: can't lock file '/var/lock/pve-manager/pve-storage-tank' - got timeout",
    "error with cfs lock 'storage-nfs': got lock request timeout",
  ])('"%s" is a lock that did not come in time', (message) => {
    expect(isLockTimeout(message)).toBe(true);
  });

  it.each(['VM is locked (backup)', 'VM quit/powerdown failed - got timeout', 'no quorum!'])(
    '"%s" is not',
    (message) => {
      expect(isLockTimeout(message)).toBe(false);
    },
  );
});

describe('a UPID', () => {
  it('tells node, type and VM, with a token as user, an empty id and nine digits of start', () => {
    const text = 'UPID:pve-2:000A1B2C:1A2B3C4D5:65F0A1B2:qmstart:101:labwright@pve!cli:';
    expect(parseUpid(text)).toEqual({ text, node: 'pve-2', type: 'qmstart', id: '101' });
    expect(parseUpid('UPID:pve1:000A1B2C:1A2B3C4D:65F0A1B2:startall::root@pam:')?.id).toBe('');
  });

  it('is refused when any part is missing', () => {
    const text = 'UPID:pve1:000A1B2C:1A2B3C4D:65F0A1B2:qmstart:101:root@pam:';
    for (let length = 0; length < text.length; length += 1) expect(parseUpid(text.slice(0, length))).toBeUndefined();
  });
});
