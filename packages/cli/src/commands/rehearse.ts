// `rehearse`: the lab file on this computer, against emulated appliances.
import { spawn } from 'node:child_process';
import { resolveBlueprint } from '@labwright/core/blueprint/resolve-blueprint';
import { LabwrightError } from '@labwright/core/errors/error';
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import { makeLabClient } from '@labwright/daemon/api/client';
import { enterLaptop } from '@labwright/rehearsal/keeper/laptop';
import { runAndRender } from '../apply.ts';
import type { CommandInput } from '../command.ts';
import { rehearsalFolder } from '../folders.ts';
import { locateLabFileToRehearse, readLabFile } from '../lab-location.ts';
import { describeLab } from '../lab-session.ts';
import { exitCodes, type ExitCode, type Program } from '../program.ts';
import { formatDuration } from '../render/text.ts';
import { findRehearsal, serveSocket, type RunningRehearsal } from '../rehearsal/record.ts';
import { parseShape, shapeLab } from '../rehearsal/rehearsed-lab.ts';
import { startRehearsal, stopRehearsal } from '../rehearsal/start.ts';

export async function rehearseStop(program: Program): Promise<ExitCode> {
  const ended = await stopRehearsal(rehearsalFolder(program.folders, program.directory), program.signal);
  if (program.options.json) program.terminal.out(`${JSON.stringify({ ended }, undefined, 2)}\n`);
  else program.terminal.err(ended ? 'The rehearsal is gone.\n' : 'No rehearsal runs here.\n');
  return exitCodes.done;
}

export async function rehearse(program: Program, { flags }: CommandInput): Promise<ExitCode> {
  const { terminal, clock } = program;
  const shape = parseShape(flags);
  const stateDirectory = rehearsalFolder(program.folders, program.directory);
  await assertNoneRuns(stateDirectory);
  assertRoot();
  const { file, isExample } = await locateLabFileToRehearse(program);
  const labFile = await readLabFile(program, file);
  const lab = shapeLab(labFile.lab, shape);
  const blueprint = resolveBlueprint(lab, { rehearsal: true });
  const startedAt = clock.monotonic();
  terminal.err(describeLab(blueprint, labFile, terminal.errStyle.columns));
  if (isExample) terminal.err('There is no lab.yaml here, so this rehearses the example that comes with Labwright.\n');
  await startRehearsal(program, { lab, shape, labFile: labFile.path, stateDirectory });
  const startSeconds = formatDuration(clock.monotonic() - startedAt);
  terminal.err(`The emulated lab stands after ${startSeconds}; now its machines.\n`);
  let exitCode: ExitCode;
  try {
    const client = makeLabClient(serveSocket(stateDirectory));
    const plan = await client.plan({ kind: 'up' }, program.interrupt);
    exitCode = await runAndRender(program, client, plan);
  } catch (error) {
    if (flags['detach'] !== true) await stopRehearsal(stateDirectory, new AbortController().signal);
    throw error;
  }
  if (exitCode === exitCodes.done) terminal.err(formatReach(blueprint, clock.monotonic() - startedAt));
  if (flags['detach'] === true) return exitCode;
  return await stay(program, stateDirectory, exitCode);
}

/** Until Ctrl-C, or until somebody else ends it. */
async function stay(program: Program, stateDirectory: string, exitCode: ExitCode): Promise<ExitCode> {
  const { interrupt, terminal, clock } = program;
  if (!interrupt.aborted) terminal.err('Ctrl-C ends the rehearsal.\n');
  while (!interrupt.aborted && (await findRehearsal(stateDirectory)) !== undefined) {
    await clock.sleep(1000, interrupt).catch(() => undefined); // Aborted: the loop ends.
  }
  await stopRehearsal(stateDirectory, new AbortController().signal);
  terminal.err('The rehearsal is gone.\n');
  return exitCode;
}

export async function rehearseExec(program: Program, { words }: CommandInput): Promise<ExitCode> {
  const rehearsal = await getRehearsal(program);
  const command = words.length > 0 ? words : [program.environment['SHELL'] ?? 'sh'];
  const child = spawn('nsenter', enterLaptop(rehearsal.init, rehearsal.stateDirectory, program.directory, command), {
    stdio: 'inherit',
    env: program.environment,
  });
  // Ctrl-C reaches the command through the terminal; what it makes of it is its own business.
  const exitCode = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signalName) => resolve(code ?? (signalName === 'SIGINT' ? 130 : 128)));
  });
  return exitCode as ExitCode;
}

export async function getRehearsal(program: Program): Promise<RunningRehearsal> {
  const rehearsal = await findRehearsal(rehearsalFolder(program.folders, program.directory));
  if (rehearsal !== undefined) return rehearsal;
  throw new LabwrightError('LW9002', {
    what: 'no rehearsal runs in this directory',
    where: { directory: program.directory },
    fix: ['labwright rehearse --detach'],
  });
}

async function assertNoneRuns(stateDirectory: string): Promise<void> {
  const running = await findRehearsal(stateDirectory);
  if (running === undefined) return;
  throw new LabwrightError('LW9003', {
    what: 'a rehearsal runs in this directory already',
    where: { lab: running.labFile },
    fix: ['labwright status', 'labwright rehearse stop   ends it'],
  });
}

function assertRoot(): void {
  if (process.getuid?.() === 0) return;
  throw new LabwrightError('LW0007', {
    what: 'the rehearsal needs root for its network namespaces',
    why: 'it makes a network of its own on this computer; nothing of yours is changed',
    fix: ['sudo ./labwright rehearse'],
  });
}

function formatReach(blueprint: Blueprint, durationMs: number): string {
  const width = Math.max(...blueprint.machines.map((machine) => machine.name.length));
  const machines = blueprint.machines.map(
    ({ name, address, firmware }) => `  ${name.padEnd(width)}  ${address}  ${firmware}`,
  );
  const first = blueprint.machines[0]?.name ?? 'node101';
  return [
    '',
    `Lab ${blueprint.lab} is up: ${blueprint.machines.length} machines in ${formatDuration(durationMs)}.`,
    ...machines,
    '',
    `  labwright rehearse exec -- ssh ${first}    log in`,
    '  labwright plan                            says what would change: nothing',
    '  labwright rehearse stop                   ends it and removes everything',
    '',
  ].join('\n');
}
