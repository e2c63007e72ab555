// Draining nodes of a real control plane with its scheduler and controllers; only the kubelets are played.
import { type ClusterConnection } from '@labwright/drivers/kubernetes/connection';
import { drainNode, preflightDrain } from '@labwright/drivers/kubernetes/drain';
import { nodeKind, type Pod, podKind } from '@labwright/drivers/kubernetes/kind';
import { listPodsOf, uncordonNode } from '@labwright/drivers/kubernetes/nodes';
import { systemClock } from '@labwright/core/ports/system';
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { findPrograms } from './binaries.ts';
import { type ControlPlane, startControlPlane } from './control-plane.ts';
import { fakeNode, type FakeNode } from './fake-node.ts';
import { failure } from './failure.ts';
import { waitFor } from './process.ts';

const found = await findPrograms();
const signal = new AbortController().signal;
const call = { signal };
/** As Kubernetes writes a MicroTime. */
const microTime = (at: Date): string => at.toISOString().replace('Z', '000Z');
const patience = { timeout: 15_000, interval: 100 };

describe.skipIf(found.kind === 'missing')('a drain', () => {
  let plane: ControlPlane;
  let cluster: ClusterConnection;
  const nodes: FakeNode[] = [];

  beforeAll(async () => {
    if (found.kind === 'missing') return;
    plane = await startControlPlane({ programs: found.programs, scheduler: true });
    cluster = plane.connection;
    for (const name of ['node101', 'node102']) nodes.push(await fakeNode(cluster, name));
  });
  afterEach(async () => {
    await plane?.kubectl(['delete', 'deployments,daemonsets,poddisruptionbudgets,pods', '--all', '--wait=false']);
    const areGone = async (): Promise<true | string> => {
      const { length } = await cluster.list(podKind, {}, call);
      return length === 0 || `${length} are left`;
    };
    await waitFor('no pods', areGone, { timeoutMs: 15_000 });
    await uncordonNode(cluster, 'node101', call);
    await plane?.kubectl(['uncordon', 'node102']);
  });
  afterAll(async () => {
    await Promise.all(nodes.map(async (node) => await node.stop()));
    await plane?.stop();
  });

  const template = (name: string, changes: { readonly annotations?: object; readonly spec?: object } = {}) => ({
    metadata: { labels: { app: name }, annotations: changes.annotations ?? {} },
    spec: {
      containers: [{ name: 'main', image: 'none', resources: { requests: { cpu: '100m', memory: '64Mi' } } }],
      ...changes.spec,
    },
  });

  const deploy = async (
    name: string,
    replicas: number,
    changes: Parameters<typeof template>[1] = {},
  ): Promise<void> => {
    await cluster.apply(
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name, namespace: 'default' },
        spec: { replicas, selector: { matchLabels: { app: name } }, template: template(name, changes) },
      },
      call,
    );
  };

  /** All of them on node101 first, free to go elsewhere after. */
  const deployOnNode101 = async (name: string, replicas: number): Promise<void> => {
    await plane.kubectl(['cordon', 'node102']);
    await deploy(name, replicas);
    await ready(name, replicas);
    await plane.kubectl(['uncordon', 'node102']);
  };

  const budget = async (name: string, minAvailable: number): Promise<void> => {
    await cluster.apply(
      {
        apiVersion: 'policy/v1beta1',
        kind: 'PodDisruptionBudget',
        metadata: { name, namespace: 'default' },
        spec: { minAvailable, selector: { matchLabels: { app: name } } },
      },
      call,
    );
    const counted = async (): Promise<string> =>
      await plane.kubectl(['get', 'pdb', name, '-o', 'jsonpath={.status.expectedPods}']);
    await expect.poll(counted, patience).toMatch(/[1-9]/);
  };

  const podsOf = async (app: string): Promise<readonly Pod[]> =>
    await cluster.list(podKind, { labelSelector: `app=${app}` }, call);
  const isReady = (pod: Pod): boolean =>
    pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true;
  const ready = async (app: string, count: number): Promise<void> => {
    await expect.poll(async () => (await podsOf(app)).filter(isReady).length, patience).toBe(count);
  };
  const isCordoned = async (name: string): Promise<boolean> =>
    (await cluster.get(nodeKind, { name }, call))?.spec.unschedulable === true;

  test('moves the pods of a budget one after the other, and never has fewer than it wants', async () => {
    await deployOnNode101('web', 3);
    await budget('web', 2);
    const preflight = await preflightDrain(cluster, 'node101', call);
    expect([preflight.evicted.length, preflight.blockers, preflight.homeless]).toEqual([3, [], []]);

    const readyPods = new Set((await podsOf('web')).map(({ metadata }) => metadata.uid));
    let fewest = 3;
    const ending = new AbortController();
    const look = (pod: Pod): void => {
      if (isReady(pod) && pod.metadata.deletionTimestamp === undefined) readyPods.add(pod.metadata.uid);
      else readyPods.delete(pod.metadata.uid);
      fewest = Math.min(fewest, readyPods.size);
    };
    const scope = { labelSelector: 'app=web' };
    const handlers = { added: look, changed: look, gone: (pod: Pod) => void readyPods.delete(pod.metadata.uid) };
    const watching = cluster.watch(podKind, scope, handlers, ending.signal);
    const words: string[] = [];
    await drainNode(cluster, 'node101', { signal, onProgress: (text) => words.push(text) });
    ending.abort();
    await watching;

    expect(fewest).toBe(2);
    expect(await listPodsOf(cluster, 'node101', call)).toEqual([]);
    expect(await isCordoned('node101')).toBe(true);
    expect(words.join('\n')).toMatch(
      /^\d pods? left; default\/web-\S+ (and 1 more wait|waits) for a disruption budget$/m,
    );
    await ready('web', 3);
    // A second time there is nothing to do.
    await drainNode(cluster, 'node101', { signal });
  });

  test('that a budget would never allow is refused with names, reason and way out, and nothing is changed', async () => {
    await deployOnNode101('db', 2);
    await budget('db', 2);
    const before = (await podsOf('db')).map(({ metadata }) => metadata.uid).toSorted();
    const [blocker, ...others] = (await preflightDrain(cluster, 'node101', call)).blockers;
    expect(others).toEqual([]);
    expect(blocker).toMatchObject({
      until: 'never',
      budget: 'default/db',
      why: 'budget default/db wants 2 of 2 pods healthy, so it never allows an eviction',
      fix: ['give the workload another replica', 'or relax the budget: kubectl edit poddisruptionbudget -n default db'],
    });
    const error = await failure(drainNode(cluster, 'node101', { signal }));
    expect([error.code, error.why]).toEqual(['LW6007', blocker?.why]);
    expect(await isCordoned('node101')).toBe(false);
    expect((await podsOf('db')).map(({ metadata }) => metadata.uid).toSorted()).toEqual(before);
  });

  test('of two pods that each pass a dry run alone, but not one after the other, is refused', async () => {
    await deploy('tied', 2, { spec: { nodeSelector: { 'kubernetes.io/hostname': 'node101' } } });
    await ready('tied', 2);
    await budget('tied', 1);
    await expect
      .poll(async () => {
        const dry = (await podsOf('tied')).map(async (pod) => await cluster.evict(pod, { signal, dryRun: true }));
        return (await Promise.all(dry)).map(({ kind }) => kind);
      }, patience)
      .toEqual(['accepted', 'accepted']);
    const preflight = await preflightDrain(cluster, 'node101', call);
    expect(preflight.homeless).toHaveLength(2);
    expect(preflight.blockers).toMatchObject([
      { until: 'never', why: expect.stringMatching(/^budget default\/tied wants 1 of 2 .* would find no other node/) },
    ]);
    const error = await failure(drainNode(cluster, 'node101', { signal }));
    expect([error.code, await isCordoned('node101'), (await podsOf('tied')).length]).toEqual(['LW6007', false, 2]);
  });

  test('leaves pods of a DaemonSet and mirrors of static pods, and does with bare pods as it is told', async () => {
    await cluster.apply(
      {
        apiVersion: 'apps/v1',
        kind: 'DaemonSet',
        metadata: { name: 'agent', namespace: 'default' },
        spec: { selector: { matchLabels: { app: 'agent' } }, template: template('agent') },
      },
      call,
    );
    const bare = (name: string, annotations: Record<string, string> = {}) => ({
      ...template(name),
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'default', labels: { app: name }, annotations },
    });
    const { spec } = template('bare');
    await cluster.apply({ ...bare('bare'), spec: { ...spec, nodeName: 'node101' } }, call);
    // A mirror can only be made by its own node.
    const mirror = {
      ...bare('static', { 'kubernetes.io/config.mirror': 'x' }),
      spec: { ...spec, nodeName: 'node101' },
    };
    await cluster.apply(mirror, call);
    await expect.poll(async () => (await listPodsOf(cluster, 'node101', call)).length, patience).toBe(3);

    expect((await preflightDrain(cluster, 'node101', call)).blockers).toMatchObject([{ pods: ['default/bare'] }]);
    expect((await failure(drainNode(cluster, 'node101', { signal }))).code).toBe('LW6007');
    await drainNode(cluster, 'node101', { signal, policy: { barePods: 'evict', localData: 'refuse' } });
    const left = (await listPodsOf(cluster, 'node101', call)).map(({ metadata }) => metadata.name.replace(/-.*/, ''));
    expect(left.toSorted()).toEqual(['agent', 'static']);
  });

  const renewLease = async (component: string, acquiredAt: Date): Promise<void> => {
    await cluster.apply(
      {
        apiVersion: 'coordination.k8s.io/v1',
        kind: 'Lease',
        metadata: { name: component, namespace: 'kube-system' },
        spec: {
          holderIdentity: 'node101_played',
          leaseDurationSeconds: 2,
          acquireTime: microTime(acquiredAt),
          renewTime: microTime(new Date()),
        },
      },
      call,
    );
  };

  test('waits until controllers and scheduler follow the cluster again, or says that they do not', async () => {
    await deployOnNode101('web', 1);
    const longAgo = new Date(Date.now() - 3_600_000);
    await renewLease('kube-scheduler', longAgo);
    await renewLease('kube-controller-manager', longAgo);
    onTestFinished(async () => void (await plane.kubectl(['-n', 'kube-system', 'delete', 'lease', '--all'])));

    // Nobody renews them: they were a leader's that is gone.
    const error = await failure(drainNode(cluster, 'node101', { signal, leadersTimeLimitMs: 1_000 }));
    expect([error.code, error.why]).toEqual([
      'LW6007',
      'kube-controller-manager gives no sign of life: what a drain moves would be made again by nobody',
    ]);
    expect(await isCordoned('node101')).toBe(false);

    const leadsSince = new Date();
    const ending = new AbortController();
    const renewing = (async () => {
      while (!ending.signal.aborted) {
        await renewLease('kube-scheduler', longAgo);
        await renewLease('kube-controller-manager', leadsSince);
        await systemClock.sleep(100, signal);
      }
    })();
    await drainNode(cluster, 'node101', { signal });
    ending.abort();
    await renewing;
    expect(Date.now() - leadsSince.getTime()).toBeGreaterThanOrEqual(2_000);
    expect(await isCordoned('node101')).toBe(true);
  });

  const setReady = async (pod: Pod, status: 'True' | 'False'): Promise<void> => {
    const conditions = [{ type: 'Ready', status, lastTransitionTime: new Date().toISOString() }];
    const name = { name: pod.metadata.name, namespace: 'default' };
    await cluster.patch(podKind, name, { status: { conditions } }, { signal, subresource: 'status' });
  };
  const expectAllowed = async (name: string, count: number): Promise<void> => {
    const allowed = async (): Promise<string> =>
      await plane.kubectl(['get', 'pdb', name, '-o', 'jsonpath={.status.disruptionsAllowed}']);
    await expect.poll(allowed, patience).toBe(String(count));
  };

  test('starts with the pod that is not ready, which a budget without room lets go', async () => {
    await deployOnNode101('sick', 2);
    await budget('sick', 1);
    const [broken] = await podsOf('sick');
    if (broken === undefined) throw new Error('no pod');
    await setReady(broken, 'False');
    await expectAllowed('sick', 0);
    const preflight = await preflightDrain(cluster, 'node101', call);
    expect([preflight.blockers, preflight.later.length]).toEqual([[], 1]);
    await drainNode(cluster, 'node101', { signal });
    await ready('sick', 2);
  });

  test('waits for pods that are not ready, ends with its time, and goes on when it is run again', async () => {
    await deploy('slow', 2, {
      spec: {
        affinity: {
          podAntiAffinity: {
            preferredDuringSchedulingIgnoredDuringExecution: [
              {
                weight: 100,
                podAffinityTerm: {
                  topologyKey: 'kubernetes.io/hostname',
                  labelSelector: { matchLabels: { app: 'slow' } },
                },
              },
            ],
          },
        },
      },
    });
    await ready('slow', 2);
    await budget('slow', 1);
    const broken = (await podsOf('slow')).find((pod) => pod.spec.nodeName === 'node102');
    if (broken === undefined) throw new Error('no pod on node102');
    await setReady(broken, 'False');
    await expectAllowed('slow', 0);
    expect((await preflightDrain(cluster, 'node101', call)).blockers).toMatchObject([
      { until: 'now', why: expect.stringContaining(`not ready: default/${broken.metadata.name}`) },
    ]);
    const error = await failure(drainNode(cluster, 'node101', { signal, timeLimitMs: 300 }));
    expect([error.code, error.message]).toEqual(['LW6008', 'node node101 still has 1 pod after 0 s of draining']);
    expect(await isCordoned('node101')).toBe(true);

    const words: string[] = [];
    const waits = Promise.withResolvers<void>();
    const drained = drainNode(cluster, 'node101', {
      signal,
      onProgress: (text) => {
        words.push(text);
        waits.resolve();
      },
    });
    await Promise.race([waits.promise, drained]);
    expect(words[0]).toMatch(/^1 pod left; .* waits for a disruption budget$/);
    await setReady(broken, 'True');
    await drained;
    await ready('slow', 2);
  });

  test('ends with the reason of its signal', async () => {
    await deployOnNode101('web', 1);
    const stopping = new AbortController();
    const drained = drainNode(cluster, 'node101', {
      signal: stopping.signal,
      onProgress: () => stopping.abort(new Error('Ctrl-C')),
    });
    await expect(drained).rejects.toThrow('Ctrl-C');
  });
});
