// What went wrong with machines, images and runs, at length: what it means and what to do.
import type { ErrorGuide } from '../guide.ts';
import type { ErrorCode } from '../table.ts';

export const machinesGuide: Readonly<
  Record<Extract<ErrorCode, `LW3${string}` | `LW4${string}` | `LW5${string}`>, ErrorGuide>
> = {
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
      'The lab file names a version of Kubernetes that neither the mirror, nor dl.k8s.io, nor a build from Debian’s source package provides. What each of them said is part of the message. No machine is made for it; machines that are there are not touched.',
    advice: [
      'With the Internet, check that the version exists: https://kubernetes.io/releases.',
      'Without it, name a folder or server laid out like dl.k8s.io as `kubernetes.mirror`.',
      'With neither, 1.20.2 and 1.20.3 can be built from Debian’s source.',
    ],
  },
  LW4004: {
    meaning:
      'The kubeadm of this version names a container image that neither the mirror nor registry.k8s.io has, or nobody answered. Only for versions whose kubeadm wants an etcd 3.4 can the images be packed here, from the programs and Debian’s etcd; and CoreDNS never. Nothing was made.',
    advice: [
      'With the Internet, run the command again: the registry may have been silent for a moment.',
      'Without it, put the images into the folder `images` of the folder that `kubernetes.mirror` names, as an OCI image layout with whole names; on a computer with the Internet `kubeadm config images list --kubernetes-version VERSION` lists them, and for each: `skopeo copy docker://NAME oci:MIRROR/images:NAME`.',
      'A mirror that is a server is asked for them as a registry.',
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
  LW5004: {
    meaning:
      'A command reads the lab file and asks the Labwright that serves the lab, which reads it again when it was edited. What the two have read is not the same, so nothing was planned and nothing changed.',
    advice: [
      'Run the command again: the file may have been saved between the two readings.',
      'After an update of Labwright, start the service again: another version may read the same file otherwise.',
    ],
  },
};
