import { hostName } from '@labwright/core/addresses/names';
import type { LabEvent } from '@labwright/core/events/event';
import { expect, test } from 'vitest';
import { makeEventBus } from './event-bus.ts';

const eventAt = (at: number): LabEvent => ({
  type: 'boot',
  at,
  machine: hostName('node101'),
  stage: 'offered',
  detail: '',
});

test('everyone who listens hears each event once, from when they came until they go', () => {
  const bus = makeEventBus();
  const heard: string[] = [];
  const early = new AbortController();
  const late = new AbortController();
  bus.emit(eventAt(1));
  bus.listen((event) => heard.push(`early ${event.at}`), early.signal);
  bus.emit(eventAt(2));
  bus.listen((event) => heard.push(`late ${event.at}`), late.signal);
  bus.listen((event) => heard.push(`never ${event.at}`), AbortSignal.abort());
  bus.emit(eventAt(3));
  early.abort();
  bus.emit(eventAt(4));
  late.abort();
  bus.emit(eventAt(5));
  expect(heard).toEqual(['early 2', 'early 3', 'late 3', 'late 4']);
});

test('one that goes while an event is handed out takes it from nobody else', () => {
  const bus = makeEventBus();
  const going = new AbortController();
  const heard: number[] = [];
  bus.listen(() => going.abort(), going.signal);
  bus.listen((event) => heard.push(event.at), new AbortController().signal);
  bus.emit(eventAt(1));
  bus.emit(eventAt(2));
  expect(heard).toEqual([1, 2]);
});
