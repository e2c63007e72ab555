// The HMAC that a machine computes with nothing but its shell, against Node's.
import { execFileSync } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const script = readFileSync(join(import.meta.dirname, 'guest/installed/phone-home'), 'utf8');
const functions = script.slice(script.indexOf('# Bytes as printf'), script.indexOf('\nkey=\n'));

test.each([
  ['a key of ours', randomBytes(32), '{"lab":"home","machine":"node101","generation":1}'],
  ['bytes that printf could trip over', Buffer.from('00255c0a27'.padEnd(64, 'f'), 'hex'), "100% \\n 'quoted' \\\\"],
  ['an empty message', Buffer.alloc(32, 1), ''],
])('%s', (_name, key, message) => {
  const signed = execFileSync(
    '/bin/sh',
    ['-c', `${functions}\nhmac_sha256 "$1" "$2"`, 'sh', key.toString('hex'), message],
    { encoding: 'utf8' },
  );
  expect(signed.trim()).toBe(createHmac('sha256', key).update(message).digest('hex'));
});
