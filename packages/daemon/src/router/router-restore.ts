// A backup for the router: what it would change, and, when a person agreed to that, its restoring.
import type { RouterRestoreAnswer, RouterRestoreRequest } from '@labwright/core/contract/contract';
import { LabwrightError } from '@labwright/core/errors/error';
import { assertFits, readRouterBackup } from '@labwright/drivers/pfsense/restore/backup-file';
import { planRestore } from '@labwright/drivers/pfsense/restore/plan-restore';
import { movedError } from '@labwright/drivers/pfsense/restore/restore-config';
import type { RouterArea } from './router-area.ts';

/**
 * Throws LW8012 for a file that is no backup for this router, LW8006 for one that is only read, LW8007 when its configuration is not the
 * one that was agreed to, and what reading and writing throw.
 */
export async function restoreRouter(
  area: Pick<RouterArea, 'router' | 'user'>,
  { text, agreedTo }: RouterRestoreRequest,
  signal: AbortSignal,
): Promise<RouterRestoreAnswer> {
  const { router } = area;
  const backup = readRouterBackup(text, { router: router.name });
  const state = await router.look(signal);
  const { version, readOnly } = state.profile;
  if (readOnly !== undefined) {
    throw new LabwrightError('LW8006', {
      what: `the router ${router.name} is read and not written to`,
      where: { router: router.name },
      why: readOnly,
      fix: ['update Labwright', 'or restore it on the page Diagnostics > Backup & Restore'],
    });
  }
  const latest = await router.fetchLatestVersion(backup, signal);
  const world = router.terms.owner.lab.endsWith('+rehearsal') ? 'rehearsal' : 'hardware';
  assertFits(backup, { router: router.name, latest, world });
  const plan = planRestore({ present: state.document, backup, latest, user: area.user });
  const { sections, afterReboot, notes } = plan;
  const seen: RouterRestoreAnswer = {
    router: router.name,
    version,
    madeAt: backup.madeAt ?? null,
    hash: state.hash,
    sections,
    afterReboot,
    notes,
  };
  if (agreedTo === undefined) return seen;
  if (agreedTo !== state.hash) throw movedError(router.name);
  const done = sections.length === 0 ? undefined : await router.restore(state, backup, plan, signal);
  if (done === undefined) return seen;
  const reloads: Readonly<Record<string, string>> = done.reloads;
  const failed = Object.fromEntries(Object.entries(reloads).filter(([, words]) => words !== ''));
  return { ...seen, done: { failed, slipped: done.slipped, ownBackup: done.backup } };
}
