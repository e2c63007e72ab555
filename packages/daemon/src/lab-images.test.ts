import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kubernetesVersion } from '@labwright/core/addresses/kubernetes-version';
import type { ClusterBlueprint } from '@labwright/core/blueprint/blueprint';
import { LabwrightError } from '@labwright/core/errors/error';
import type { Clock } from '@labwright/core/ports/clock';
import { silentLog } from '@labwright/core/ports/log';
import { systemClock } from '@labwright/core/ports/system';
import type { KubernetesRelease } from '@labwright/images/kubernetes/release';
import type { BootImage } from '@labwright/netboot/boot-network';
import { makeMachine } from '@labwright/machines/sample-lab.test-data';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ensureLabImages } from './boot-images.ts';
import { openLabImages, type LabImages } from './lab-images.ts';

const signal = new AbortController().signal;
const worker = makeMachine(102, { role: 'worker' });
const plain = makeMachine(103);
// Of both only that they are there is looked at.
const cluster = { version: kubernetesVersion('1.99.0') } as ClusterBlueprint;
const release = { version: cluster.version } as KubernetesRelease;
const image = {} as BootImage;
const noSource = new LabwrightError('LW4003', { what: 'no source has Kubernetes 1.99.0' });

let folder: string;
let now: number;
let pauses: number;
/** Whoever waits has waited already. */
const clock: Clock = {
  ...systemClock,
  monotonic: () => now,
  sleep: async () => {
    pauses += 1;
    await new Promise((resolve) => setImmediate(resolve));
  },
};

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lab-images-'));
  now = 0;
  pauses = 0;
});
afterEach(async () => await rm(folder, { recursive: true }));

async function open(ensureImages: typeof ensureLabImages, begun = true): Promise<LabImages> {
  const context = { cacheDir: folder, signal, onProgress: () => undefined };
  const options = { log: silentLog, clock, ensureImages };
  const images = await openLabImages({ machines: [worker, plain], cluster }, context, options);
  if (begun) images.start();
  return images;
}

/** What a machine outside of the cluster boots is always to be had. */
const making =
  (members: typeof ensureLabImages): typeof ensureLabImages =>
  async (blueprint, context, found) => {
    if (blueprint.cluster === undefined) found?.onImage?.('debian', image);
    else await members(blueprint, context, found);
  };

test('a version that no source has is told of, and tried again after a while', async () => {
  let tries = 0;
  const images = await open(
    making(async (_blueprint, _context, found) => {
      tries += 1;
      if (tries < 3) throw noSource;
      found?.onRelease?.(release);
      found?.onImage?.('debian-worker', image);
    }),
  );
  expect(await images.findObstacle(worker, signal)).toBe(noSource);
  expect(await images.findObstacle(worker, signal)).toBe(noSource);
  expect(tries).toBe(1);
  now += 61_000;
  expect(await images.findObstacle(worker, signal)).toBe(noSource);
  expect(tries).toBe(2);
  now += 61_000;
  expect(await images.findObstacle(worker, signal)).toBeUndefined();
  expect(await images.images.get('debian-worker')).toBe(image);
});

test('is no concern of a machine outside of the cluster, whose image is made all the same', async () => {
  const images = await open(
    making(async () => {
      throw noSource;
    }),
  );
  expect(await images.findObstacle(plain, signal)).toBeUndefined();
  await expect.poll(async () => await images.images.get('debian')).toBe(image);
});

test('while nothing is known it is waited for, and no longer than that', async () => {
  const { promise: forEver } = Promise.withResolvers<void>();
  const images = await open(making(async () => await forEver));
  expect(await images.findObstacle(worker, signal)).toBeUndefined();
  expect(pauses).toBe(1);
});

test('a release that is here may become an image', async () => {
  const { promise: forEver } = Promise.withResolvers<void>();
  const images = await open(
    making(async (_blueprint, _context, found) => {
      found?.onRelease?.(release);
      await forEver;
    }),
  );
  expect(await images.findObstacle(worker, signal)).toBeUndefined();
});

test('before they are begun nobody knows of an obstacle', async () => {
  const images = await open(
    making(async () => {}),
    false,
  );
  expect(await images.findObstacle(worker, signal)).toBeUndefined();
});
