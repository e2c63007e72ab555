// The driver's connection against a real API server.
import events from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { silentLog } from '@labwright/core/ports/log';
import { Secret } from '@labwright/core/ports/secret';
import { systemClock, systemRandom } from '@labwright/core/ports/system';
import {
  type BootstrapToken,
  applyBootstrapToken,
  deleteBootstrapToken,
  formatBootstrapToken,
  makeBootstrapToken,
} from '@labwright/drivers/kubernetes/bootstrap-token';
import { type ClusterLogin, connectCluster, type ClusterConnection } from '@labwright/drivers/kubernetes/connection';
import {
  anyKind,
  configMapKind,
  endpointSliceKind,
  nodeKind,
  podDisruptionBudgetKind,
  podKind,
  secretKind,
} from '@labwright/drivers/kubernetes/kind';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { makeAuthority } from './authority.ts';
import { findPrograms } from './binaries.ts';
import { type ControlPlane, startControlPlane } from './control-plane.ts';
import { failure } from './failure.ts';
import { freePorts } from './process.ts';

const found = await findPrograms();
const signal = new AbortController().signal;
const once = { signal, tries: 1 };

describe.skipIf(found.kind === 'missing')('a real API server', () => {
  let plane: ControlPlane;
  let cluster: ClusterConnection;
  let login: ClusterLogin;
  const opened: ClusterConnection[] = [];

  const connect = (changes: Partial<ClusterLogin>): ClusterConnection => {
    const connection = connectCluster({ ...login, ...changes }, { clock: systemClock, log: silentLog });
    opened.push(connection);
    return connection;
  };

  beforeAll(async () => {
    if (found.kind === 'missing') return;
    plane = await startControlPlane({ programs: found.programs });
    cluster = plane.connection;
    login = await plane.apiServers[0].login('tester', ['system:masters']);
  });
  afterEach(async () => {
    for (const connection of opened.splice(0)) await connection.close();
  });
  afterAll(async () => await plane?.stop());

  test('tells its version and what it serves, and is asked with the name of the certificate, not the address', async () => {
    expect(login.endpoint).toMatchObject({ address: '127.0.0.1', serverName: 'kube.test' });
    expect(await cluster.fetchVersion(once)).toBe('1.20.2');
    expect(await cluster.fetchUnreadiness(once)).toBeUndefined();
    const { groups } = await cluster.fetchApis(once);
    expect([groups.get('')?.[0], groups.get('policy'), groups.get('discovery.k8s.io')]).toEqual([
      'v1',
      ['v1beta1'],
      ['v1beta1'],
    ]);
  });

  test('objects are read in the version that is served', async () => {
    expect(await cluster.list(podDisruptionBudgetKind, {}, once)).toEqual([]);
    expect(await cluster.list(endpointSliceKind, {}, once)).toEqual(expect.any(Array));
  });

  describe('logins', () => {
    test('of another authority are refused, without a second try', async () => {
      const stranger = await makeAuthority(plane.directory, 'stranger');
      const refused = connect({ certificate: stranger.certificate, privateKey: new Secret(stranger.key) });
      expect(await failure(refused.list(nodeKind, {}, { signal }))).toMatchObject({
        code: 'LW6002',
        why: 'Unauthorized',
      });
    });

    test('without a right are told which', async () => {
      const nobody = connect(await plane.apiServers[0].login('nobody'));
      const error = await failure(nobody.list(secretKind, {}, { signal }));
      expect([error.code, error.why]).toEqual([
        'LW6004',
        expect.stringContaining('"nobody" cannot list resource "secrets"'),
      ]);
    });

    test('are not sent to what is not the cluster', async () => {
      const stranger = await makeAuthority(plane.directory, 'other-ca');
      const elsewhere = connect({ ca: stranger.certificate });
      const misnamed = connect({ endpoint: { ...login.endpoint, serverName: 'other.test' } });
      expect((await failure(elsewhere.fetchVersion({ signal }))).code).toBe('LW6003');
      const error = await failure(misnamed.fetchVersion({ signal }));
      expect([error.code, error.message]).toEqual(['LW6003', expect.stringContaining('is not the cluster other.test')]);
    });

    test('nobody at the address is LW6001 with the reason', async () => {
      const [port = 0] = await freePorts(1);
      const nowhere = connect({ endpoint: { ...login.endpoint, port } });
      const error = await failure(nowhere.fetchVersion(once));
      expect([error.code, error.why]).toEqual(['LW6001', expect.stringContaining('ECONNREFUSED')]);
      expect(await nowhere.fetchUnreadiness(once)).toContain('ECONNREFUSED');
    });

    test('somebody silent at the address is LW6001 after the time for connecting', async () => {
      const silent = createServer().listen(0, '127.0.0.1');
      await events.once(silent, 'listening');
      const { port } = silent.address() as AddressInfo;
      const limits = { clock: systemClock, log: silentLog, connectTimeoutMs: 1_000 };
      const waiting = connectCluster({ ...login, endpoint: { ...login.endpoint, port } }, limits);
      opened.push(waiting);
      expect((await failure(waiting.fetchVersion(once))).code).toBe('LW6001');
      silent.close();
    });

    test('a call ends with the reason of its signal', async () => {
      const stopped = AbortSignal.abort(new Error('Ctrl-C'));
      await expect(cluster.fetchVersion({ signal: stopped })).rejects.toThrow('Ctrl-C');
    });
  });

  describe('objects', () => {
    const settings = (data: Record<string, string>, name = 'settings') => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name, namespace: 'default', labels: { 'labwright.dev/lab': 'home' } },
      data,
    });
    const name = { name: 'settings', namespace: 'default' };

    test('are applied twice with the same end, keep what others set, and lose what is no longer applied', async () => {
      await cluster.apply(settings({ a: '1', b: '2' }), once);
      await plane.kubectl(['patch', 'configmap', 'settings', '-p', '{"data":{"theirs":"x"}}']);
      const first = await cluster.apply(settings({ a: '1' }), once);
      const second = await cluster.apply(settings({ a: '1' }), once);
      expect(first.metadata.resourceVersion).toBe(second.metadata.resourceVersion);
      expect((await cluster.get(configMapKind, name, once))?.data).toEqual({ a: '1', theirs: 'x' });
    });

    test('fields of others are taken over, or named when that is not wanted', async () => {
      await plane.kubectl(['patch', 'configmap', 'settings', '-p', '{"data":{"a":"theirs"}}']);
      const error = await failure(cluster.apply(settings({ a: '2' }), { ...once, force: false }));
      expect([error.code, error.why]).toEqual(['LW6005', expect.stringContaining('kubectl-patch')]);
      await cluster.apply(settings({ a: '2' }), { ...once, dryRun: true });
      expect((await cluster.get(configMapKind, name, once))?.data?.['a']).toBe('theirs');
      await cluster.apply(settings({ a: '2' }), once);
      expect((await cluster.get(configMapKind, name, once))?.data?.['a']).toBe('2');
    });

    test('changed meanwhile are not overwritten', async () => {
      const before = await cluster.get(configMapKind, name, once);
      const resourceVersion = before?.metadata.resourceVersion ?? '';
      await cluster.patch(configMapKind, name, { data: { a: '3' } }, { ...once, resourceVersion });
      const late = cluster.patch(configMapKind, name, { data: { a: '4' } }, { ...once, resourceVersion });
      expect((await failure(late)).code).toBe('LW6005');
      const uid = '00000000-0000-0000-0000-000000000000';
      expect((await failure(cluster.delete(configMapKind, name, { ...once, uid }))).code).toBe('LW6005');
    });

    test('are made once, deleted once, and absent then', async () => {
      expect((await failure(cluster.create(settings({}), once))).code).toBe('LW6005');
      expect(await cluster.delete(configMapKind, name, once)).toBe('deleted');
      expect(await cluster.delete(configMapKind, name, once)).toBe('absent');
      expect(await cluster.get(configMapKind, name, once)).toBeUndefined();
    });

    test('of a refused form come with the words of the API server', async () => {
      const error = await failure(cluster.apply(settings({ 'no spaces allowed': '' }), once));
      expect([error.code, error.why]).toEqual(['LW6004', expect.stringContaining('no spaces allowed')]);
    });

    test('of a kind it does not have are refused, and found once it has it', async () => {
      const crontab = { apiVersion: 'test.dev/v1', kind: 'CronTab', metadata: { name: 'one', namespace: 'default' } };
      const error = await failure(cluster.apply(crontab, once));
      expect([error.code, error.message]).toEqual(['LW6004', expect.stringContaining('has no CronTab of test.dev/v1')]);
      const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
      await cluster.apply(
        {
          apiVersion: 'apiextensions.k8s.io/v1',
          kind: 'CustomResourceDefinition',
          metadata: { name: 'crontabs.test.dev' },
          spec: {
            group: 'test.dev',
            scope: 'Namespaced',
            names: { plural: 'crontabs', kind: 'CronTab', singular: 'crontab', listKind: 'CronTabList' },
            versions: [{ name: 'v1', served: true, storage: true, schema }],
          },
        },
        once,
      );
      await plane.kubectl(['wait', '--for=condition=Established', 'crd/crontabs.test.dev']);
      await expect.poll(async () => await cluster.apply(crontab, once).catch(() => undefined)).toMatchObject(crontab);
      expect(await cluster.list(anyKind('test.dev/v1', 'CronTab'), {}, once)).toHaveLength(1);
    });

    test('are listed in pages and by selectors', async () => {
      const names = Array.from({ length: 620 }, (_, index) => `many-${index}`);
      for (let start = 0; start < names.length; start += 62) {
        await Promise.all(
          names.slice(start, start + 62).map(async (each) => await cluster.apply(settings({}, each), once)),
        );
      }
      const ours = await cluster.list(
        configMapKind,
        { namespace: 'default', labelSelector: 'labwright.dev/lab=home' },
        once,
      );
      expect(ours.map(({ metadata }) => metadata.name).toSorted()).toEqual(names.toSorted());
      expect(ours[0]).toMatchObject({ apiVersion: 'v1', kind: 'ConfigMap' });
      expect(await cluster.list(podKind, { fieldSelector: 'spec.nodeName=none' }, once)).toEqual([]);
    });
  });

  test('a bootstrap token logs in as the group that kubeadm gives rights to, until it is deleted', async () => {
    const token: BootstrapToken = makeBootstrapToken(systemRandom);
    const terms = { expiresAt: Date.now() + 600_000, description: 'joins node102' };
    await applyBootstrapToken(cluster, token, terms, once);
    const asToken = async (given: BootstrapToken): Promise<string> => {
      const plain = [
        '--kubeconfig=/dev/null',
        `--server=https://127.0.0.1:${login.endpoint.port}`,
        '--tls-server-name=kube.test',
      ];
      const trust = [`--certificate-authority=${plane.directory}/api-server-1/ca.crt`];
      const identity = [`--token=${formatBootstrapToken(given).reveal()}`];
      return await plane
        .kubectl([...plain, ...trust, ...identity, 'get', 'nodes'])
        .catch((error: Error) => error.message);
    };
    expect(await asToken(token)).toContain(`User "system:bootstrap:${token.id}" cannot list resource "nodes"`);
    const bound = {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name: 'joins' },
    };
    const group = {
      kind: 'Group',
      apiGroup: 'rbac.authorization.k8s.io',
      name: 'system:bootstrappers:kubeadm:default-node-token',
    };
    const role = { kind: 'ClusterRole', apiGroup: 'rbac.authorization.k8s.io', name: 'view-nodes' };
    const rules = [{ apiGroups: [''], resources: ['nodes'], verbs: ['list'] }];
    await cluster.apply({ ...bound, kind: 'ClusterRole', metadata: { name: 'view-nodes' }, rules }, once);
    await cluster.apply({ ...bound, roleRef: role, subjects: [group] }, once);
    await expect.poll(async () => await asToken(token)).toBe('');
    // Another one: what the API server let in once it lets in for ten seconds more.
    const other = makeBootstrapToken(systemRandom);
    await applyBootstrapToken(cluster, other, terms, once);
    expect(await deleteBootstrapToken(cluster, other.id, once)).toBe('deleted');
    expect(await asToken(other)).toContain('Unauthorized');
  });
});
