// A watch of the driver, through lost API servers and forgotten history.
import { silentLog } from '@labwright/core/ports/log';
import { systemClock } from '@labwright/core/ports/system';
import { type ClusterConnection, connectCluster } from '@labwright/drivers/kubernetes/connection';
import { type ConfigMap, configMapKind } from '@labwright/drivers/kubernetes/kind';
import type { WatchHandlers } from '@labwright/drivers/kubernetes/watch';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findPrograms } from './binaries.ts';
import { type ControlPlane, startControlPlane } from './control-plane.ts';

const found = await findPrograms();
const { signal } = new AbortController();
const patience = { timeout: 15_000, interval: 50 };

describe.skipIf(found.kind === 'missing')('a watch', () => {
  let plane: ControlPlane;
  /** Logged in at the second API server, which stays. */
  let other: ClusterConnection;

  beforeAll(async () => {
    if (found.kind === 'missing') return;
    plane = await startControlPlane({ programs: found.programs, apiServers: 2, etcdMembers: 1 });
    const login = await plane.apiServers[1]?.login('other', ['system:masters']);
    if (login === undefined) throw new Error('no second API server');
    other = connectCluster(login, { clock: systemClock, log: silentLog });
  });
  afterAll(async () => {
    await other?.close();
    await plane?.stop();
  });

  const put = async (namespace: string, name: string, value: string): Promise<void> => {
    await other.apply(
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace }, data: { value } },
      { signal },
    );
  };
  const remove = async (namespace: string, name: string): Promise<void> => {
    await other.delete(configMapKind, { name, namespace }, { signal });
  };
  const makeNamespace = async (name: string): Promise<string> => {
    await other.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }, { signal });
    return name;
  };
  const story = (): { readonly told: string[]; readonly handlers: WatchHandlers<ConfigMap> } => {
    const told: string[] = [];
    // kube-root-ca.crt is put into every namespace by the cluster.
    const tell = (word: string, { metadata, data }: ConfigMap): void => {
      if (metadata.name !== 'kube-root-ca.crt') told.push(`${word} ${metadata.name}=${data?.['value'] ?? ''}`);
    };
    const handlers: WatchHandlers<ConfigMap> = {
      added: (object) => tell('+', object),
      changed: (object) => tell('~', object),
      gone: (object) => tell('-', object),
      synced: () => told.push('synced'),
      troubled: (error) => told.push(`troubled ${error.code}`),
      recovered: () => told.push('recovered'),
    };
    return { told, handlers };
  };

  test('tells what is there, then each change once, and ends with its signal', async () => {
    const namespace = await makeNamespace('plain');
    await put(namespace, 'a', '1');
    const { told, handlers } = story();
    const stopping = new AbortController();
    const watching = plane.connection.watch(configMapKind, { namespace }, handlers, stopping.signal);
    await expect.poll(() => told, patience).toEqual(['+ a=1', 'synced']);
    await put(namespace, 'a', '2');
    await put(namespace, 'b', '1');
    await remove(namespace, 'a');
    await expect.poll(() => told.slice(2), patience).toEqual(['~ a=2', '+ b=1', '- a=2']);
    stopping.abort();
    await watching;
  });

  test('that a handler breaks ends with its error', async () => {
    const watching = plane.connection.watch(
      configMapKind,
      {},
      {
        added: () => {
          throw new Error('broken handler');
        },
        changed: () => undefined,
        gone: () => undefined,
      },
      signal,
    );
    await expect(watching).rejects.toThrow('broken handler');
  });

  test('loses nothing and tells nothing twice while its API server is away, even when that forgets the history', async () => {
    const namespace = await makeNamespace('restart');
    for (const name of ['stays', 'changes', 'goes', 'replaced']) await put(namespace, name, '1');
    const { told, handlers } = story();
    const stopping = new AbortController();
    const watching = plane.connection.watch(configMapKind, { namespace }, handlers, stopping.signal);
    await expect.poll(() => told.includes('synced'), patience).toBe(true);
    told.length = 0;

    const [first] = plane.apiServers;
    await first.kill();
    await put(namespace, 'changes', '2');
    await remove(namespace, 'goes');
    await remove(namespace, 'replaced');
    await put(namespace, 'replaced', 'new');
    await put(namespace, 'comes', '1');
    await expect.poll(() => told, patience).toEqual(['troubled LW6001']);
    // A new API server knows no history before its start: it answers 410 to the watch, which then lists.
    await first.start();
    await expect.poll(() => told.includes('+ comes=1'), patience).toBe(true);
    await put(namespace, 'after', '1');
    await expect.poll(() => told.includes('+ after=1'), patience).toBe(true);
    expect(told.slice(0, 2)).toEqual(['troubled LW6001', 'recovered']);
    expect(told.slice(2, -1).toSorted()).toEqual(
      ['~ changes=2', '- goes=1', '- replaced=1', '+ replaced=new', '+ comes=1'].toSorted(),
    );
    stopping.abort();
    await watching;
  });
});
