// A backup put in the place of a router's configuration, in one call; and whether the router could read it.
import { LabwrightError } from '@labwright/core/errors/error';
import type { PfsenseConnection } from '../connection.ts';
import { type RestoreAnswer, restoreAnswer } from '../snippet.ts';
import { backupError, type RouterBackup } from './backup-file.ts';
import { type RestoreRequest, formatRestoreLook, formatRestoreRequest } from './restore-request.ts';

export type Restored = Extract<RestoreAnswer, { kind: 'written' }>;

/** The newest version of configurations that the router knows. Throws LW8012 when it cannot read the backup; else as execute does. */
export async function fetchLatestVersion(
  connection: PfsenseConnection,
  backup: RouterBackup,
  signal: AbortSignal,
): Promise<string> {
  const answer = await connection.execute('restore', formatRestoreLook(backup), restoreAnswer, signal);
  if (answer.kind === 'able') return answer.latest;
  throw refusal(connection.router.name, answer);
}

/**
 * Undefined when the router has it so already. Throws LW8007 when its configuration is not the one that was shown any more or another
 * Labwright writes, LW8004 when it refuses, LW8012 when it cannot read it; else as execute does.
 */
export async function restoreConfig(
  connection: PfsenseConnection,
  request: RestoreRequest,
  signal: AbortSignal,
): Promise<Restored | undefined> {
  const answer = await connection.execute('restore', formatRestoreRequest(request), restoreAnswer, signal);
  if (answer.kind === 'written') return answer;
  if (answer.kind === 'equal') return undefined;
  throw refusal(connection.router.name, answer);
}

function refusal(router: string, answer: RestoreAnswer): LabwrightError {
  const where = { router };
  switch (answer.kind) {
    case 'unable':
      return backupError(router, "the router's own reader does not take it");
    case 'moved':
    case 'version':
      return movedError(router);
    case 'held':
      return new LabwrightError('LW8007', {
        what: `another Labwright writes to the router ${router} for this lab; nothing was restored`,
        where: { ...where, holder: answer.holder },
        fix: ['stop the other one, and run the command again a minute later'],
      });
    case 'failed':
    case 'able':
    case 'written':
    case 'equal':
      return new LabwrightError('LW8004', {
        what: `the router ${router} did not restore the backup`,
        where,
        why: 'message' in answer ? answer.message : `it answered "${answer.kind}"`,
        fix: ['see Status > System Logs on the router', 'labwright router diff   shows whether anything was changed'],
      });
  }
}

export function movedError(router: string): LabwrightError {
  return new LabwrightError('LW8007', {
    what: `the router ${router} was changed since the differences were shown; nothing was restored`,
    where: { router },
    fix: ['run the command again, and look at them anew'],
  });
}
