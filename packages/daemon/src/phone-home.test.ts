import { createHmac } from 'node:crypto';
import { Secret } from '@labwright/core/ports/secret';
import { makeBlueprint, makeMachine } from '@labwright/machines/sample-lab.test-data';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { judgePhoneHome, parsePhoneHome, type PhoneHomeJudgement } from './phone-home.ts';

const blueprint = makeBlueprint([makeMachine(101), makeMachine(102)]);
const keys = new Map([
  ['node101', '1f'.repeat(32)],
  ['node102', '2f'.repeat(32)],
]);
const call = {
  lab: 'home',
  machine: 'node101',
  generation: 2,
  bootId: '6b1c7e0e-9d2f-4a57-8a30-2f6f0e0f2a11',
  sshHostKey: `ssh-ed25519 ${'A'.repeat(68)}`,
};

const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const sign = (bytes: Uint8Array, keyHex: string): string =>
  createHmac('sha256', Buffer.from(keyHex, 'hex')).update(bytes).digest('hex');

/** As the service does it: whose key counts is read off the body. */
function judge(bytes: Uint8Array, signature: string): PhoneHomeJudgement {
  const parsed = parsePhoneHome(bytes, blueprint);
  if (parsed.kind === 'refused') return parsed;
  return judgePhoneHome(parsed, bytes, signature, new Secret(keys.get(parsed.machine.name) ?? ''), 1_000);
}

const signedBy = (value: unknown, machine = 'node101'): PhoneHomeJudgement => {
  const bytes = encode(value);
  return judge(bytes, sign(bytes, keys.get(machine) ?? ''));
};

describe('a phone call', () => {
  test('with the signature of its machine is believed', () => {
    const { lab: _lab, machine: name, ...rest } = call;
    expect(signedBy(call)).toMatchObject({ kind: 'accepted', report: { name, ...rest, at: 1_000 } });
  });

  test.each([
    ['another lab', { lab: 'home+rehearsal' }, 403],
    ['a machine that is not in the file', { machine: 'node999' }, 403],
    ['generation nought', { generation: 0 }, 400],
    ['half a generation', { generation: 1.5 }, 400],
    ['a boot id that is none', { bootId: 'now' }, 400],
    ['a host key of another kind', { sshHostKey: 'ssh-rsa AAAA' }, 400],
    ['a second line in the host key', { sshHostKey: `${call.sshHostKey}\nnode102 ssh-ed25519 ${'B'.repeat(68)}` }, 400],
    ['a host key with a comment', { sshHostKey: `${call.sshHostKey} root@node101` }, 400],
    ['a field that does not belong', { address: '10.1.0.1' }, 400],
    ['a missing field', { bootId: undefined }, 400],
  ])('with %s is refused', (_what, change, status) => {
    expect(signedBy({ ...call, ...change })).toMatchObject({ kind: 'refused', status });
  });

  test('signed by another machine of the lab is refused', () => {
    expect(signedBy(call, 'node102')).toMatchObject({ kind: 'refused', status: 401 });
  });

  test('that was changed after it was signed, in any one bit, is refused', () => {
    const bytes = encode(call);
    const signature = sign(bytes, keys.get('node101') ?? '');
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(7), (at, bit) => {
        const changed = Uint8Array.from(bytes);
        changed[at] = (changed[at] ?? 0) ^ (1 << bit);
        expect(judge(changed, signature).kind).toBe('refused');
      }),
    );
  });

  test('with any other text for a signature is refused', () => {
    const bytes = encode(call);
    const right = sign(bytes, keys.get('node101') ?? '');
    const texts = fc.oneof(
      fc.string(),
      fc.stringMatching(/^[0-9a-f]{64}$/),
      fc.nat(63).map((end) => right.slice(0, end)),
    );
    fc.assert(
      fc.property(texts, (text) => {
        fc.pre(text.toLowerCase() !== right);
        expect(judge(bytes, text)).toMatchObject({ kind: 'refused', status: 401 });
      }),
    );
  });

  test.each([
    ['is gone', undefined],
    ['has an empty serial number', ''],
    ['has the serial number of a person', 'DELL-4711'],
    ['has a key that is too short', '1f'.repeat(31)],
  ])('is refused when the VM %s, whatever key it is signed with', (_how, serial) => {
    const bytes = encode(call);
    const parsed = parsePhoneHome(bytes, blueprint);
    if (parsed.kind === 'refused') throw new Error(parsed.reason);
    const key = serial === undefined ? undefined : new Secret(serial);
    for (const used of ['', '00'.repeat(32), serial ?? ''])
      expect(judgePhoneHome(parsed, bytes, sign(bytes, used), key, 0)).toMatchObject({ kind: 'refused', status: 401 });
  });

  test('of any bytes at all gets an answer', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.json().map((text) => new TextEncoder().encode(text)),
        ),
        (bytes) => {
          expect(judge(bytes, '').kind).toBe('refused');
        },
      ),
    );
  });
});
