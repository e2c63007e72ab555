// What went wrong with Proxmox, at length: what it means and what to do.
import type { ErrorGuide } from '../guide.ts';
import type { ErrorCode } from '../table.ts';

export const proxmoxGuide: Readonly<Record<Extract<ErrorCode, `LW2${string}`>, ErrorGuide>> = {
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
      'An answer of Proxmox does not have the form its API documents. The version may be newer than what Labwright knows, a proxy may be in between, or the port may be that of another web server.',
    advice: [
      'Check that the address is that of a Proxmox host, and the port too: it is 8006 unless it was changed.',
      'Report it with the Proxmox version and `--debug`.',
    ],
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
};
