// Every command, in the order help shows them. What a command does is loaded when it is run, so that help and a typing
// mistake are answered at once.
import type { Command } from '../command.ts';

/** Words that only hold commands together. */
export const commandGroups: Readonly<Record<string, string>> = {
  config: 'the lab file on its own: check, show, schema',
  machine: 'one machine: rebuild, drain, replace',
  cluster: 'Kubernetes: status, kubeconfig, upgrade, certs …',
  router: 'the router: diff, backup, restore, adopt',
  services: 'services outside the cluster: compose',
};

export const commands: readonly Command[] = [
  {
    name: 'rehearse',
    summary: 'bring the lab up on this computer, on emulated hardware',
    description:
      'Brings the lab of the lab file up on this computer: emulated Proxmox hosts and network, real machines. No hardware is touched. Needs root; ends with Ctrl-C.',
    options: [
      { flags: '--detach', summary: 'return when the lab is up and leave it running' },
      { flags: '--only <area>', summary: 'bring up this part alone: machines' },
      { flags: '--size <size>', summary: 'ha: with three control planes, whatever the lab file has' },
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
      'labwright rehearse break disk node101',
      'labwright rehearse break router slow 10',
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
      'Looks at this computer, the lab file, its secrets and, on hardware, the Proxmox hosts. Changes nothing. Exits with 1 when something blocks you.',
    options: [{ flags: '--trust <host>', summary: 'accept the certificate a host shows now; asks first' }],
    examples: ['labwright doctor', 'labwright doctor --trust pve1   after its certificate was renewed'],
    run: async (program, input) => (await import('./doctor.ts')).doctor(program, input),
  },
  {
    name: 'conformance',
    summary: 'compare Proxmox and the router with the emulated ones',
    description:
      'Runs each call that Labwright makes against the running rehearsal, or with --real against your hardware, and prints where the answers differ from those of the emulators. With --vm-id it also makes, changes and removes a VM of that number, which must be free; its disk is empty. On the router it puts one name there and takes it away. What is printed names nothing of yours.',
    options: [
      { flags: '--vm-id <number>', summary: 'a number that no VM has, for a VM that is made and removed' },
      { flags: '--storage <name>', summary: 'where the disk of that VM lies' },
      { flags: '--rehearsal <state>', summary: 'inside that rehearsal', isInternal: true },
    ],
    examples: ['labwright --real conformance', 'labwright --real conformance --vm-id 990 --json > answers.json'],
    run: async (program, input) => (await import('./conformance.ts')).conformance(program, input),
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
    name: 'machine drain',
    argument: '<name>',
    summary: 'move the pods of a node elsewhere, as their budgets allow',
    description:
      'Proves first that every pod can go; then cordons the node and evicts them. The node stays cordoned: kubectl uncordon NAME gives it back.',
    examples: ['labwright machine drain node102'],
    run: async (program, input) => (await import('./cluster-life.ts')).machineDrain(program, input),
  },
  {
    name: 'machine replace',
    argument: '<name>',
    summary: 'give a machine up whose disk or host is gone, and make it anew',
    description:
      'A machine whose disk is gone gets a new one. One whose host is off is replaced by the next VM ID of its pool; --host-is-off is your word for it, because two machines that take themselves for the same one damage data.',
    options: [{ flags: '--host-is-off', summary: 'its host does not answer, and is switched off' }],
    examples: ['labwright machine replace node102', 'labwright machine replace node102 --host-is-off'],
    run: async (program, input) => (await import('./cluster-life.ts')).machineReplace(program, input),
  },
  {
    name: 'cluster status',
    summary: 'the cluster, its nodes and the members of etcd',
    examples: ['labwright cluster status', 'labwright cluster status --json'],
    run: async (program) => (await import('./cluster.ts')).clusterStatus(program),
  },
  {
    name: 'cluster kubeconfig',
    summary: 'a login for kubectl, good for a year',
    description:
      'Prints a kubeconfig with a new login that may do everything in the cluster. Each call makes another one; all of them end with their year, or with the ClusterRoleBinding labwright:admins.',
    options: [{ flags: '--merge', summary: 'put it into the kubeconfig that kubectl uses' }],
    examples: ['labwright cluster kubeconfig > home.kubeconfig', 'labwright cluster kubeconfig --merge'],
    run: async (program, input) => (await import('./cluster.ts')).clusterKubeconfig(program, input),
  },
  {
    name: 'cluster upgrade',
    summary: 'bring every machine to the version of Kubernetes in the lab file',
    description:
      'After kubernetes.version was raised in the lab file. Everything is checked first; then a snapshot is taken and the machines follow one by one, control planes before workers. It stops at the first failure, and goes on from there when run again.',
    examples: ['labwright cluster upgrade'],
    run: async (program) => (await import('./cluster-life.ts')).clusterUpgrade(program),
  },
  {
    name: 'cluster snapshot',
    summary: 'take a snapshot of etcd and check it',
    examples: ['labwright cluster snapshot'],
    run: async (program) => (await import('./cluster-life.ts')).clusterSnapshot(program),
  },
  {
    name: 'cluster restore',
    argument: '<file>',
    summary: 'put the cluster back to a snapshot; asks first',
    examples: ['labwright cluster restore snapshots/home-20261122T170000Z-r12345-scheduled.etcd.age'],
    run: async (program, input) => (await import('./cluster-life.ts')).clusterRestore(program, input),
  },
  {
    name: 'cluster renew',
    summary: 'renew certificates that end within 30 days; serve does so by itself',
    examples: ['labwright cluster renew', 'labwright cluster certs   when they end'],
    run: async (program) => (await import('./cluster-life.ts')).clusterRenew(program),
  },
  {
    name: 'cluster certs',
    summary: 'when the certificates of the cluster end',
    examples: ['labwright cluster certs'],
    run: async (program) => (await import('./cluster.ts')).clusterCertificates(program),
  },
  {
    name: 'exposures',
    summary: 'what runs in the cluster and is reached from the house',
    description:
      'Every Service of type LoadBalancer and every Ingress: name, address, port, where it ends, and whether it answers from this computer. What is refused is there with the reason and the way out.',
    examples: ['labwright exposures', 'labwright exposures --json'],
    run: async (program) => (await import('./exposures.ts')).exposures(program),
  },
  {
    name: 'why',
    argument: '<name>',
    summary: 'why a name answers or does not, hop by hop',
    description:
      'Record, resolver, balancer, node port, endpoint, pod: each is looked at from this computer. Exits with 1 when one fails.',
    examples: ['labwright why web.svc'],
    run: async (program, input) => (await import('./exposures.ts')).why(program, input),
  },
  {
    name: 'router diff',
    summary: 'entries of this lab on the router that should be otherwise',
    description:
      'Also entries that stay as they are, because something that is not ours stands in their place. Changes nothing.',
    options: [{ flags: '--exit-code', summary: 'exit with 3 when there is a difference' }],
    examples: ['labwright router diff', 'labwright router diff --exit-code'],
    run: async (program, input) => (await import('./router.ts')).routerDiff(program, input),
  },
  {
    name: 'router backup',
    argument: '[file]',
    summary: 'the whole configuration of the router in a file',
    description:
      'As Diagnostics > Backup & Restore on the router gives it, and as that page takes it back. The file holds keys and password hashes; only you may read it.',
    examples: ['labwright router backup', 'labwright router backup fw1.xml'],
    run: async (program, input) => (await import('./router.ts')).routerBackup(program, input),
  },
  {
    name: 'router restore',
    argument: '<file>',
    summary: 'put the router back to a backup; asks first',
    description:
      "Shows what differs, by section and by name, and asks. What is on the router now is kept in a file beside FILE first. Names, DHCP, addresses and HAProxy take it up at once, the rest when the router is rebooted. It is the whole configuration, also what is not Labwright's; the lab's own entries come back by serve or up.",
    examples: ['labwright router restore fw1-20261122T170000Z.xml'],
    run: async (program, input) => (await import('./router-restore.ts')).routerRestore(program, input),
  },
  {
    name: 'router adopt',
    argument: '<name>',
    summary: 'make an entry of the router ours that was made by hand; asks',
    description:
      'For an entry with a name, address or port that the lab needs. Without this it is never changed or removed. Shows the whole entry before and after, and refuses where more than ours would be gone, a further name of the entry for one.',
    examples: ['labwright router adopt web.svc'],
    run: async (program, input) => (await import('./router.ts')).routerAdopt(program, input),
  },
  {
    name: 'services compose',
    argument: '<name>',
    summary: 'the compose file of a service on the NAS',
    description:
      'Prints a compose file for a service of the lab file that runs in a container on a NAS, for its container manager. Secrets stay out of it: its first lines say what to write into the file .env beside it.',
    examples: ['labwright services compose mariadb > compose.yaml'],
    run: async (program, input) => (await import('./services.ts')).servicesCompose(program, input),
  },
  {
    name: 'serve',
    summary: 'boot machines and do the work of commands until it is ended',
    description:
      'Answers DHCP, TFTP and HTTP for the machines of the lab file, and does what other commands here ask for; an edited lab file counts from the next command on. Runs until Ctrl-C, SIGTERM or the end of its terminal; its log goes to the error stream. Needs ports below 1024, so root or CAP_NET_BIND_SERVICE.',
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
    isStandalone: true,
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
    isStandalone: true,
    argument: '[code]',
    summary: 'what an error code means and what to do; alone: all codes',
    examples: ['labwright explain LW3001', 'labwright explain'],
    run: async (program, input) => (await import('./explain.ts')).explain(program, input),
  },
];
