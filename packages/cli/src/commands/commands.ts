// Every command, in the order help shows them. What a command does is loaded when it is run, so that help and a typing
// mistake are answered at once.
import type { Command } from '../command.ts';

/** Words that only hold commands together. */
export const commandGroups: Readonly<Record<string, string>> = {
  config: 'the lab file on its own: check, show, schema',
  machine: 'one machine: rebuild',
};

export const commands: readonly Command[] = [
  {
    name: 'rehearse',
    summary: 'bring the lab up on this computer, on emulated hardware',
    description:
      'Brings the lab of the lab file up on this computer: emulated Proxmox hosts and\nnetwork, real machines. No hardware is touched. Needs root; ends with Ctrl-C.',
    options: [
      { flags: '--detach', summary: 'return when the lab is up and leave it running' },
      { flags: '--only <area>', summary: 'bring up this part alone: machines' },
    ],
    examples: ['labwright rehearse', 'labwright rehearse --detach', 'labwright --lab my/lab.yaml rehearse'],
    run: async (program, input) => (await import('./rehearse.ts')).rehearse(program, input),
  },
  {
    name: 'rehearse exec',
    argument: '[command...]',
    summary: 'run a command as a laptop on the rehearsed network',
    examples: ['labwright rehearse exec -- ssh node101 hostname', 'labwright rehearse exec -- bash'],
    run: async (program, input) => (await import('./rehearse.ts')).rehearseExec(program, input),
  },
  {
    name: 'rehearse break',
    argument: '[what...]',
    summary: 'break something in the rehearsal; alone: what can be broken',
    examples: [
      'labwright rehearse break',
      'labwright rehearse break host-down pve2',
      'labwright rehearse break power-cut node101',
    ],
    run: async (program, input) => (await import('./rehearse-break.ts')).rehearseBreak(program, input),
  },
  {
    name: 'rehearse stop',
    summary: 'end the rehearsal of this directory and remove all of it',
    examples: ['labwright rehearse stop'],
    run: async (program) => (await import('./rehearse.ts')).rehearseStop(program),
  },
  {
    name: 'doctor',
    summary: 'what is missing or in the way, and the commands that fix it',
    description:
      'Looks at this computer, the lab file, its secrets and, on hardware, the Proxmox\nhosts. Changes nothing. Exits with 1 when something blocks you.',
    options: [{ flags: '--trust <host>', summary: 'accept the certificate a host shows now; asks first' }],
    examples: ['labwright doctor', 'labwright doctor --trust pve1   after its certificate was renewed'],
    run: async (program, input) => (await import('./doctor.ts')).doctor(program, input),
  },
  {
    name: 'plan',
    summary: 'compare the lab file with what is there',
    options: [
      { flags: '--full', summary: 'every machine on a line of its own, every problem in full' },
      { flags: '--exit-code', summary: 'exit with 3 when there is something to change' },
    ],
    examples: ['labwright plan', 'labwright plan --exit-code'],
    run: async (program, input) => (await import('./plan.ts')).plan(program, input),
  },
  {
    name: 'up',
    argument: '[plan]',
    summary: 'make the lab as the lab file says',
    examples: ['labwright up', 'labwright up 4f2c1a   apply exactly that plan'],
    run: async (program, input) => (await import('./up.ts')).up(program, input),
  },
  {
    name: 'status',
    summary: 'the lab in one screen',
    options: [{ flags: '--full', summary: 'every machine on a line of its own' }],
    examples: ['labwright status', 'labwright status --json'],
    run: async (program, input) => (await import('./status.ts')).status(program, input),
  },
  {
    name: 'down',
    summary: 'shut every machine down in good order; nothing is lost',
    examples: ['labwright down', 'labwright up   starts them again'],
    run: async (program) => (await import('./machine.ts')).down(program),
  },
  {
    name: 'destroy',
    argument: '[machines...]',
    summary: 'remove machines with their disks; asks first',
    options: [{ flags: '--all', summary: 'every machine of the lab' }],
    examples: ['labwright destroy node103', 'labwright destroy --all'],
    run: async (program, input) => (await import('./machine.ts')).destroy(program, input),
  },
  {
    name: 'machine rebuild',
    argument: '<name>',
    summary: 'install a machine anew over the network; asks first',
    examples: ['labwright machine rebuild node103'],
    run: async (program, input) => (await import('./machine.ts')).rebuild(program, input),
  },
  {
    name: 'serve',
    summary: 'boot machines and do the work of commands until it is ended',
    description:
      'Answers DHCP, TFTP and HTTP for the machines of the lab file, and does what\nother commands here ask for. Runs until Ctrl-C or SIGTERM; its log goes to the\nerror stream. Needs ports below 1024, so root or CAP_NET_BIND_SERVICE.',
    options: [{ flags: '--rehearsal <state>', summary: 'serve the rehearsal with this state', isInternal: true }],
    examples: ['labwright serve', 'labwright --lab /etc/labwright/lab.yaml serve   from a systemd unit'],
    run: async (program, input) => (await import('./serve.ts')).serve(program, input),
  },
  {
    name: 'config check',
    summary: 'does the lab file make sense? every problem at once',
    examples: ['labwright config check', 'labwright --lab my/lab.yaml config check'],
    run: async (program) => (await import('./config.ts')).configCheck(program),
  },
  {
    name: 'config show',
    summary: 'the lab file as Labwright reads it',
    options: [{ flags: '--resolved', summary: 'with every default, and where each value comes from' }],
    examples: ['labwright config show', 'labwright config show --resolved'],
    run: async (program, input) => (await import('./config.ts')).configShow(program, input),
  },
  {
    name: 'config schema',
    summary: 'JSON Schema of the lab file, for editors',
    examples: ['labwright config schema > lab.schema.json'],
    run: async (program) => (await import('./config.ts')).configSchema(program),
  },
  {
    name: 'ssh-config',
    summary: 'configuration for ssh: every machine by its name',
    examples: ['labwright ssh-config > ~/.ssh/labwright.conf   and in config: Include labwright.conf'],
    run: async (program) => (await import('./identities.ts')).sshConfig(program),
  },
  {
    name: 'inventory',
    summary: 'Ansible inventory, a group for each pool',
    examples: ['labwright inventory > inventory.yaml'],
    run: async (program) => (await import('./identities.ts')).inventory(program),
  },
  {
    name: 'explain',
    argument: '[code]',
    summary: 'what an error code means and what to do; alone: all codes',
    examples: ['labwright explain LW3001', 'labwright explain'],
    run: async (program, input) => (await import('./explain.ts')).explain(program, input),
  },
];
