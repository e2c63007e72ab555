// What people ask of the router: how it differs, what is in it, and that an entry of theirs be ours from now on.
import type {
  RouterAdoptAnswer,
  RouterAdoptRequest,
  RouterBackupAnswer,
  RouterDiffAnswer,
} from '@labwright/core/contract/contract';
import { LabwrightError } from '@labwright/core/errors/error';
import { formatPlace } from '@labwright/drivers/pfsense/config/place';
import type { Change } from '@labwright/drivers/pfsense/edits/change';
import { findAdoptions, formatHandover } from '@labwright/network/router/adoption';
import { subjectOf, verbOf } from '@labwright/network/router/router-steps';
import type { RouterArea } from './router-area.ts';

export async function diffRouter(area: RouterArea, signal: AbortSignal): Promise<RouterDiffAnswer> {
  const { state, plan } = await area.planAll(signal);
  const idle = area.router.findIdleBalancer(state);
  return {
    router: area.router.name,
    version: state.profile.version,
    differences: plan.changes.map((change) => ({
      change: verbOf(change),
      place: change.kind === 'fields' ? change.path.join('/') : formatPlace(change.place),
      subject: subjectOf(change),
      why: takenBackWhy(area, change),
    })),
    conflicts: [
      ...plan.conflicts.map(({ place, mark, reason }) => ({ place: formatPlace(place), entry: mark.key, why: reason })),
      ...plan.problems.map((why) => ({ place: '-', entry: '-', why })),
      ...(idle === undefined ? [] : [{ place: '-', entry: 'HAProxy', why: `${idle.message}; ${idle.fix[0]}` }]),
    ],
    hasExposures: area.router.wish.exposures !== 'kept',
  };
}

function takenBackWhy({ router }: Pick<RouterArea, 'router'>, change: Change): string | null {
  const error = change.kind === 'entry' ? router.standing.takenBack.get(change.mark.key) : undefined;
  return error === undefined ? null : `taken back after it was written: ${error.why ?? error.message}`;
}

export async function backUpRouter(area: RouterArea, signal: AbortSignal): Promise<RouterBackupAnswer> {
  const { profile, hash, text } = await area.router.look(signal);
  return { router: area.router.name, version: profile.version, hash, text };
}

/** Throws LW0002 when no entry by that name is in our way, LW8008 when more than ours would be gone, and what writing throws. */
export async function adoptEntry(
  area: RouterArea,
  { name, isAgreed }: RouterAdoptRequest,
  signal: AbortSignal,
): Promise<RouterAdoptAnswer> {
  const { state, plan, desired } = await area.planAll(signal);
  const found = findAdoptions(state.document, desired.entries, plan.conflicts, name);
  const adoption = found.find(({ kind }) => kind === 'change') ?? found[0];
  if (adoption === undefined) {
    throw new LabwrightError('LW0002', {
      what: `no entry "${name}" on the router ${area.router.name} stands where one of ours should be`,
      why: 'only an entry that was made by hand, and that has the name, address or port of one of ours, can be handed over',
      fix: ['labwright router diff   shows what is in the way'],
    });
  }
  if (adoption.kind === 'refused') {
    throw new LabwrightError('LW8008', {
      what: `the entry "${name}" on the router ${area.router.name} cannot be handed over`,
      where: { router: area.router.name, place: adoption.place },
      why: adoption.why,
      fix: [adoption.fix],
    });
  }
  const { change, place } = adoption;
  if (isAgreed) await area.router.adopt(state, [change], signal);
  return { router: area.router.name, place, ...formatHandover(change), isDone: isAgreed };
}
