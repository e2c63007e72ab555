import { describe, expect, test } from 'vitest';
import type { EntryChange } from '../edits/change.ts';
import type { OwnedEntry } from '../edits/plan-edits.ts';
import { backEndEntry, frontEndEntry } from '../entries/balancer-entry.ts';
import { markFor } from '../test-config.ts';
import { findBlamed } from './balancer-reload.ts';

const balancer = (key: string): readonly OwnedEntry[] => [
  backEndEntry(markFor(key), { name: `lw-${key}`, check: { kind: 'none' }, servers: [] }),
  frontEndEntry(markFor(key), {
    name: `lw-${key}`,
    address: { kind: 'one', address: '192.0.2.1' },
    port: 80,
    routing: { kind: 'tcp', backEnd: `lw-${key}` },
  }),
];
const added = (key: string): readonly EntryChange[] =>
  balancer(key).map(({ place, mark, value }) => ({ kind: 'entry', place, mark, after: value }));
const removed = (key: string): readonly EntryChange[] =>
  balancer(key).map(({ place, mark, value }) => ({ kind: 'entry', place, mark, before: value }));

describe('findBlamed', () => {
  const untaken = [...added('a'), ...added('b')];
  const desired = [...balancer('a'), ...balancer('b'), ...balancer('old')];
  const keysFor = (message: string): readonly string[] => [
    ...new Set(findBlamed(message, untaken, desired).map(({ mark }) => mark.key)),
  ];

  test.each([
    ['[ALERT] 333/101 (9) : Starting frontend lw-b: cannot bind socket [192.0.2.1:80]', ['b']],
    [
      '[ALERT] (9) : Binding [/var/etc/haproxy/haproxy.cfg:31] for frontend lw-b: cannot bind socket (Address already in use) for [192.0.2.1:80] [ALERT] (9) : [haproxy.main()] Some protocols failed to start their listeners! Exiting.',
      ['b'],
    ],
    ['Starting proxy lw-a-merged: cannot bind socket Starting proxy lw-old: cannot bind socket', ['a', 'old']],
    ['Starting frontend family: cannot bind socket', []],
    ['Starting frontend GLOBAL: cannot bind UNIX socket [/tmp/haproxy.socket]', []],
    ["FATAL ERROR CODE: 1 while starting haproxy [WARNING] (9) : missing timeouts for frontend 'lw-old'.", ['a', 'b']],
  ])('%s', (message, keys) => {
    expect(keysFor(message)).toEqual(keys);
  });

  test('takes back both ends of a new one, and of an older one the front end alone: others may lead to its back end', () => {
    const message = 'Starting frontend lw-b: no. Starting frontend lw-old: no.';
    const blamed = findBlamed(message, untaken, desired);
    expect(blamed.map(({ place, mark }) => [place.path.at(-1), mark.key])).toEqual([
      ['ha_pools', 'b'],
      ['ha_backends', 'b'],
      ['ha_backends', 'old'],
    ]);
  });

  test('what only went is no reason', () => {
    expect(findBlamed('no words', removed('a'), desired)).toEqual([]);
  });
});
