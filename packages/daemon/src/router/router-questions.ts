// What people ask of the router: how it differs, what is in it, and that an entry of theirs be ours from now on.
import { createHash } from 'node:crypto';
import type {
  RouterAdoptAnswer,
  RouterAdoptRequest,
  RouterBackupAnswer,
  RouterDiffAnswer,
} from '@labwright/core/contract/contract';
import { LabwrightError } from '@labwright/core/errors/error';
import { canonicalValue } from '@labwright/drivers/pfsense/config/config-value';
import { formatPlace } from '@labwright/drivers/pfsense/config/place';
import type { Change, EntryChange } from '@labwright/drivers/pfsense/edits/change';
import { findAdoptions, formatHandover } from '@labwright/network/router/adoption';
import type { ManagedRouter } from '@labwright/network/router/managed-router';
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

/**
 * Throws LW8006 for a router that is only read, LW0002 when no entry by that name is in our way, LW8008 when more than ours would be
 * gone, LW8007 when the entry is not as it was agreed to, and what writing throws.
 */
export async function adoptEntry(
  area: Pick<RouterArea, 'planAll'> & { readonly router: Pick<ManagedRouter, 'name' | 'assertWritable' | 'adopt'> },
  { name, agreedTo }: RouterAdoptRequest,
  signal: AbortSignal,
): Promise<RouterAdoptAnswer> {
  const { state, plan, desired } = await area.planAll(signal);
  area.router.assertWritable(state);
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
  const hash = hashHandover(change);
  if (agreedTo !== undefined && agreedTo !== hash) {
    throw new LabwrightError('LW8007', {
      what: `the entry "${name}" on the router ${area.router.name} was changed since it was shown; nothing was written`,
      where: { router: area.router.name, place },
      fix: ['run the command again, and look at it anew'],
    });
  }
  if (agreedTo !== undefined) await area.router.adopt(state, [change], signal);
  return { router: area.router.name, place, ...formatHandover(change), hash, isDone: agreedTo !== undefined };
}

/** Of the one entry: what else is written to the router meanwhile takes nothing of what was agreed to. */
function hashHandover({ place, mark, before = {}, after = {} }: EntryChange): string {
  const text = JSON.stringify([formatPlace(place), mark.key, canonicalValue(before), canonicalValue(after)]);
  return createHash('sha256').update(text).digest('hex');
}
