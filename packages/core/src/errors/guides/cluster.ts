// What went wrong with the cluster, at length: what it means and what to do.
import type { ErrorGuide } from '../guide.ts';
import type { ErrorCode } from '../table.ts';

export const clusterGuide: Readonly<Record<Extract<ErrorCode, `LW6${string}`>, ErrorGuide>> = {
  LW6001: {
    meaning:
      'No answer came from the API server of the cluster: its control planes are off or still starting, the address of the endpoint leads nowhere, a firewall is between, or the certificates of the control planes have ended. What runs in the cluster keeps running.',
    advice: [
      '`labwright cluster status` tells what is known of each control plane.',
      'Check the way there from this computer: `curl -k https://ADDRESS:PORT/livez`.',
      'Certificates that have ended: `labwright cluster certs` tells which, and `labwright cluster renew` makes new ones over SSH.',
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
  LW6014: {
    meaning:
      'The lab file describes a cluster, and none was formed so far: the file with its keys, beside the lab file, is not there. What was asked for needs one.',
    advice: [
      '`labwright up` makes the machines and forms the cluster of them.',
      'If there is a cluster: put the file with its keys back from your copy before that.',
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
      'When more than half are lost for good, only a snapshot helps. `labwright up` makes their machines anew and cannot go on; `labwright cluster restore FILE` restores it on those that are left; `labwright up` joins the others.',
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
      'Kubernetes is upgraded one minor version at a time, never downwards, with every node Ready and every drain possible. Something of that does not hold, and it was found before anything was changed. A machine that is made or made anew gets the version of the lab file, and joins only while the control planes run that one.',
    advice: [
      'The message names the reason and the version or the object to change.',
      'When version and number of machines were raised in one edit, take one of them back: either first the machines and then the version, or the other way round.',
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
};
