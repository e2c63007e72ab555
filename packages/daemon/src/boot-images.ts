// The images that the machines of this lab boot: what they are called, what their kernels are told, and how they are made.
import { isRehearsal } from '@labwright/core/addresses/names';
import type { Blueprint, ClusterRole, MachineBlueprint } from '@labwright/core/blueprint/blueprint';
import { ensureDebianImage, type DebianImage } from '@labwright/images/debian/debian-image';
import type { BuildContext } from '@labwright/images/debian-root';
import { nodeKernelArguments } from '@labwright/images/kubernetes/kernel-arguments';
import { ensureNodeImage } from '@labwright/images/kubernetes/node-image';
import { ensureKubernetesRelease, type KubernetesRelease } from '@labwright/images/kubernetes/release';
import type { BootImage } from '@labwright/netboot/boot-network';

const roles: readonly ClusterRole[] = ['control-plane', 'worker'];

/** The name a machine's image has at the boot server: "debian", "debian-worker". */
export function bootImageName(machine: Pick<MachineBlueprint, 'image' | 'role'>): string {
  return machine.role === undefined ? machine.image : `${machine.image}-${machine.role}`;
}

/** What the machine's kernel is told on top: by the version of Kubernetes it will run, and by where it runs. */
export function bootKernelArguments(
  machine: Pick<MachineBlueprint, 'role'>,
  { lab, cluster }: Pick<Blueprint, 'lab' | 'cluster'>,
): readonly string[] {
  return [
    ...(machine.role === undefined || cluster === undefined ? [] : nodeKernelArguments(cluster.version)),
    ...(isRehearsal(lab) ? emulatedKernelArguments : []),
  ];
}

/** For processors that are emulated; see docs/fidelity.md. */
const emulatedKernelArguments: readonly string[] = [
  // They share one clock, which the kernel does not believe of this kind: it would ask the chip set for the time instead, and so
  // would every program, at the price of a system call and of the emulator's one lock.
  'tsc=reliable',
  // Nobody attacks these machines, an emulated processor does not speculate, and each of its detours around that is emulated too.
  'mitigations=off',
  // While the kernel changes its own code (a socket that wants time stamps is enough), an emulated processor may go on with what
  // was there before, for ever: such a machine starts again by itself. No load of the computer looks like two minutes of that.
  'softlockup_panic=1',
  'watchdog_thresh=60',
  'panic=5',
  // The clock is the computer's; there is no time server to ask, and asking is one of those changes.
  'systemd.mask=labwright-timesync.timer',
];

/** Builds every image of the lab's machines. Throws what ensureDebianImage, ensureKubernetesRelease and ensureNodeImage throw. */
export async function ensureLabImages(
  blueprint: Pick<Blueprint, 'machines' | 'cluster'>,
  context: BuildContext,
  found: {
    readonly onImage?: (name: string, image: BootImage) => void;
    readonly onRelease?: (release: KubernetesRelease) => void;
  } = {},
): Promise<void> {
  const { machines, cluster } = blueprint;
  const make = async (name: string, making: Promise<DebianImage>): Promise<void> => {
    const { files } = await making;
    found.onImage?.(name, files);
  };
  const wanted = new Map(machines.map((machine) => [bootImageName(machine), machine]));
  if (cluster !== undefined && machines.some((machine) => machine.role !== undefined)) {
    const { version, mirror } = cluster;
    const release = await ensureKubernetesRelease({ version, ...(mirror === undefined ? {} : { mirror }) }, context);
    found.onRelease?.(release);
    // Control planes first: everybody waits for them.
    for (const role of roles) {
      const name = [...wanted].find(([, machine]) => machine.role === role)?.[0];
      if (name !== undefined) await make(name, ensureNodeImage({ role, release }, context));
    }
  }
  const plain = [...wanted].find(([, machine]) => machine.role === undefined)?.[0];
  if (plain !== undefined) await make(plain, ensureDebianImage(context));
}
