// What went wrong with the router, at length: what it means and what to do.
import type { ErrorGuide } from '../guide.ts';
import type { ErrorCode } from '../table.ts';

export const routerGuide: Readonly<Record<Extract<ErrorCode, `LW8${string}`>, ErrorGuide>> = {
  LW8001: {
    meaning:
      'The router did not answer on the address of the lab file, or took too long. What the cluster needs of it goes on as it is; a change that was under way is looked at again when the router is back.',
    advice: [
      'Open the router’s web page from this computer: the same address and port are used.',
      'A router with few web workers answers slowly while its page is open in many tabs; Labwright asks one thing at a time.',
      '`router.address` and `router.port` in the lab file are where it is looked for. The port is the one of the page: 443, unless it was moved under System > Advanced > TCP port.',
    ],
  },
  LW8002: {
    meaning:
      'The router refused the user or the password. Labwright sent it once and sends nothing more until the password that the lab file refers to is another one, or until the next `labwright up` or `plan`, which tries the same one once more: pfSense bans an address after three failed logins within half an hour, so a third of the same is not sent.',
    advice: [
      'Check `router.user` and `router.password` in the lab file by logging in on the router’s page.',
      'A corrected secret file is taken up by itself within seconds. A password from the environment is that of the moment when Labwright was started: start it again.',
      'Another user than admin needs the privilege “System - HA node sync”, for itself or by a group.',
      'Was this computer banned already? On the router: Status > System Logs > Authentication, and `pfctl -t sshguard -T show`.',
    ],
  },
  LW8003: {
    meaning:
      'The certificate that the router showed is not the one of the first contact, or belongs to the other world (rehearsal or hardware). No password was sent.',
    advice: [
      'Compare the fingerprint with the one under System > Certificates on the router, and trust it with `labwright doctor --trust NAME`. From then on the router is kept again by itself.',
      'Somebody else answers on the router’s address otherwise: leave it and find out who.',
    ],
  },
  LW8004: {
    meaning:
      'The router understood the call and refused it, or its HAProxy refused a configuration when it was tested. Whether anything was written is in the message.',
    advice: [
      'The router’s own words are in the message.',
      'With “not enough privileges” the user of the lab file lacks “System - HA node sync”.',
    ],
  },
  LW8005: {
    meaning:
      'An answer came that is not one of pfSense’s, or is larger or deeper than any of its answers. Nothing was changed on account of it.',
    advice: [
      'Is it a pfSense that answers there, and not a proxy or another device?',
      'Report it with the output of the same command and --debug.',
    ],
  },
  LW8006: {
    meaning:
      'Labwright reads this router, and writes nothing to it: how this version of pfSense keeps its configuration was not checked when this Labwright was made.',
    advice: ['Update Labwright.', 'Until then names and balancers stay on the router as they are.'],
  },
  LW8007: {
    meaning:
      'Between the reading and the writing somebody changed an entry of ours on the router, several times in a row; or, with `router adopt` and `router restore`, what you had agreed to is not there any more as you saw it; or another Labwright writes for the same lab. Nothing of theirs was overwritten.',
    advice: [
      'After `router adopt` or `router restore`: run the command again and look at what it shows.',
      'It is tried again by itself. If it goes on: who else writes to the router? `labwright router diff` shows it.',
    ],
  },
  LW8008: {
    meaning:
      'A name, an address or a port that the lab needs is taken on the router by an entry that a person or another lab made. Such entries are never changed or removed.',
    advice: [
      'Choose another name, address or port.',
      'Or hand the entry over: `labwright router adopt NAME`. From then on Labwright keeps it. It shows the whole entry before and after, and refuses where something would be gone that ours does not have: another name in the entry, an address with a port, a server. The message says what to move first.',
    ],
  },
  LW8009: {
    meaning: 'pfSense cannot hold such a name or address, or it would not mean what was meant.',
    advice: [
      'Names are of lower-case letters, digits and dashes, with a domain: `web.svc`. The router has no wildcards.',
      'A range for services that is partly in use on the router: its free addresses are given all the same. Correct `services` of the network, or the lease pool, static lease or virtual address that the message names.',
    ],
  },
  LW8010: {
    meaning:
      'A change was written to the router, and when it was looked at afterwards it did not do what it should, or HAProxy could not start with it. Exactly our own entries were taken back to what they were; nobody else’s changes were undone.',
    advice: [
      'What was looked at and what was seen is in the message; `labwright router diff` has it beside each entry.',
      'Status > System Logs on the router, at that minute.',
      'Was something on the router in its way? Mend that, and the same is tried again at the next `labwright up`.',
    ],
  },
  LW8011: {
    meaning:
      'Every write of the router’s configuration takes the place of the oldest of its own backups, so Labwright makes at most twelve an hour, also over a restart, and three more where something of ours was lost and is put back. What is handed over or restored counts as well, and never waits. Names are put live without a write and work; addresses and balancers wait for the next one.',
    advice: [
      'It goes on by itself, an hour after the first of those writes at the latest.',
      'Does something in the cluster come and go all the time? `labwright exposures` and `kubectl get events` show it.',
    ],
  },
  LW8012: {
    meaning:
      'A file given to `labwright router restore` has to be a whole configuration of a pfSense: as `labwright router backup` or the page Diagnostics > Backup & Restore makes it, not encrypted, of the version of configurations that the router has or an older one, and from the same world (a backup of a rehearsal is none for hardware, nor the other way round). Nothing was changed.',
    advice: [
      'What is amiss is in the message.',
      'Of one area only, or encrypted? The page Diagnostics > Backup & Restore on the router takes such files.',
      'From a newer pfSense? Update the router first.',
    ],
  },
  LW8013: {
    meaning:
      'The lab file has HAProxy managed, and on the router it is switched off or not installed. Both are its owner’s to do, so Labwright does neither. Nothing is written for it until then, because front ends would refuse every connection; names and leases are kept as ever.',
    advice: [
      'On the router: Services > HAProxy > Settings > Enable. What waits for it is written within seconds.',
      'Not there? Install the package haproxy under System > Package Manager.',
      'Not wanted? Take haproxy out of `router.manage`.',
    ],
  },
};
