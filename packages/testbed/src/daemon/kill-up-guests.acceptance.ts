// `up` killed with SIGKILL while real guests boot, and run again: the client that shows it, and the `serve` that does the work; after
// the machines were created, in the middle of their provisioning, and after the first phoned home. Minutes long each.
import type { LabEvent } from '@labwright/core/events/event';
import { makeAcceptanceReport } from './acceptance-report.ts';
import { RealLab, until, untilEnd } from './real-lab.ts';

const minutes = 60_000;
const victims = ['client', 'serve'] as const;

const moments: readonly { readonly name: string; readonly isReached: (event: LabEvent) => boolean }[] = [
  {
    name: 'after create',
    isReached: (event) => event.type === 'step' && event.step.startsWith('vm.create ') && event.state === 'done',
  },
  {
    name: 'in mid-provisioning',
    isReached: (event) =>
      event.type === 'boot' && event.stage === 'installing' && event.detail.includes('root file system'),
  },
  { name: 'after phone-home', isReached: (event) => event.type === 'boot' && event.stage === 'ready' },
];

const labText = `version: 1
lab: killed
domain: home.arpa
networks:
  lan: { cidr: 10.1.0.0/22, gateway: 10.1.0.1, bridge: vmbr0, machines: 10.1.1.0/28 }
hosts:
  pve1: { address: 10.1.0.11, cores: 12, memory: 24GiB }
  pve2: { address: 10.1.0.12, cores: 12, memory: 24GiB }
proxmox: { token: { env: PROXMOX_TOKEN }, tls: pinned, storage: local-lvm }
netboot: { mode: serve, address: 10.1.0.9 }
ssh: { user: admin }
pools:
  bios: { firstVmId: 101, count: 1, cores: 2, memory: 1GiB, disk: 8GiB }
  uefi: { firstVmId: 102, count: 1, cores: 2, memory: 1GiB, disk: 8GiB, firmware: uefi }
`;

const chosen = process.argv.slice(2);
const report = makeAcceptanceReport('kills');
await using lab = await RealLab.make(labText);

/** While the killed client's run goes on in `serve`, a new one is refused with LW5003; a person waits, and so do we. */
async function upAgain(): Promise<string> {
  return await until('`up` is let in', 15 * minutes, async () => {
    const { exitCode, output } = await lab.labwright('up');
    if (exitCode !== 0 && output.includes('LW5003')) return undefined;
    if (exitCode !== 0) throw new Error(`up ended with ${exitCode}:\n${output}`);
    return output;
  });
}

// The rehearsal with its machines, undisturbed, is where everything begins from.
await lab.expect('rehearse', '--only', 'machines', '--detach');

for (const victim of victims.filter((each) => chosen.length === 0 || chosen.includes(each))) {
  for (const { name, isReached } of moments) {
    await report.check(`${victim} killed ${name}`, async () => {
      await lab.expect('destroy', '--all', '--yes');
      const from = lab.events.length;
      const client = lab.begin('up');
      const ended = untilEnd(client);
      await lab.waitForEvent(name, isReached, 10 * minutes, from);
      if (victim === 'client') client.kill('SIGKILL');
      else await lab.killServe();
      const { exitCode } = await ended;
      if (exitCode === 0) throw new Error('it was over before it was killed');
      await upAgain();
      return [
        ...(await lab.findWrongs()),
        ...(await lab.listPlannedSteps()).map((step) => `the next plan would ${step}`),
      ];
    });
  }
}
report.close();
