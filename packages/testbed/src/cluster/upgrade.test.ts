// The upgrade of a cluster with a real API server, etcd and its real steps; only what kubeadm and the kubelet do on a machine is
// played, by a shell that takes the job and changes what the API shows of that machine.
import { afterEach, describe, expect, test } from 'vitest';
import { kubernetesVersion } from '@labwright/core/addresses/kubernetes-version';
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import { runPlan, type Executor } from '@labwright/core/engine/engine';
import { LabwrightError } from '@labwright/core/errors/error';
import { mergePlans } from '@labwright/core/plan/plan';
import { systemClock } from '@labwright/core/ports/system';
import type { OpenShell } from '@labwright/cluster/formation/shell';
import { makeClusterBlueprint, makeClusterFacts } from '@labwright/cluster/life/sample-cluster.test-data';
import { fetchControlPlaneVersions, fetchSharedVersion } from '@labwright/cluster/upgrade/component-versions';
import { fetchBegunNodes } from '@labwright/cluster/upgrade/cordon';
import { makeUpgradeExecutors } from '@labwright/cluster/upgrade/upgrade-executors';
import { planUpgrade, type UpgradeInput } from '@labwright/cluster/upgrade/upgrade-plan';
import { labLabel } from '@labwright/cluster/formation/marks';
import { nodeKind } from '@labwright/drivers/kubernetes/kind';
import { listNodes } from '@labwright/drivers/kubernetes/nodes';
import { findPrograms } from '../kubernetes/binaries.ts';
import { startControlPlane, type ControlPlane } from '../kubernetes/control-plane.ts';

const found = await findPrograms();
const signal = new AbortController().signal;
const call = { signal };

