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
      'In a rehearsal: `labwright rehearse stop`, then `labwright rehearse`.',
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
