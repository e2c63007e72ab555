// What the restore snippet is told.
import { gzipSync } from 'node:zlib';
import type { Owner } from '../config/mark.ts';
import { type Writer, formatOwner } from '../write-request.ts';
import type { RouterBackup } from './backup-file.ts';
import type { RestorePlan } from './plan-restore.ts';

export interface RestoreRequest {
  readonly owner: Owner;
  readonly writer: Writer;
  /** Of pfSense, and the hash of the configuration, as what was shown was planned for. */
  readonly version: string;
  readonly hash: string;
  readonly backup: RouterBackup;
  readonly plan: Pick<RestorePlan, 'subsystems'>;
}

/** Whether the router can read it. */
export function formatRestoreLook(backup: Pick<RouterBackup, 'text' | 'leftOut'>): unknown {
  return { action: 'look', ...formatFile(backup) };
}

export function formatRestoreRequest({ owner, writer, version, hash, backup, plan }: RestoreRequest): unknown {
  const from = backup.madeAt === undefined ? '' : ` of ${new Date(backup.madeAt).toISOString().slice(0, 16)}Z`;
  return {
    action: 'write',
    ...formatFile(backup),
    owner: formatOwner(owner),
    writer,
    version,
    hash,
    description: `Labwright ${owner.lab}/${owner.cluster}: restores a backup${from}`,
    subsystems: plan.subsystems,
  };
}

function formatFile({ text, leftOut }: Pick<RouterBackup, 'text' | 'leftOut'>): object {
  return { config: gzipSync(text).toString('base64'), leaveOut: leftOut };
}
