// A loss that is asked about: whoever agrees types the lab's name.
import { LabwrightError } from '@labwright/core/errors/error';
import type { LabSession } from './lab-session.ts';
import type { Program } from './program.ts';

export interface Loss {
  /** A sentence that names what is lost; how to agree is said after it. */
  readonly question: string;
  /** "the loss of node101": what nobody is there to confirm. */
  readonly loss: string;
}

/**
 * On hardware that was meant with --real, --yes is not enough: a rehearsal runs in the same directory, and a habit must not cost a
 * disk. Throws LW0003 when it is not agreed to, LW0002 when nobody is there to.
 */
export async function confirmByName(
  { terminal, options }: Program,
  { blueprint, location }: Pick<LabSession, 'blueprint' | 'location'>,
  { question, loss }: Loss,
): Promise<void> {
  const mustType = location.kind === 'hardware' && options.real;
  if (options.yes && !mustType) return;
  const name = blueprint.lab.split('+')[0] ?? '';
  const answer = await terminal.ask(`${question} Type ${name} to go on: `);
  if (answer?.trim() === name) return;
  const fix = mustType ? ['run it in a terminal'] : ['the same command with --yes, after a look at what is lost'];
  throw answer === undefined
    ? new LabwrightError('LW0002', { what: 'nothing was changed', why: `nobody is there to confirm ${loss}`, fix })
    : new LabwrightError('LW0003', { what: 'nothing was changed', why: 'the loss was not confirmed' });
}
