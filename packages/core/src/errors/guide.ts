// The long form of every error code: what it means and what to do, for `labwright explain` and docs/errors.md.
import type { ErrorCode } from './table.ts';

export interface ErrorGuide {
  /** What happened and why it can, in a few sentences. */
  readonly meaning: string;
  /** What to try, most likely first. */
  readonly advice: readonly string[];
}

export const errorGuide: Readonly<Record<ErrorCode, ErrorGuide>> = {
  LW0001: {
    meaning:
      'This is a mistake in Labwright, not in your lab. Nothing it was doing was left half recorded: what was finished is in the journal.',
    advice: [
      'Run the same command again: `labwright up` goes on where it stopped.',
      'Report it with the output of the same command and `--debug`.',
    ],
  },
  LW0002: {
    meaning: 'A command, option or argument is not one Labwright knows, or two of them exclude each other.',
    advice: [
      'See `labwright help` and `labwright COMMAND --help`; the message names the nearest match where there is one.',
    ],
  },
  LW0003: {
    meaning:
      'The work was stopped by Ctrl-C or a signal. Running steps were finished first, unless the signal came twice. The journal knows what is done.',
    advice: ['`labwright up` goes on from there.', '`labwright plan` shows what is left.'],
  },
  LW0004: {
    meaning:
      'Labwright starts a few programs of the system, such as QEMU in a rehearsal, and one of them is not installed.',
    advice: [
      'Install the Debian package the message names.',
      '`labwright doctor` lists everything that is missing at once.',
    ],
  },
  LW0005: {
    meaning:
      'A file or folder of this computer could not be read or written: no permission, a full disk, or something else stands in its place.',
    advice: ['Look at the path in the message with `ls -ld PATH` and `df -h PATH`.'],
  },
  LW0006: {
    meaning: 'A program that Labwright started ended with an error. Its last lines are printed below the message.',
    advice: ['Read those lines first; they are the program’s own words.', 'Run the command from the message by hand.'],
  },
  LW0007: {
    meaning:
      'The work needs a right that this user does not have, such as ports below 1024 for DHCP and TFTP, or namespaces for a rehearsal.',
    advice: ['`labwright doctor` says which right is missing and how to give only that one.'],
  },
  LW0008: {
    meaning:
      'Another program has the address and port that Labwright wants to listen on, often a second DHCP or TFTP server.',
    advice: [
      '`labwright doctor` and `ss -lntup` show which program it is. Stop it, or let it listen on another address only.',
    ],
  },
  LW0009: {
    meaning:
      'The lab file says that `labwright serve` does the work, or a rehearsal should be running, but nobody answers on its socket.',
    advice: [
      'On hardware: start `labwright serve` again, on the computer the lab file names at `serve`.',
      'In a rehearsal: look at `keeper.log` and the logs beside it in the folder the message names; then `labwright rehearse stop`, which removes the rehearsed machines, and `labwright rehearse`.',
    ],
  },
  LW1001: {
    meaning: 'The lab file is not there, may not be read, or is far too large to be one.',
    advice: ['Run the command in the folder of `lab.yaml`, or name the file with `--lab`.'],
  },
  LW1002: {
    meaning:
      'The lab file was read but does not describe a lab that can exist: a key or value is wrong, or two parts contradict each other. All problems are listed, and nothing was touched.',
    advice: [
      'Each problem has its line and a fix. `labwright config check` runs this check alone.',
      'docs/lab-file.md describes every key.',
    ],
  },
  LW1003: {
    meaning:
      'The lab file names a secret (`{env: NAME}`, `{file: PATH}` or `{age: KEY}`) that is not there, is empty, or is a file that others may read.',
    advice: [
      'For `env`: set the variable in the shell, or in the service’s environment file.',
      'For `file`: `chmod 600 PATH`; Labwright refuses secrets that other users can read.',
      'For `age`: check that the identity file opens the secrets file and that the key is in it.',
    ],
  },
  LW2001: {
    meaning:
      'No answer came from the API of a Proxmox host: it is off, the address or port is wrong, or a firewall is between. Its machines keep running if it does.',
    advice: [
      'Open https://ADDRESS:8006 in a browser from this computer.',
      'If the host is off for a while, set `maintenance: true` for it in the lab file.',
    ],
  },
  LW2002: {
    meaning:
      'Proxmox does not accept the token or the password. A token is written USER@REALM!TOKENID=UUID, and it may have expired.',
    advice: [
      '`labwright doctor` prints the commands that make a user, its roles and a token.',
      'Check which secret `proxmox.token` names.',
    ],
  },
  LW2003: {
    meaning:
      'The login works but may not do what the plan needs. A token made with privilege separation has only rights given to the token itself.',
    advice: ['`labwright doctor` compares the rights and prints the exact `pveum` lines for what is missing.'],
  },
  LW2004: {
    meaning: 'Proxmox answered a call with an error. Its own words are in the message.',
    advice: [
      'Read Proxmox’s words; full storage and names that do not exist are the most common.',
      '`labwright plan` shows what is left to do.',
    ],
  },
  LW2005: {
    meaning: 'Proxmox started a task and the task failed. The end of its log is printed below the message.',
    advice: [
      'Read the log; the same task is in the Proxmox web page under the host’s task history.',
      'Then `labwright up` again.',
    ],
  },
  LW2006: {
    meaning: 'A Proxmox task is still running after far longer than usual. It was not stopped.',
    advice: [
      'See what it waits for in the Proxmox web page: often slow storage or a lock of a backup.',
      '`labwright up` picks the task up again.',
    ],
  },
  LW2007: {
    meaning:
      'The host shows another certificate than the one recorded on first contact, or one its authority did not sign. It may have been reinstalled or renewed; someone may also be in between.',
    advice: [
      'Compare the fingerprint in the message with the one in the Proxmox web page (host, System, Certificates).',
      'If it is the host’s own, accept it: `labwright doctor --trust HOST` shows both fingerprints and asks.',
    ],
  },
  LW2008: {
    meaning:
      'A virtual machine has a VM ID that the lab file gives to one of our machines, but does not carry this lab’s mark. Labwright never changes or removes what is not its own.',
    advice: [
      'Move the pool: choose another `firstVmId`.',
      'Or give the other virtual machine another VM ID in Proxmox.',
    ],
  },
  LW2009: {
    meaning:
      'An answer of Proxmox does not have the form its API documents. The version may be newer than what Labwright knows, or a proxy is in between.',
    advice: ['Check that the address is that of a Proxmox host.', 'Report it with the Proxmox version and `--debug`.'],
  },
  LW2010: {
    meaning:
      'No host the machine may run on has enough free memory or cores for it. What already runs there counts, ours or not.',
    advice: [
      'Stop or move something on those hosts, or make the pool smaller in the lab file.',
      'Allow more hosts: widen the pool’s `hosts`, or end a `maintenance: true`.',
    ],
  },
  LW2011: {
    meaning:
      'The lab file now asks for something that an existing machine cannot become without being made again, such as a smaller disk or another firmware.',
    advice: [
      'Put the old value back in the lab file.',
      'Or make the machine again, which erases its disk: `labwright machine rebuild NAME`.',
    ],
  },
  LW3001: {
    meaning:
      'A machine was started but did not report that it is ready in time. The message says how far its boot came and what is likely in its way.',
    advice: [
      'Follow the likely reason in the message; blocked UDP ports 67 and 69 and a second DHCP server are the most common.',
      'Look at the machine’s console in Proxmox.',
      'Then `labwright up` again.',
    ],
  },
  LW3002: {
    meaning:
      'A packet or request of a boot was not served: its machine is not in the lab file, its token is unknown or used up, or it asked for a file that does not exist.',
    advice: [
      'Add the machine to the lab file if it is one of yours.',
      'Restart the machine: each boot gets a new token.',
    ],
  },
  LW3003: {
    meaning:
      'A machine should be up, but its SSH server does not answer, or the connection broke off. It may still be starting, be switched off, or have another address than the lab file says.',
    advice: [
      'Look at the machine’s console in Proxmox.',
      'Check the way there from this computer: `ssh -v USER@ADDRESS`.',
    ],
  },
  LW3004: {
    meaning:
      'The machine shows another host key than the one it reported when it was made, or it does not accept Labwright’s key. Nothing was sent to it.',
    advice: [
      'If someone installed the machine by hand, make it again: `labwright machine rebuild NAME`.',
      'If not, find out which computer answers at that address before going on.',
    ],
  },
  LW3005: {
    meaning:
      'Network boot answers from one address of the network that the machines are in, and this computer does not have it, so nothing was started.',
    advice: [
      'Compare `netboot.address` in the lab file with the addresses of this computer: `ip -br address`.',
      'If an interface gets its address late, start Labwright after it: `After=network-online.target`.',
    ],
  },
  LW4001: {
    meaning:
      'A file that was fetched is not the file that was asked for. It was thrown away; nothing of it is in the cache.',
    advice: [
      'Run the command again: a mirror may have been in the middle of an update.',
      'If it stays, use another mirror.',
    ],
  },
  LW4002: {
    meaning:
      'Building an operating system image on this computer failed. The last lines of the build are printed below the message.',
    advice: [
      'Check that the Debian mirror can be reached and that there is room on the disk.',
      '`labwright doctor` lists missing programs.',
    ],
  },
  LW4003: {
    meaning:
      'The lab file names a version of Kubernetes that neither the mirror, nor dl.k8s.io, nor a build from Debian’s source package provides. What each of them said is part of the message.',
    advice: [
      'With the Internet, check that the version exists: https://kubernetes.io/releases.',
      'Without it, name a folder or server laid out like dl.k8s.io as `kubernetes.mirror`.',
      'With neither, 1.20.2 and 1.20.3 can be built from Debian’s source.',
    ],
  },
  LW5001: {
    meaning:
      'Between making the plan and applying it, something it relies on was changed on an appliance. Nothing was touched.',
    advice: ['Make the plan again with `labwright plan` and look at what is different.'],
  },
  LW5002: {
    meaning:
      'One step of the plan failed, and the steps that need it were not started. Steps that do not depend on it were finished.',
    advice: ['Fix what the step says; `labwright up` then does only what is left.'],
  },
  LW5003: {
    meaning:
      'Only one Labwright may change a lab at a time: another one is at it, or the lab file names the computer that does the work at `serve`.',
    advice: [
      'Wait for the other one, or interrupt it where it was started.',
      'Run the command on the computer that the lab file names at `serve`; if that one is gone for good, `--without-serve` does the work here.',
    ],
  },
  LW6001: {
    meaning:
      'No answer came from the API server of the cluster: its control planes are off or still starting, the address of the endpoint leads nowhere, or a firewall is between. What runs in the cluster keeps running.',
    advice: [
      '`labwright cluster status` tells what is known of each control plane.',
      'Check the way there from this computer: `curl -k https://ADDRESS:PORT/livez`.',
    ],
  },
  LW6002: {
    meaning:
      'The API server does not accept the certificate Labwright logs in with: the cluster was formed with another PKI, the certificate ran out, or the clock of this computer is wrong.',
    advice: [
      'Check that the secrets file beside the lab file is the one this cluster was formed with.',
      'Compare the clocks: `date` here and on a control plane.',
    ],
  },
  LW6003: {
    meaning:
      'What answers at the address of the API shows a certificate that the cluster’s own authority did not sign, or one for another name. Nothing was sent to it.',
    advice: [
      'Find out which computer has the address `kubernetes.endpoint` in the lab file.',
      'If the cluster was formed again by hand, its PKI is no longer the one beside the lab file: restore the one that belongs to it.',
    ],
  },
  LW6004: {
    meaning: 'The API server answered a call with an error. Its own words are in the message.',
    advice: [
      'Read the API server’s words; a webhook or a quota that says no is named in them.',
      'Try the same by hand: `labwright cluster kubeconfig`, then kubectl.',
    ],
  },
  LW6005: {
    meaning:
      'Between reading an object of the cluster and changing it, someone else changed it, or another program has the fields that Labwright sets. Nothing was overwritten.',
    advice: [
      'Run the command again: it starts from what is there now.',
      'If it stays, the message names the program that also writes these fields.',
    ],
  },
  LW6006: {
    meaning:
      'An answer of the API server does not have the form its version documents. A proxy may be in between, or another server may answer on that port.',
    advice: [
      'Check that the endpoint in the lab file is that of the cluster.',
      'Report it with the version of Kubernetes and `--debug`.',
    ],
  },
  LW6007: {
    meaning:
      'Before anything was changed it was clear that the node cannot be emptied: a disruption budget would never allow the last evictions, or a pod would be lost for good. Each pod in the way is listed with the way out.',
    advice: [
      'Give the workload another replica, or relax its PodDisruptionBudget.',
      'Delete pods that nothing makes again yourself, when they are no longer needed.',
    ],
  },
  LW6008: {
    meaning:
      'Pods were still on the node when the time for draining it was over. Disruption budgets were honoured; nothing was deleted past them. The node stays cordoned.',
    advice: [
      'See what the pods in the message wait for: `kubectl describe pod -n NAMESPACE NAME`.',
      'Run the command again: it goes on with the pods that are left.',
      'To give up: `kubectl uncordon NODE`.',
    ],
  },
  LW6010: {
    meaning:
      'The file with the keys of the cluster, encrypted beside the lab file, is there and cannot be used: it is damaged, of another lab, or encrypted for another identity. It is never made again over an existing one, because the running cluster goes with the old keys.',
    advice: [
      'Put the file and the identity back from your copy of both.',
      'A lab that never had a cluster: remove the file, and the next formation makes a new one.',
    ],
  },
  LW6011: {
    meaning:
      'The machine carries the keys of a cluster that is not the one whose keys lie beside the lab file. Labwright does not take a machine out of a cluster it does not know.',
    advice: [
      'Put the keys of that cluster back from your copy, if it is this lab’s.',
      'If nothing on the machine is needed any more: `labwright machine rebuild NAME`, then `labwright up`.',
    ],
  },
  LW6012: {
    meaning:
      'kubeadm ended with an error on the machine. Its last lines are printed below the message. What it left half done is undone before the next try.',
    advice: [
      'Read those lines first; the last one that begins with "error" is the reason.',
      '`labwright up` tries again from the beginning of that step.',
    ],
  },
  LW6013: {
    meaning:
      'The machine runs and kubeadm ended well or is still at it, but its node did not become ready in time. The message names what was waited for; the last lines of its kubelet are printed below.',
    advice: [
      'Look at the machine itself: `ssh NAME sudo journalctl -u kubelet -n 50`.',
      '`labwright up` goes on from there.',
    ],
  },
  LW6031: {
    meaning:
      'No answer came from a member of etcd, the database behind the API of the cluster. Its control plane is off or still starting, or port 2379 cannot be reached from here.',
    advice: [
      '`labwright cluster status` tells which members answer.',
      'A machine that stopped by itself is started again by `labwright up`.',
    ],
  },
  LW6032: {
    meaning: 'A member of etcd answered a call with an error. Its own words are in the message.',
    advice: [
      'Run the command again: it starts from what is there now.',
      '`labwright cluster status` tells how the members are.',
    ],
  },
  LW6033: {
    meaning:
      'etcd decides as long as more than half of its voters answer. What was asked for could have left too few, so it was not begun; nothing was changed.',
    advice: [
      'Bring back the control planes that do not answer, or add one, and run the command again.',
      'When more than half are lost for good, only a snapshot helps: `labwright cluster restore FILE`.',
    ],
  },
  LW6034: {
    meaning:
      'A snapshot is checked when it is taken and before it is restored: the hash that etcd puts behind it, the structure of the database, and the number of objects in it. One of them does not hold, so it is not used.',
    advice: [
      'Take another: `labwright cluster snapshot`; restore an older one: `labwright cluster restore FILE`.',
      'If a new one fails as well, look at the disk of the control plane the message names.',
    ],
  },
  LW6035: {
    meaning:
      'Kubernetes is upgraded one minor version at a time, never downwards, with every node Ready and every drain possible. Something of that does not hold, and it was found before anything was changed.',
    advice: [
      'The message names the reason and the version or the object to change.',
      '`labwright cluster upgrade` goes on from where it is when the reason is gone.',
    ],
  },
  LW6036: {
    meaning:
      'A program that Labwright ran on a machine of the cluster ended with an error. Its last lines are in the message.',
    advice: [
      'Read the lines; the same program can be run by hand on the machine.',
      'Run the command again: it goes on from where it is.',
    ],
  },
  LW7001: {
    meaning:
      'Charts are installed by the helm program, and each version of it serves four minor versions of Kubernetes. None that serves this cluster is installed here, in the mirror, or could be downloaded.',
    advice: [
      'Install the version that the message names, so that `helm version` answers.',
      'Without Internet: put its archive and the `.sha256sum` beside it into a folder and name that at `kubernetes.helmMirror`.',
    ],
  },
  LW7002: {
    meaning:
      'The package of a chart is neither in the cache nor could it be fetched from its repository. Nothing was changed in the cluster for it.',
    advice: [
      'Try the repository from this computer; the message has its address and what helm said.',
      'Without Internet: put the packages into a folder and name it at `kubernetes.chartMirror`.',
      'A chart that is not needed is switched off by `kubernetes.charts.NAME: false`.',
    ],
  },
  LW7003: {
    meaning:
      'Helm could not bring a release to what the lab file says. An upgrade that failed was rolled back to the version before it, an installation that failed was taken out again; what serves now serves as before.',
    advice: [
      'Read helm’s own words and what the pods waited for; both are below the message.',
      'Most often an image cannot be pulled, a value has the wrong form, or the cluster has too little memory.',
      'Correct it in the lab file; `labwright up` does only what is left.',
    ],
  },
  LW7004: {
    meaning:
      'A release or a Secret that the lab file wants exists in the cluster, and Labwright did not make it. It is never changed or removed.',
    advice: [
      'Keep it, and switch ours off in the lab file or give it another name.',
      'Or remove it yourself (`helm uninstall`, `kubectl delete secret`), and run `labwright up` again.',
    ],
  },
  LW7005: {
    meaning:
      'No version of the chart that Labwright was tested with serves the version of Kubernetes in the lab file. Nothing was changed.',
    advice: [
      'State a version of the chart that does: `kubernetes.charts.NAME: {version: …}`.',
      'Or switch the chart off: `kubernetes.charts.NAME: false`.',
    ],
  },
  LW7006: {
    meaning:
      'A machine of the lab tried to mount a folder of the NAS by NFS, and could not, or could not write to it. Labwright changes nothing on the NAS for that; the message has the steps for its kind.',
    advice: [
      'The rule on the NAS must allow the whole network of the machines, with writing and without mapping root to a guest.',
      'NFS 4.1 must be switched on: on DSM it is not by default.',
    ],
  },
  LW7007: {
    meaning:
      'The file with our exports on a Linux NAS could not be written, or the NFS server did not take it. What was there before is there again; no other file is ever touched.',
    advice: [
      'Check that the user of `nas.NAME.ssh` may write to /etc/exports.d and run exportfs, directly or by sudo without a password.',
      'Make the exported folders first: Labwright exports folders, and does not make them.',
    ],
  },
  LW9001: {
    meaning:
      'The emulated lab could not be set up on this computer. It needs Linux namespaces, QEMU and a few Debian packages; no hardware is ever touched.',
    advice: ['`labwright doctor` lists what is missing.', 'The rehearsal needs about 4 GiB of free memory.'],
  },
  LW9002: {
    meaning: 'The command is about a running rehearsal, and none runs in this folder.',
    advice: ['Start one: `labwright rehearse`.', 'Run the command in the folder of the lab file.'],
  },
  LW9003: {
    meaning: 'A rehearsal of this lab is already running in this folder. There can be one at a time.',
    advice: ['Use it, or end it with `labwright rehearse stop`.'],
  },
};
