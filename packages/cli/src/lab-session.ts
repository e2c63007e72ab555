// What every command about a lab begins with: which lab is meant, its blueprint, and somebody to ask.
import { resolveBlueprint } from '@labwright/core/blueprint/resolve-blueprint';
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import { readLab, type LabFile } from '@labwright/core/lab/read-lab';
import { LabwrightError } from '@labwright/core/errors/error';
import { makeLabClient, type LabClient } from '@labwright/daemon/api/client';
import { locateLab, type LabLocation } from './lab-location.ts';
import type { Program } from './program.ts';
import { serveSocket } from './rehearsal/record.ts';

export interface LabSession {
  readonly location: LabLocation;
  readonly labFile: LabFile;
  readonly blueprint: Blueprint;
  readonly client: LabClient;
}

/** Says in its first line when the rehearsal is meant. Throws LW1001, LW1002, LW0009. */
export async function openLabSession(program: Program): Promise<LabSession> {
  const location = await locateLab(program);
  const labFile = await readLab(location.labFile);
  const blueprint = resolveBlueprint(labFile.lab, { rehearsal: location.kind === 'rehearsal' });
  if (location.kind === 'hardware') {
    throw new LabwrightError('LW0009', {
      what: 'this version works on rehearsals only',
      why: 'the commands for hardware are not finished',
      fix: ['labwright rehearse'],
    });
  }
  if (!program.options.json) program.terminal.err(`${describeLab(blueprint, labFile)}\n`);
  return { location, labFile, blueprint, client: makeLabClient(serveSocket(location.rehearsal.stateDirectory)) };
}

/** "home, in rehearsal · 3 hosts, 3 machines · lab.yaml" */
export function describeLab(blueprint: Blueprint, labFile: LabFile): string {
  const [name = '', rehearsal] = blueprint.lab.split('+');
  const hosts = `${blueprint.hosts.length} ${blueprint.hosts.length === 1 ? 'host' : 'hosts'}`;
  const machines = `${blueprint.machines.length} ${blueprint.machines.length === 1 ? 'machine' : 'machines'}`;
  return `${name}${rehearsal === undefined ? '' : ', in rehearsal'} · ${hosts}, ${machines} · ${labFile.path}`;
}
