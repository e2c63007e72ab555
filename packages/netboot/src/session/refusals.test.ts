import { expect, test } from 'vitest';
import type { BootRefusedEvent } from '@labwright/core/events/boot';
import { silentLog } from '@labwright/core/ports/log';
import { Refusals } from './refusals.ts';

test('a peer is told of once for a while, and a flood is counted but not told', () => {
  let now = 0;
  const events: BootRefusedEvent[] = [];
  const clock = { now: () => now, monotonic: () => now, sleep: () => Promise.resolve() };
  const refusals = new Refusals({ clock, log: silentLog, emit: (event) => events.push(event) });
  for (let index = 0; index < 10; index += 1) refusals.refuse('http', '10.1.0.66', 'no boot has this token');
  expect(events).toHaveLength(1);
  now = 31_000;
  refusals.refuse('http', '10.1.0.66', 'no boot has this token');
  expect(events).toHaveLength(2);
  for (let index = 0; index < 1_000; index += 1) refusals.refuse('tftp', `10.1.1.${index}`, 'nothing');
  expect(events.length).toBeLessThanOrEqual(201);
  expect(refusals.count).toBe(1_011);
});
