// What kept a router from being as it should be, as the errors a user reads.
import { LabwrightError } from '@labwright/core/errors/error';
import type { PfsenseConnection } from '../connection.ts';
import { type Change, formatChange } from '../edits/change.ts';

const refusalWords = {
  nothing: 'refused a change of its configuration; nothing was written',
  'all else': 'refused a change of its configuration; all else is written',
  'a part': 'failed in the middle of a change of its configuration; a part of it was written',
} as const;

export function refusalError(
  connection: PfsenseConnection,
  changes: readonly Change[],
  why: string,
  written: keyof typeof refusalWords,
): LabwrightError {
  return new LabwrightError('LW8004', {
    what: `the router ${connection.router.name} ${refusalWords[written]}`,
    where: { changes: changes.slice(0, 10).map(formatChange).join('; ') },
    why,
    fix: ['see Status > System Logs on the router'],
  });
}

export function reloadError(
  connection: PfsenseConnection,
  failed: readonly (readonly [string, string])[],
): LabwrightError {
  return new LabwrightError('LW8004', {
    what: `the router ${connection.router.name} has the configuration, and did not take all of it up`,
    where: { parts: failed.map(([part]) => part).join(', ') },
    why: failed.map(([part, message]) => `${part}: ${message}`).join('; '),
    fix: ['it is tried again by itself', 'see Status > System Logs on the router'],
  });
}

export function restlessError(connection: PfsenseConnection): LabwrightError {
  return new LabwrightError('LW8007', {
    what: `entries of ours on the router ${connection.router.name} change faster than they can be written`,
    fix: ['see who else writes to it: labwright router diff'],
  });
}

export function takenBackError(connection: PfsenseConnection, key: string, why: string): LabwrightError {
  return new LabwrightError('LW8010', {
    what: `"${key}" does not work on the router ${connection.router.name} and was taken back`,
    where: { router: connection.router.name, entry: key },
    why,
    fix: [
      'correct it in the lab file or the cluster; another value is tried at once',
      'or mend what is in its way on the router; the same is tried again at the next: labwright up',
    ],
  });
}

export function readOnlyError(connection: PfsenseConnection, why: string): LabwrightError {
  return new LabwrightError('LW8006', {
    what: `the router ${connection.router.name} is read and not written to`,
    where: { router: connection.router.name },
    why,
    fix: ['update Labwright'],
  });
}
