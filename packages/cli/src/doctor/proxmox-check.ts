// The Proxmox hosts of a lab on hardware: do they answer, as whom, and may the login do what the plan needs.
import type { Blueprint, HostBlueprint } from '@labwright/core/blueprint/blueprint';
import { asLabwrightError, type LabwrightError } from '@labwright/core/errors/error';
import { silentLog } from '@labwright/core/ports/log';
import { versionCall } from '@labwright/drivers/proxmox/calls/cluster';
import { connectProxmox, type ProxmoxConnection } from '@labwright/drivers/proxmox/connection';
import type { Credentials } from '@labwright/drivers/proxmox/credentials';
import {
  checkPrivileges,
  formatPveumLines,
  privilegesFor,
  type Login,
  type PrivilegeReport,
} from '@labwright/drivers/proxmox/privileges';
import type { TlsPolicy } from '@labwright/drivers/proxmox/tls-pin';
import { privilegeNeeds } from '../privilege-needs.ts';
import type { Program } from '../program.ts';
import { makeWait } from '../render/waiting.ts';
import { findingOf, type Finding } from './doctor-report.ts';

export interface ProxmoxAccess {
  readonly credentials: Credentials;
  readonly tls: TlsPolicy;
}

const blocked = 'labwright plan, labwright up';
const onHost = 'as root on one of the hosts';

/** The secret is missing or not accepted: every line that makes a login, with exactly the rights the lab needs. */
export function explainLogin(blueprint: Blueprint, error: LabwrightError): Finding {
  const user = 'labwright@pve';
  return {
    ...findingOf(error, blocked),
    typedOn: `${onHost}, if there is no login yet`,
    commands: [
      `pveum user add ${user}`,
      ...formatPveumLines(privilegesFor(privilegeNeeds(blueprint), 9), [], { kind: 'user', user }),
      `pveum user token add ${user} cli --privsep 0`,
    ],
  };
}

/** Asks each host by itself, then one of them about rights. A refused login ends it, so that no account gets locked. */
export async function checkProxmox(
  program: Program,
  blueprint: Blueprint,
  access: ProxmoxAccess,
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  let isPrivileged: Finding | undefined;
  for (const host of blueprint.hosts) {
    const connection = connectTo(program, blueprint, host, access);
    try {
      const wait = makeWait(program, `waiting for Proxmox host ${host.name} (${host.address})`);
      const { version } = await wait(() => connection.request(versionCall(), { signal: program.interrupt, tries: 1 }));
      findings.push({ verdict: 'fine', what: `${host.name} (${host.address}) answers: Proxmox VE ${version}` });
      isPrivileged ??= await askPrivileges(program, blueprint, connection, access.credentials);
    } catch (thrown) {
      program.interrupt.throwIfAborted();
      const error = asLabwrightError(thrown);
      if (error.code === 'LW2002') return [...findings, explainLogin(blueprint, error)];
      findings.push(judgeSilence(host, error));
    } finally {
      await connection.close();
    }
  }
  return isPrivileged === undefined ? findings : [...findings, isPrivileged];
}

function connectTo(
  program: Program,
  blueprint: Blueprint,
  host: HostBlueprint,
  access: ProxmoxAccess,
): ProxmoxConnection {
  return connectProxmox({
    hosts: [{ name: host.name, address: host.address, port: blueprint.proxmox.port }],
    ...access,
    expect: 'hardware',
    clock: program.clock,
    log: silentLog,
    answerTimeoutMs: 15_000,
  });
}

async function askPrivileges(
  { interrupt }: Program,
  blueprint: Blueprint,
  connection: ProxmoxConnection,
  credentials: Credentials,
): Promise<Finding> {
  const login: Login =
    credentials.kind === 'token' ? { kind: 'token', id: credentials.id } : { kind: 'user', user: credentials.user };
  return judgePrivileges(
    await checkPrivileges(connection, privilegeNeeds(blueprint), { login, signal: interrupt }),
    login,
  );
}

function judgePrivileges({ missing, pveum }: PrivilegeReport, login: Login): Finding {
  const name = login.kind === 'token' ? login.id : login.user;
  if (missing.length === 0) return { verdict: 'fine', what: `${name} may do what the lab file needs` };
  const purposes = [...new Set(missing.map((need) => need.purpose))];
  return {
    verdict: 'blocks',
    what: `${name} lacks privileges ${purposes.join(', ')}`,
    blocks: blocked,
    typedOn: onHost,
    commands: pveum,
  };
}

/** A host that is meant to be away is no obstacle. */
export function judgeSilence(host: Pick<HostBlueprint, 'name' | 'maintenance'>, error: LabwrightError): Finding {
  const finding = findingOf(error, blocked);
  if (error.code !== 'LW2001' || !host.maintenance) return finding;
  return { verdict: 'note', what: `${host.name} does not answer; it is in maintenance` };
}
