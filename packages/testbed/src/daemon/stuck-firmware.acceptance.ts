// Machines that were started while nobody answered DHCP: their firmware gives up and stands still. `up` resets them and they are
// installed. One of each firmware, real guests; firmware takes minutes to give up.
import { makeAcceptanceReport } from './acceptance-report.ts';
import { RealLab, until, untilEnd } from './real-lab.ts';

const minutes = 60_000;
const labText = `version: 1
lab: stuck
domain: home.arpa
networks:
  lan: { cidr: 10.1.0.0/22, gateway: 10.1.0.1, bridge: vmbr0, machines: 10.1.1.0/28 }
hosts:
  pve1: { address: 10.1.0.11, cores: 12, memory: 24GiB }
proxmox: { token: { env: PROXMOX_TOKEN }, tls: pinned, storage: local-lvm }
netboot: { mode: serve, address: 10.1.0.9 }
ssh: { user: admin }
pools:
  bios: { firstVmId: 101, count: 1, cores: 2, memory: 1GiB, disk: 8GiB }
  uefi: { firstVmId: 102, count: 1, cores: 2, memory: 1GiB, disk: 8GiB, firmware: uefi }
`;
/** Firmware that stands still sends nothing any more: SeaBIOS shows why on its screen alone, OVMF ends in its shell. */
const silenceMs = 90_000;

await using lab = await RealLab.make(labText);
const report = makeAcceptanceReport('machines');
const names = lab.blueprint.machines.map(({ name }) => name);

await lab.expect('rehearse', '--only', 'machines', '--detach');
await lab.expect('destroy', '--all', '--yes');
// Created and not started: whoever was to start them is killed, and the next one is stopped before it answers anybody.
const from = lab.events.length;
const client = lab.begin('up');
const ended = untilEnd(client);
for (const name of names)
  await lab.waitForEvent(
    `${name} is created`,
    (event) => event.type === 'step' && event.step === `vm.create ${name}` && event.state === 'done',
    5 * minutes,
    from,
  );
await lab.killServe();
await ended;
const serve = await lab.findServe();
process.kill(serve, 'SIGSTOP');
try {
  for (const name of names) {
    const vm = await lab.vmPath(name);
    const { status } = (await lab.proxmox('GET', `${vm}/status/current`)) as { readonly status: string };
    // One that was started a moment before the kill begins again, with nobody there.
    await lab.proxmox('POST', `${vm}/status/${status === 'running' ? 'reset' : 'start'}`);
  }
  for (const name of names) {
    const since = performance.now();
    const vm = await lab.vmPath(name);
    let [sent, sentAt] = [0, performance.now()];
    await until(`the firmware of ${name} gives up`, 15 * minutes, async () => {
      const { netout } = (await lab.proxmox('GET', `${vm}/status/current`)) as { readonly netout: number };
      if (netout !== sent) [sent, sentAt] = [netout, performance.now()];
      return sent > 0 && performance.now() - sentAt > silenceMs ? true : undefined;
    });
    console.log(`the firmware of ${name} gave up, ${Math.round((performance.now() - since) / 1000)} s later`);
  }
} finally {
  process.kill(serve, 'SIGCONT');
}

const again = lab.events.length;
const { exitCode, output } = await lab.labwright('up');
for (const name of names) {
  const said = lab.events
    .slice(again)
    .flatMap((event) =>
      event.type === 'step' && event.target === name && event.state === 'progress' && event.detail.includes('reset')
        ? [event.detail]
        : [],
    );
  report.add(`${name} was reset and is installed: ${said.join(', ')}`, [
    ...(exitCode === 0 ? [] : [`up ended with ${exitCode}:\n${output}`]),
    ...(said.length === 1 ? [] : [`it was reset ${said.length} times`]),
    ...(await lab.findWrongs(lab.blueprint.machines)),
  ]);
}
report.close();
