import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hostName, labId } from '@labwright/core/addresses/names';
import type { LabEvent } from '@labwright/core/events/event';
import { mergePlans } from '@labwright/core/plan/plan';
import { makeReport } from '@labwright/machines/sample-lab.test-data';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { openStore } from './store.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'store-'));
  path = join(folder, 'store.sqlite');
});
afterEach(() => rm(folder, { recursive: true }));

const node101 = hostName('node101');

describe('reports', () => {
  test('count until the machine goes down, and its host key is kept beyond that', () => {
    const store = openStore(path);
    store.saveReport(makeReport(101));
    store.saveReport(makeReport(102));
    store.outdateReport(node101);
    expect(store.currentReports()).toEqual([makeReport(102)]);
    expect(store.findReport(node101)).toEqual(makeReport(101));
    store.saveReport(makeReport(101, 2));
    expect(store.currentReports()).toEqual([makeReport(101, 2), makeReport(102)]);
    store.forgetReport(node101);
    expect(store.findReport(node101)).toBeUndefined();
    store.close();
  });
});

test('pins and plans are found again as they were', async () => {
  const plan = mergePlans(labId('home'), 7, [{ steps: [], problems: [], notes: ['it is late'] }]);
  const first = openStore(path);
  first.savePlan(plan);
  first.savePlan(plan);
  await first.pins.set('pve1', 'AA:BB');
  await first.pins.set('pve1', 'CC:DD');
  first.close();
  const again = openStore(path);
  expect(again.findPlan(plan.id)).toEqual(plan);
  expect(again.findPlan('ffffff')).toBeUndefined();
  expect(await again.pins.get('pve1')).toBe('CC:DD');
  expect(await again.pins.get('pve2')).toBeUndefined();
  again.close();
});

test('whatever was written before a SIGKILL is there after it', { timeout: 30_000 }, async () => {
  const script = `
    import { setImmediate } from 'node:timers/promises';
    import { openStore } from ${JSON.stringify(join(import.meta.dirname, 'store.ts'))};
    const store = openStore(process.argv[1]);
    for (let at = 1; ; at += 1) {
      store.saveReport({ name: 'node101', generation: at, bootId: 'b', sshHostKey: 'k', at });
      await store.append({ type: 'boot', at, machine: 'node101', stage: 'ready', detail: '' });
      process.stdout.write(at + '\\n');
      // Without a turn of the event loop, what a full pipe does not take at once would never be written.
      await setImmediate();
    }`;
  const writer = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', '--input-type=module-typescript', '--eval', script, path],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let told = '';
  writer.stdout.setEncoding('utf8').on('data', (text: string) => {
    told += text;
    if (told.length > 2_000) writer.kill('SIGKILL');
  });
  onTestFinished(() => void writer.kill('SIGKILL'));
  await once(writer, 'close');
  const last = Number(told.split('\n').at(-2));
  expect(last).toBeGreaterThan(100);
  const store = openStore(path);
  expect(store.findReport(node101)?.generation).toBeGreaterThanOrEqual(last);
  const next: LabEvent = { type: 'boot', at: 0, machine: node101, stage: 'ready', detail: '' };
  await expect(store.append(next)).resolves.toBeUndefined();
  store.close();
});

test('is for its owner only, also when the file was open to others', async () => {
  openStore(path).close();
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  await chmod(path, 0o644);
  openStore(path).close();
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test('a file that is no store is LW0005 and left as it is', async () => {
  await writeFile(path, 'my notes, much longer than the header of a database file is, and not one at all');
  expect(() => openStore(path)).toThrow(expect.objectContaining({ code: 'LW0005' }));
  expect(() => openStore(join(folder, 'nowhere', 'store.sqlite'))).toThrow(expect.objectContaining({ code: 'LW0005' }));
});
