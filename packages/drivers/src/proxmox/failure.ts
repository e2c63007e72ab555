// What Proxmox refused or did not answer, as the errors a user reads.
import { LabwrightError } from '@labwright/core/errors/error';
import type { z } from 'zod';
import { type Refusal, formatRefusal, isRelayFailure } from './answer.ts';
import { type ProxmoxCall, formatCallName, hideSecrets } from './call.ts';
import type { Silence } from './transport.ts';

type Call = ProxmoxCall<unknown>;

export function refusalError(call: Call, host: string, refusal: Refusal): LabwrightError {
  const why = hideSecrets(formatRefusal(refusal), call.parameters);
  const where = { host, call: formatCallName(call), status: String(refusal.status) };
  if (refusal.status === 401) return loginError(host, why, where);
  if (refusal.status === 403) return privilegeError(why, where);
  if (isRelayFailure(refusal.status)) {
    const node = String(call.path['node'] ?? host);
    return new LabwrightError('LW2001', {
      what: `host ${node} did not carry out a call in time`,
      where,
      why: `${host} answered for it: ${why} (${refusal.status})`,
      fix: [
        `see whether ${node} is up: labwright status`,
        `and what it is busy with: journalctl -u pvedaemon on ${node}`,
      ],
    });
  }
  return new LabwrightError('LW2004', {
    what: `Proxmox refused ${formatCallName(call)}`,
    where,
    why,
    fix: adviceFor(why, call),
  });
}

function loginError(host: string, why: string, where: Record<string, string>): LabwrightError {
  return new LabwrightError('LW2002', {
    what: `Proxmox refused the login on host ${host}; nothing more was asked, so that no account gets locked`,
    where,
    why,
    fix: [
      'check proxmox.token (or user and password) in the lab file and the secret it refers to',
      'see the tokens that exist: pveum user token list USER@REALM',
    ],
  });
}

/** "Permission check failed (/vms/101, VM.Allocate)" names path and privileges. */
function privilegeError(why: string, where: Record<string, string>): LabwrightError {
  const match = /\((\/[^,)]*), ([^)]+)\)/.exec(why);
  const missing = match === null ? 'a privilege' : `${match[2]} on ${match[1]}`;
  return new LabwrightError('LW2003', {
    what: `the Proxmox login lacks ${missing}`,
    where,
    why,
    fix: ['labwright doctor prints the pveum lines that grant what the plan needs'],
  });
}

function adviceFor(why: string, call: Call): readonly string[] {
  const node = String(call.path['node'] ?? 'the host');
  const vm = String(call.path['vmid'] ?? call.parameters['vmid'] ?? 'VMID');
  const lock = /VM is locked \(([a-z-]+)\)/.exec(why);
  if (lock !== null) {
    return [`wait until its ${lock[1]} has ended`, `or, if nothing runs on it any more: qm unlock ${vm} on ${node}`];
  }
  if (/no quorum|cluster not ready/i.test(why)) {
    return ['start enough hosts for a majority of the cluster: pvecm status shows who is missing'];
  }
  if (/protection mode enabled/.test(why))
    return [`take the protection off first: qm set ${vm} --protection 0 on ${node}`];
  if (/storage '[^']+' (does not exist|is not (available|online))/.test(why)) {
    return [`see what ${node} has: pvesm status`, 'and name one of them in the lab file: pools.NAME.storage'];
  }
  return [`see Proxmox's own log on ${node}: journalctl -u pvedaemon -u pveproxy`];
}

/** Nobody answered; `tried` has the reason for each host, in the order they were asked, and `urls` where each was asked. */
export function silenceError(
  call: Call,
  tried: ReadonlyMap<string, Silence>,
  urls: ReadonlyMap<string, string>,
): LabwrightError {
  const hosts = [...tried.keys()].join(', ');
  const [first = ''] = tried.keys();
  const isNoTls = [...tried.values()].every((silence) => silence.isNoTls === true);
  return new LabwrightError('LW2001', {
    what: tried.size === 1 ? `Proxmox host ${hosts} does not answer` : `no Proxmox host answers (asked ${hosts})`,
    where: { call: formatCallName(call) },
    why: [...tried].map(([host, { reason }]) => `${host}: ${reason}`).join('; '),
    fix: isNoTls
      ? [anotherServer, `see what is there: ${(urls.get(first) ?? 'it').replace('https:', 'http:')} in a browser`]
      : [
          `check that ${tried.size === 1 ? 'it' : 'a host'} is up and reachable: open ${urls.get(first) ?? 'it'} in a browser`,
          'check hosts.NAME.address and proxmox.port in the lab file',
        ],
  });
}

const anotherServer = "correct hosts.NAME.address or proxmox.port in the lab file: Proxmox's own port is 8006";

export function foreignAnswerError(call: Call, host: string, said: string): LabwrightError {
  return new LabwrightError('LW2009', {
    what: `what answers for host ${host} does not speak Proxmox's API`,
    where: { host, call: formatCallName(call) },
    why: `it answered ${hideSecrets(said, call.parameters)}`,
    fix: [`if it is another web server: ${anotherServer}`, 'a reverse proxy in between has to pass /api2 on unchanged'],
  });
}

export function misreadError(call: Call, host: string, error: z.ZodError): LabwrightError {
  const problems = error.issues.slice(0, 3).map((issue) => `${issue.path.join('.') || 'answer'}: ${issue.message}`);
  return new LabwrightError('LW2009', {
    what: `host ${host} answered ${formatCallName(call)} in a form this version of Labwright does not know`,
    where: { host, call: formatCallName(call) },
    why: problems.join('; '),
    fix: ['Proxmox VE 8 and 9 are supported; see the version with pveversion, and report this if it is one of them'],
    cause: error,
  });
}
