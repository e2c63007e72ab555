import { systemClock } from '@labwright/core/ports/system';
import { silentLog } from '@labwright/core/ports/log';
import { afterEach, expect, test, vi } from 'vitest';
import { makeNode, makeService, makeSettings } from '../exposures/cluster.test-data.ts';
import type { ExposureSettings } from '../exposures/exposure.ts';
import {
  type ExposureController,
  type ExposureControllerOptions,
  startExposureController,
} from './exposure-controller.ts';
import type { NetworkEnd } from './network-end.ts';

const objects: Readonly<Record<string, readonly object[]>> = {
  Service: [makeService('web', { hostname: 'web.svc' })],
  Node: [makeNode('node101')],
};
const connection = {
  watch: async (
    { kind }: { readonly kind: string },
    _: object,
    handlers: { added(object: object): void; synced(): void },
    signal: AbortSignal,
  ) => {
    for (const object of objects[kind] ?? []) handlers.added(object);
    handlers.synced();
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
  },
  apply: () => Promise.resolve(),
  patch: () => Promise.resolve(),
} as unknown as ExposureControllerOptions['connection'];

let controller: ExposureController | undefined;
afterEach(async () => await controller?.close());

test('decides nothing while what the router has itself is not known, and all when it is', async () => {
  let settings: ExposureSettings | undefined;
  const put = vi.fn<NetworkEnd['put']>(() => Promise.resolve([]));
  controller = startExposureController({
    connection,
    ends: [{ name: 'end', put }],
    settings: () => settings,
    power: () => new Map(),
    clock: systemClock,
    log: silentLog,
  });
  controller.touch();
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(controller.decision()).toBeUndefined();
  expect(put).not.toHaveBeenCalled();
  settings = makeSettings();
  controller.touch();
  await vi.waitFor(() => expect(put).toHaveBeenCalledTimes(1));
  expect(put.mock.calls[0]?.[0].names).toMatchObject([{ name: 'web.svc' }]);
});
