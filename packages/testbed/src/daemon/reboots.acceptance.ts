// Ten reboots of installed machines in a rehearsal with real guests: a file written before is kept and nothing is installed again,
// whatever comes first in the boot order and whatever Labwright forgot. Minutes long, so an entry of its own.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import type { LabEvent } from '@labwright/core/events/event';
import { makeAcceptanceReport } from './acceptance-report.ts';
import { RealLab, until, untilEnd } from './real-lab.ts';

const minutes = 60_000;
const rebootMs = 10 * minutes;
const exampleFile = join(import.meta.dirname, '../../../../examples/home/lab.yaml');
await using lab = await RealLab.make(await readFile(exampleFile, 'utf8'));
const report = makeAcceptanceReport('reboots');

/** What a machine must still be after a reboot. */
interface Identity {
  readonly machineId: string;
  readonly kept: string;
}
const identities = new Map<string, Identity>();

/** Writes the file that every later reboot must keep. */
async function remember(machine: string): Promise<void> {
  const kept = randomUUID();
  const machineId = await lab.on(
    machine,
    `echo ${kept} | sudo tee /srv/kept >/dev/null && sync && cat /etc/machine-id`,
  );
  if (machineId === undefined) throw new Error(`${machine} does not let us in`);
  identities.set(machine, { machineId, kept });
}

/** One reboot, brought about by `cause`; it must come up by way of the network or of its own disk. */
async function reboot(
  machine: string,
  what: string,
  by: 'network' | 'disk',
  cause: () => Promise<unknown>,
): Promise<void> {
  await report.check(`${machine}, ${what}`, async () => {
    const before = await lab.on(machine, 'cat /proc/sys/kernel/random/boot_id');
    if (before === undefined) throw new Error('it does not let us in before');
    const from = lab.events.length;
    await cause();
    const answer = await until('it lets us in again', rebootMs, async () => {
      const text = await lab.on(
        machine,
        'cat /proc/sys/kernel/random/boot_id /etc/machine-id /srv/kept /proc/cmdline 2>&1',
      );
      return text === undefined || text.startsWith(before) ? undefined : text;
    });
    const [, machineId, kept, commandLine = ''] = answer.split('\n');
    const was = identities.get(machine);
    const installs = lab.events
      .slice(from)
      .filter((event) => event.type === 'boot' && event.machine === machine && event.stage === 'installing');
    return [
      ...(machineId === was?.machineId ? [] : ['it is another system: its machine id has changed']),
      ...(kept === was?.kept ? [] : [`the file is not kept: ${kept ?? ''}`]),
      ...(commandLine.includes('labwright.url=') === (by === 'network') ? [] : [`not by ${by}: ${commandLine}`]),
      ...installs.map(() => 'something was installed'),
    ];
  });
}

/** Makes the machine anew, cuts its power in the middle of its installation, and lets `up` finish it. */
async function cutInstallation(machine: string): Promise<void> {
  await lab.expect('destroy', machine, '--yes');
  const from = lab.events.length;
  const isInstalling = (event: LabEvent): boolean =>
    event.type === 'boot' &&
    event.machine === machine &&
    event.stage === 'installing' &&
    event.detail.includes('root file system');
  const installing = lab.begin('up');
  await lab.waitForEvent(`${machine} is being installed`, isInstalling, 10 * minutes, from);
  await lab.cutPower(machine);
  const cut = lab.events.length;
  installing.kill('SIGINT');
  await untilEnd(installing);
  await lab.expect('up');
  if (!lab.events.slice(cut).some(isInstalling)) throw new Error('the installation was not done again');
  console.log(`       ${machine}: power cut in the middle of its installation, which was done again`);
}

const fromInside = (machine: string) => async (): Promise<unknown> => await lab.on(machine, 'sudo systemctl reboot');
/** Proxmox gives a running VM its new boot order when it starts it again. */
const withOrder = (machine: string, order: string) => async (): Promise<unknown> => {
  const vm = await lab.vmPath(machine);
  await lab.proxmox('PUT', `${vm}/config`, { boot: `order=${order}` });
  return await lab.proxmox('POST', `${vm}/status/reboot`, { timeout: '120' });
};

await lab.expect('rehearse', '--only', 'machines', '--detach');
for (const { name } of lab.blueprint.machines) await remember(name);

await reboot('node101', 'BIOS, network first from now on', 'network', withOrder('node101', 'net0;scsi0'));
await reboot('node101', 'BIOS, network first', 'network', fromInside('node101'));
await reboot('node101', 'BIOS, network first', 'network', fromInside('node101'));
await reboot('node103', 'UEFI, network first from now on', 'network', withOrder('node103', 'net0;scsi0'));
await reboot('node103', 'UEFI, network first', 'network', fromInside('node103'));

await lab.loseStore();
await lab.killServe();
await reboot('node101', 'BIOS, network first, the store deleted', 'network', fromInside('node101'));

await cutInstallation('node102');
await remember('node102');
await reboot('node102', 'installed at the second attempt', 'disk', fromInside('node102'));

await reboot('node101', 'disk first again', 'disk', withOrder('node101', 'scsi0;net0'));

const serve = await lab.findServe();
process.kill(serve, 'SIGSTOP');
try {
  await reboot('node101', '`serve` stopped', 'disk', fromInside('node101'));
} finally {
  process.kill(serve, 'SIGCONT');
}

await reboot('node101', 'after its power was cut while it ran', 'disk', async () => {
  await lab.cutPower('node101');
  await lab.expect('up');
});

const left = await lab.listPlannedSteps();
if (left.length > 0) console.log(`the next plan would: ${left.join(', ')}`);
const wrongs = await lab.findWrongs();
for (const wrong of wrongs) console.log(wrong);
report.close();
if (left.length + wrongs.length > 0) process.exitCode = 1;
