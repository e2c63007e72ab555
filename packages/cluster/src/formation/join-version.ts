// Whether a machine may join as it would be made now. What is made gets the lab file's version, and until an upgrade is done the
// cluster runs another one. Pure.
//
//   the control planes run        a worker joins    a control plane joins
//   the file's version, all       yes               yes
//   it and an older one           no                yes: as if its own turn in the upgrade had come
//   an older one                  no                no
//   a newer one, some of them     no                no
import { compareVersions, type KubernetesVersion } from '@labwright/core/addresses/kubernetes-version';
import type { MachineBlueprint } from '@labwright/core/blueprint/blueprint';
import { LabwrightError } from '@labwright/core/errors/error';
import type { ClusterFacts, NodeFacts } from '@labwright/core/facts/cluster';

export type RunningVersions = {
  /** Of the API server that answered. */
  readonly version: KubernetesVersion;
  readonly nodes: readonly Pick<NodeFacts, 'name' | 'role' | 'kubelet'>[];
};

/** LW6035, with the way out; undefined when nothing speaks against it, or nobody answers who could say what runs. */
export function findJoinObstacle(
  wanted: KubernetesVersion,
  machine: Pick<MachineBlueprint, 'name' | 'role'>,
  facts: RunningVersions | ClusterFacts,
): LabwrightError | undefined {
  if (machine.role === undefined || !('version' in facts)) return undefined;
  // An upgrade brings a control plane's kubelet to a version last: what it says, all of that machine has, and all that the machines
  // share. What the machine itself was before it is made anew does not count.
  const others = facts.nodes.filter(({ name, role }) => role === 'control-plane' && name !== machine.name);
  const controlPlanes = others.map(({ kubelet }) => kubelet);
  const running = [facts.version, ...controlPlanes].toSorted(compareVersions);
  const oldest = running[0] ?? facts.version;
  const newest = running.at(-1) ?? facts.version;
  if (compareVersions(newest, wanted) > 0) return newer(machine.name, wanted, newest);
  if (compareVersions(oldest, wanted) === 0) return undefined;
  if (compareVersions(newest, wanted) < 0) return older(machine.name, wanted, oldest);
  const isItsTurn = machine.role === 'control-plane' && controlPlanes.includes(wanted);
  return isItsTurn ? undefined : between(machine.name, wanted, oldest);
}

/** By name, of those that could not. */
export function findJoinObstacles(
  wanted: KubernetesVersion,
  machines: readonly MachineBlueprint[],
  facts: RunningVersions | ClusterFacts,
): ReadonlyMap<string, LabwrightError> {
  return new Map(
    machines.flatMap((machine) => {
      const obstacle = findJoinObstacle(wanted, machine, facts);
      return obstacle === undefined ? [] : [[machine.name, obstacle] as const];
    }),
  );
}

function newer(name: string, wanted: KubernetesVersion, newest: KubernetesVersion): LabwrightError {
  return refuse(name, {
    what: `${name} would join with Kubernetes ${wanted} of the lab file, and the cluster runs ${newest}`,
    why: 'Kubernetes does not go back: what a newer version wrote, an older one may not read',
    fix: [`kubernetes.version: ${newest}`],
  });
}

/** It cannot be upgraded first either: an upgrade wants every machine of the file in the cluster. */
function older(name: string, wanted: KubernetesVersion, oldest: KubernetesVersion): LabwrightError {
  return refuse(name, {
    what: `${name} would join with Kubernetes ${wanted} of the lab file, and the control planes run ${oldest}`,
    why: 'no machine may be newer than the API servers that it talks to',
    fix: [
      `kubernetes.version: ${oldest}, then labwright up; raise the version again after that`,
      `or, if ${name} is new in the file: take it out again (count), labwright cluster upgrade, then add it`,
    ],
  });
}

function between(name: string, wanted: KubernetesVersion, oldest: KubernetesVersion): LabwrightError {
  return refuse(name, {
    what: `${name} would join with Kubernetes ${wanted} of the lab file, and a control plane still runs ${oldest}`,
    why: 'no machine may be newer than the API servers that it talks to, and the upgrade is not done',
    fix: [
      'labwright cluster upgrade   goes on from where it is; then labwright up',
      `if ${name} is lost and in its way: labwright destroy ${name} first`,
    ],
  });
}

const refuse = (
  machine: string,
  words: { readonly what: string; readonly why: string; readonly fix: readonly string[] },
): LabwrightError => new LabwrightError('LW6035', { ...words, where: { machine } });
