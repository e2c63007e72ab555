// What a backup would change on the router, section by section and by name, and how its restoring went.
import type { RouterRestoreAnswer } from '@labwright/core/contract/contract';
import { layoutRows, type Row } from './rows.ts';
import { plural, wrap, type Paint, type TextStyle } from './text.ts';

const signs = {
  added: ['+', 'add', 'good'],
  changed: ['~', 'change', 'warning'],
  removed: ['-', 'remove', 'bad'],
} as const satisfies Record<string, readonly [sign: string, word: string, as: Paint]>;

/** A section with more names says how many. --json has them all. */
const mostNames = 12;

export function formatRestore(seen: RouterRestoreAnswer, style: TextStyle): string {
  const { router, version, sections, notes } = seen;
  const backup = `the backup${madeAt(seen)}`;
  if (sections.length === 0) {
    return `${wrap(`${router}, pfSense ${version}, is as in ${backup}; there is nothing to restore`, style.columns).join('\n')}\n`;
  }
  const head = `${router}, pfSense ${version}: ${backup} differs in ${plural(sections.length, 'section')}; restoring it adds (+), changes (~) and removes (-)`;
  const lines = sections.flatMap(({ section, ...changes }) => {
    const all = (['added', 'changed', 'removed'] as const).flatMap((kind) =>
      changes[kind].map((name): Row => {
        const [sign, word, paint] = signs[kind];
        return { sign, word, paint, name, cells: [] };
      }),
    );
    const more = all.length > mostNames ? [`    and ${all.length - mostNames} more`] : [];
    return [...wrap(section, style.columns), ...layoutRows(all.slice(0, mostNames), style), ...more];
  });
  return [
    ...wrap(head, style.columns),
    ...lines,
    '',
    ...notes.flatMap((note) => wrap(`▲ ${note}`, style.columns, '  ')),
    ...(notes.length === 0 ? [] : ['']),
  ].join('\n');
}

/** What is lost, by section. */
export function restoreQuestion({ router, sections }: RouterRestoreAnswer): string {
  const counts = sections.map(({ section, added, changed, removed }) => {
    return `${section} (${added.length + changed.length + removed.length})`;
  });
  return `This loses what was changed on ${router} since that backup, by anybody: ${counts.join(', ')}.`;
}

export function formatRestored(answer: RouterRestoreAnswer, { columns }: TextStyle): string {
  const { router, done, afterReboot } = answer;
  if (done === undefined) return `${wrap(`${router} is as in the backup already`, columns).join('\n')}\n`;
  const failed = Object.entries(done.failed);
  const lines = [
    `${router} has the configuration of the backup${madeAt(answer)}`,
    ...(done.ownBackup === '' ? [] : [`its own backup of what was there: ${done.ownBackup}`]),
    ...(done.slipped.length === 0
      ? []
      : [
          `somebody saved a page in that very moment, with changes in ${done.slipped.join(', ')}: they are in its own backup and no longer in effect`,
        ]),
    ...failed.map(([part, why]) => `did not take it up: ${part}: ${why}`),
    ...(afterReboot.length === 0
      ? []
      : [
          `taken up, or taken up wholly, only when the router is rebooted (Diagnostics > Reboot): ${afterReboot.join(', ')}`,
        ]),
    "this lab's own entries: labwright serve puts them back by itself; where it does not run, labwright up",
  ];
  return `${lines.flatMap((line) => wrap(line, columns, '  ')).join('\n')}\n`;
}

function madeAt({ madeAt: time }: Pick<RouterRestoreAnswer, 'madeAt'>): string {
  return time === null ? '' : ` of ${new Date(time).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