describe.skipIf(found.kind === 'missing')('an upgrade', () => {
  let plane: ControlPlane;
  afterEach(async () => await plane?.stop());

  const blueprint: Blueprint = makeClusterBlueprint(1, 2);
  const [control] = blueprint.machines;

  const setKubelet = async (name: string, version: string): Promise<void> => {
    const time = new Date().toISOString();
    const conditions = [
      { type: 'Ready', status: 'True', reason: 'Played', lastTransitionTime: time, lastHeartbeatTime: time },
    ];
    const empty = {
      architecture: '',
      containerRuntimeVersion: '',
      kernelVersion: '',
      kubeProxyVersion: '',
      machineID: '',
      operatingSystem: '',
      osImage: '',
      systemUUID: '',
    };
    const status = { conditions, nodeInfo: { ...empty, kubeletVersion: `v${version}`, bootID: 'b' } };
    await plane.connection.patch(nodeKind, { name }, { status }, { signal, subresource: 'status' });
  };
  const setControlPlane = async (version: string): Promise<void> => {
    for (const component of ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler']) {
      const name = `${component}-${control?.name}`;
      await plane.kubectl([
        '-n',
        'kube-system',
        'delete',
        'pod',
        name,
        '--ignore-not-found',
        '--force',
        '--grace-period=0',
      ]);
      const pod = {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: {
          name,
          namespace: 'kube-system',
          labels: { component, tier: 'control-plane' },
          annotations: { 'kubernetes.io/config.mirror': 'played' },
        },
        spec: {
          nodeName: control?.name,
          hostNetwork: true,
          containers: [{ name: component, image: `k8s.gcr.io/${component}:v${version}` }],
        },
      };
      await plane.connection.apply(pod, call);
    }
  };
  const setShared = async (version: string): Promise<void> => {
    const config = { ClusterConfiguration: `kind: ClusterConfiguration\nkubernetesVersion: v${version}\n` };
    await plane.connection.apply(
      {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'kubeadm-config', namespace: 'kube-system' },
        data: config,
      },
      call,
    );
  };

  const start = async (): Promise<void> => {
    if (found.kind === 'missing') return;
    plane = await startControlPlane({ programs: found.programs });
    for (const { name } of blueprint.machines) {
      await plane.connection.apply(
        { apiVersion: 'v1', kind: 'Node', metadata: { name, labels: { [labLabel]: 'home' } } },
        call,
      );
      await setKubelet(name, '1.20.2');
    }
    await setControlPlane('1.20.2');
    await setShared('1.20.2');
  };

  /**
   * Order of what machines were told; `failAt` ends the connection for good, as a killed Labwright would. On `underWay` the job
   * of such a one goes on, and the API server is away meanwhile.
   */
  const makeShells = ({ failAt, underWay }: { readonly failAt?: string; readonly underWay?: string } = {}) => {
    const jobs: string[] = [];
    const openShell: OpenShell =
      (name) =>
      async (command, { stdin, onStdout }) => {
        if (command[0] === 'systemctl') {
          if (name === underWay) await plane.apiServers[0].kill();
          const words = name === underWay ? 'active\nDescription=Labwright: upgrade to Kubernetes 1.20.3' : 'inactive';
          return { exitCode: 0, stdout: `ActiveState=${words}\n`, stderr: '' };
        }
        const unit = command.find((word) => word.startsWith('labwright-')) ?? '';
        const told = Buffer.from(stdin ?? '').toString('latin1');
        const role = /^role='(.*)'$/m.exec(told)?.[1] ?? '';
        jobs.push(`${unit} ${name} ${role}`);
        if (`${unit} ${name}` === failAt) throw new LabwrightError('LW3004', { what: 'killed here' });
        if (unit === 'labwright-upgrade') {
          if (name === underWay) await plane.apiServers[0].start();
          const node = (await listNodes(plane.connection, call)).find(({ metadata }) => metadata.name === name);
          // By then nothing new is put on it.
          expect(node?.spec.unschedulable).toBe(true);
          if (role !== 'worker') {
            await setControlPlane('1.20.3');
            if (role === 'first') await setShared('1.20.3');
          }
          await setKubelet(name, '1.20.3');
        }
        onStdout?.(Buffer.from('labwright: started\nlabwright: ended 0\n'));
        return { exitCode: 0, stdout: '', stderr: '' };
      };
    return { jobs, openShell };
  };

  const upgrade = async (openShell: OpenShell) => {
    const nodes = (await listNodes(plane.connection, call)).flatMap((node) => {
      const machine = blueprint.machines.find(({ name }) => name === node.metadata.name);
      if (machine === undefined) return [];
      const kubelet = kubernetesVersion((node.status?.nodeInfo?.kubeletVersion ?? '').slice(1));
      const schedulable = node.spec.unschedulable !== true;
      return [
        {
          name: machine.name,
          role: machine.role ?? ('worker' as const),
          ready: 'ready' as const,
          kubelet,
          schedulable,
          ours: true,
          bootId: 'b',
        },
      ];
    });
    const [controlPlanes, shared, begun] = await Promise.all([
      fetchControlPlaneVersions(plane.connection, call),
      fetchSharedVersion(plane.connection, call),
      fetchBegunNodes(plane.connection, call),
    ]);
    const cluster = makeClusterFacts(blueprint, { nodes });
    const known = {
      cluster,
      controlPlanes,
      begun,
      drainObstacles: new Map(),
      ...(shared === undefined ? {} : { shared }),
    };
    const plan = mergePlans(blueprint.lab, 0, [planUpgrade(blueprint, known)]);
    const [member] = plane.etcd;
    const url = new URL(member?.clientUrl ?? '');
    const { Secret } = await import('@labwright/core/ports/secret');
    const login = {
      ca: plane.keys.etcdAuthority.certificate,
      certificate: member?.client.certificate ?? '',
      privateKey: new Secret(member?.client.key ?? ''),
    };
    const executors = new Map<string, Executor>([
      ...makeUpgradeExecutors({
        connect: async () => plane.connection,
        openShell,
        openEtcd: async () => ({ login, addresses: [{ name: 'node101', host: url.hostname, port: Number(url.port) }] }),
        prepareRelease: async () => ({
          server: 'http://10.1.0.9:8080',
          binaries: { kubeadm: 'a', kubelet: 'b', kubectl: 'c' },
        }),
        hasPatches: false,
        clock: systemClock,
      }),
      ['cluster.snapshot', { nature: 'work', run: async () => 'taken' }],
    ]);
    const never = new AbortController().signal;
    const journal = { append: async () => undefined };
    const result = await runPlan(plan, {
      run: 'u',
      executors,
      clock: systemClock,
      journal,
      emit: () => undefined,
      interrupt: never,
      signal,
    });
    return { plan, result };
  };
  const state = async () =>
    (await listNodes(plane.connection, call)).map(
      ({ metadata, spec, status }) =>
        `${metadata.name} ${status?.nodeInfo?.kubeletVersion}${spec.unschedulable === true ? ' cordoned' : ''}`,
    );

  test(
    'goes machine by machine, stops at the first failure, and goes on from there',
    { timeout: 120_000 },
    async () => {
      await start();
      // A person's own cordon is none of the upgrade's.
      await plane.kubectl(['cordon', 'node112']);
      const first = makeShells({ failAt: 'labwright-upgrade node111' });
      const broken = await upgrade(first.openShell);
      expect(broken.result.outcome).toBe('failed');
      expect(first.jobs.slice(0, 3).toSorted()).toEqual([
        'labwright-fetch node101 control-plane',
        'labwright-fetch node111 worker',
        'labwright-fetch node112 worker',
      ]);
      expect(first.jobs.slice(3)).toEqual(['labwright-upgrade node101 first', 'labwright-upgrade node111 worker']);
      expect(await state()).toEqual(['node101 v1.20.3', 'node111 v1.20.2 cordoned', 'node112 v1.20.2 cordoned']);

      const second = makeShells();
      const { plan, result } = await upgrade(second.openShell);
      expect(result.failures).toEqual([]);
      expect(
        plan.steps.filter(({ kind }) => kind === 'cluster.upgrade').map(({ input }) => (input as UpgradeInput).name),
      ).toEqual(['node111', 'node112']);
      expect(await state()).toEqual(['node101 v1.20.3', 'node111 v1.20.3', 'node112 v1.20.3 cordoned']);
      expect((await upgrade(makeShells().openShell)).plan.steps).toEqual([]);
    },
  );

  test('follows what a killed run began, whose API server is away', { timeout: 120_000 }, async () => {
    await start();
    const killed = makeShells({ failAt: 'labwright-upgrade node101' });
    expect((await upgrade(killed.openShell)).result.outcome).toBe('failed');
    expect(await state()).toContain('node101 v1.20.2 cordoned');

    const { jobs, openShell } = makeShells({ underWay: 'node101' });
    const { result } = await upgrade(openShell);
    expect(result.failures).toEqual([]);
    expect(jobs.filter((job) => job.startsWith('labwright-upgrade'))).toEqual([
      'labwright-upgrade node101 first',
      'labwright-upgrade node111 worker',
      'labwright-upgrade node112 worker',
    ]);
    expect(await state()).toEqual(['node101 v1.20.3', 'node111 v1.20.3', 'node112 v1.20.3']);
  });
});
