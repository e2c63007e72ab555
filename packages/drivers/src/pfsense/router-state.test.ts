import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';
import { fetchRouterState } from './router-state.ts';
import { sampleConfig } from './test-config.ts';
import { connectTo, makeRouterCertificate, openRouterPeer, snippetReply } from './test-peer.ts';

const certificate = await makeRouterCertificate();
const signal = new AbortController().signal;
const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of open.splice(0).toReversed()) await each.close();
});

const stateOf = (text: string) => ({
  kind: 'state',
  version: '2.7.2-RELEASE',
  platform: 'pfSense',
  configVersion: '23.3',
  hash: createHash('sha256').update(text).digest('hex'),
  isPending: false,
  hasBalancer: true,
  resolver: '4711 1',
  heldBy: '',
  config: gzipSync(text).toString('base64'),
});

async function routerThatSays(answer: (count: number) => object) {
  let count = 0;
  const peer = await openRouterPeer(certificate, () => snippetReply(answer((count += 1))));
  const connection = connectTo(peer.port);
  open.push(peer, connection);
  return connection;
}

describe('fetchRouterState', () => {
  test('keeps the tree while the configuration is the same', async () => {
    const connection = await routerThatSays((count) => ({
      ...stateOf(sampleConfig),
      ...(count > 1 ? { config: '' } : {}),
    }));
    const first = await fetchRouterState(connection, undefined, signal);
    const second = await fetchRouterState(connection, first, signal);
    expect(first.text).toBe(sampleConfig);
    expect(second.document).toBe(first.document);
    expect(first.profile).toMatchObject({ line: '2.7.2', edition: 'CE' });
  });

  test('tells who holds the right to write', async () => {
    const connection = await routerThatSays(() => ({ ...stateOf(sampleConfig), heldBy: 'other' }));
    expect((await fetchRouterState(connection, undefined, signal)).heldBy).toBe('other');
  });

  test.each([
    ['is no XML', { ...stateOf('<pfsense><a></pfsense>') }],
    ['has a document type', { ...stateOf('<!DOCTYPE pfsense [<!ENTITY a "b">]><pfsense>&a;</pfsense>') }],
    ['is not compressed', { ...stateOf(sampleConfig), config: Buffer.from('plain').toString('base64') }],
    [
      'grows beyond all measure',
      { ...stateOf(sampleConfig), config: gzipSync(Buffer.alloc(33 * 1024 * 1024)).toString('base64') },
    ],
    ['is none', { ...stateOf(sampleConfig), config: 7 }],
  ])('a configuration that %s is refused', async (_what, answer) => {
    await expect(fetchRouterState(await routerThatSays(() => answer), undefined, signal)).rejects.toMatchObject({
      code: 'LW8005',
    });
  });

  test('a failure of the snippet is the router’s refusal', async () => {
    const connection = await routerThatSays(() => ({ kind: 'failed', message: 'disk full' }));
    await expect(fetchRouterState(connection, undefined, signal)).rejects.toMatchObject({
      code: 'LW8004',
      why: 'disk full',
    });
  });
});
