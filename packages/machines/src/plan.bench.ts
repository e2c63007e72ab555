// How long a plan for 1,000 machines on 20 hosts takes, from facts to merged steps: none there yet, and all there.
import { hostName } from '@labwright/core/addresses/names';
import { mergePlans } from '@labwright/core/plan/plan';
import { planMachines } from './machine-plan.ts';
import {
  lab,
  makeBlueprint,
  makeHost,
  makeHypervisors,
  makeMachine,
  makeReport,
  makeVm,
} from './sample-lab.test-data.ts';

const hosts = Array.from({ length: 20 }, (_, at) => makeHost(`pve${at + 1}`, { cores: 1000, memoryMiB: 400_000 }));
const names = hosts.map((host) => host.name);
const numbers = Array.from({ length: 1000 }, (_, at) => 1001 + at);
const blueprint = makeBlueprint(
  numbers.map((number) => makeMachine(number, { hosts: names })),
  hosts,
);

function measure(name: string, vms: readonly ReturnType<typeof makeVm>[]): void {
  const facts = {
    hypervisors: makeHypervisors(blueprint, vms),
    machines: { reports: vms.map((vm) => makeReport(vm.vmId)) },
  };
  const times = Array.from({ length: 7 }, () => {
    const startedAt = performance.now();
    mergePlans(lab, 0, [planMachines(blueprint, facts)]);
    return performance.now() - startedAt;
  }).sort((one, other) => one - other);
  const [median = 0] = times.slice(3);
  console.log(`${name}: median ${median.toFixed(1)} ms, slowest ${times.at(-1)?.toFixed(1)} ms`);
}

measure('1,000 machines on 20 hosts, none there', []);
measure(
  '1,000 machines on 20 hosts, all ready',
  numbers.map((number) => makeVm(number, { host: hostName(`pve${(number % 20) + 1}`) })),
);
