// The emulated pfSense as a device of a rehearsal: one process, under which all of the router lives.
//
//   keeper ─ ip netns exec ─ unshare (mounts, processes) ─ sh, first process, which reaps ─ node main.ts ─ PHP, unbound, …
import { mkdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { DeviceInput } from '../lab/topology.ts';
import { parseRouterPlan, routerFiles, type RouterPlanInput } from './router-plan.ts';

const main = fileURLToPath(new URL('./main.ts', import.meta.url));

// With the router's process everything it started ends: that is what a power cut does.
const firstProcess = '"$@" & wait "$!"';

export interface PfsensePlan {
  /** Of the device; at most twelve letters, since its cable is named for it. */
  readonly name: string;
  readonly router: RouterPlanInput;
  /** Of this process, for the router's: loaders and the like. */
  readonly nodeArguments?: readonly string[];
}

/** Writes its plan and gives the device for the topology. It is ready once it answers on its port and its control socket. */
export async function writePfsense({ name, router, nodeArguments = [] }: PfsensePlan): Promise<DeviceInput> {
  const plan = parseRouterPlan(router);
  const files = routerFiles(plan.stateDirectory);
  await mkdir(plan.stateDirectory, { recursive: true });
  await writeFile(files.plan, `${JSON.stringify(plan, undefined, 2)}\n`);
  return {
    name,
    address: plan.lan.address,
    processes: [
      {
        name: 'pfsense',
        command: [
          ...['unshare', '--mount', '--pid', '--fork', '--kill-child=KILL', '--mount-proc'],
          ...['sh', '-c', firstProcess, 'labwright-router'],
          ...[process.execPath, ...nodeArguments, main, files.plan],
        ],
        readySocket: files.control,
        readyPort: plan.port,
      },
    ],
  };
}
