// What every command about a lab begins with: which lab is meant, its blueprint, and somebody to ask.
import { resolveBlueprint } from '@labwright/core/blueprint/resolve-blueprint';
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import type { LabFile } from '@labwright/core/lab/read-lab';
import { LabwrightError } from '@labwright/core/errors/error';
import { makeLabClient, type LabClient } from '@labwright/daemon/api/client';
import { isServed } from '@labwright/daemon/api/socket';
import { hardwareSocket } from './folders.ts';
import { makeLineLog } from './line-log.ts';
import { type LabLocation, locateLab, readLabFile } from './lab-location.ts';
import type { Program } from './program.ts';
import { plural, wrap } from './render/text.ts';
import { makeWait, type Wait } from './render/waiting.ts';
import { serveSocket } from './rehearsal/record.ts';
import { labFileAt } from './rehearsal/rehearsed-lab.ts';
import { untilInterrupted } from './until-interrupted.ts';

export interface LabSession {
  readonly location: LabLocation;
  readonly labFile: LabFile;
  readonly blueprint: Blueprint;
  readonly client: LabClient;
}

export interface SessionNeeds {
  /** Whether machines may have to boot: then the boot servers run while the command does, unless somebody serves. */
  readonly boot: boolean;
  /** False for a command that works without Proxmox: then nobody has to have its secret at hand. */
  readonly needsProxmox?: boolean;
  /** Throws when the command makes no sense for this lab, before anybody is asked. */
  readonly check?: (blueprint: Blueprint) => void;
}

/**
 * Runs the work with somebody to ask: the Labwright that serves this lab, or else one opened for the length of the work.
 * Says in its first line which lab is meant. Throws LW1001, LW1002, LW1003, LW0009 and what opening throws.
 */
export async function withLab<Result>(
  program: Program,
  needs: SessionNeeds,
  work: (session: LabSession) => Promise<Result>,
): Promise<Result> {
  const location = await locateLab(program);
  const labFile = labFileAt(location, await readLabFile(program, location.labFile));
  const blueprint = resolveBlueprint(labFile.lab, { rehearsal: location.kind === 'rehearsal' });
  needs.check?.(blueprint);
  if (!program.options.json) program.terminal.err(describeLab(blueprint, labFile, program.terminal.errStyle.columns));
  const session = { location, labFile, blueprint };
  const wait = makeWait(program, waitsFor(blueprint));
  const { digest } = labFile;
  if (location.kind === 'rehearsal') {
    const socket = serveSocket(location.rehearsal.stateDirectory);
    return await work({ ...session, client: makePatientClient(makeLabClient(socket, digest), wait) });
  }
  const socket = hardwareSocket(program.folders, labFile);
  const client = makePatientClient(makeLabClient(socket, digest), wait);
  if (await isServed(socket)) return await work({ ...session, client });
  if (labFile.lab.serve !== undefined && needs.boot && !program.options.withoutServe) {
    throw new LabwrightError('LW5003', {
      what: `only the Labwright that serves at ${labFile.lab.serve} changes this lab`,
      where: { 'lab file': 'serve' },
      why: 'it does not run on this computer',
      fix: ['run the command there', 'or, if it is gone for good: the same command with --without-serve'],
    });
  }
  // Loaded only where the work is done here: most commands ask somebody who runs.
  const [{ serveLab }, { serveOptionsOnHardware }] = await Promise.all([
    import('@labwright/daemon/serve'),
    import('./hardware.ts'),
  ]);
  const log = makeLineLog(program.terminal, program.clock, program.options.debug ? 'debug' : 'error');
  const options = await serveOptionsOnHardware(program, labFile, { ...needs, log });
  const lab = await wait(() => untilInterrupted(program, (signal) => serveLab(options, signal)));
  try {
    return await work({ ...session, client });
  } finally {
    await lab.close();
  }
}

/** Looking at the hosts takes as long as they take to answer, or to give none. */
function makePatientClient(client: LabClient, wait: Wait): LabClient {
  return {
    ...client,
    status: async (signal) => await wait(() => client.status(signal)),
    plan: async (intent, signal) => await wait(() => client.plan(intent, signal)),
  };
}

function waitsFor({ hosts }: Blueprint): string {
  const names = hosts.map(({ name }) => name);
  const shown = names.length > 4 ? [...names.slice(0, 3), `${names.length - 3} more`] : names;
  return `waiting for Proxmox to answer: ${shown.join(', ')}`;
}

/** "home, in rehearsal · 3 hosts, 3 machines · lab.yaml", in lines of at most that many columns. */
export function describeLab(blueprint: Blueprint, labFile: LabFile, columns: number): string {
  const [name = '', rehearsal] = blueprint.lab.split('+');
  const counts = `${plural(blueprint.hosts.length, 'host')}, ${plural(blueprint.machines.length, 'machine')}`;
  const text = `${name}${rehearsal === undefined ? '' : ', in rehearsal'} · ${counts} · ${labFile.path}`;
  return `${wrap(text, columns, '  ').join('\n')}\n`;
}
