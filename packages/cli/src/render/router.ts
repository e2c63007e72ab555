// The router's screens: its line in the lab's own, how it differs, and what handing an entry over changes.
import type { RouterAdoptAnswer, RouterDiffAnswer, RouterStatus } from '@labwright/core/contract/contract';
import { layoutRows, type Row } from './rows.ts';
import { plural, wrap, type Paint, type TextStyle } from './text.ts';

const signs: Readonly<Record<RouterStatus['standing'], readonly [sign: string, as: Paint]>> = {
  'in step': ['●', 'good'],
  'being written': ['◐', 'warning'],
  capped: ['▲', 'warning'],
  held: ['▲', 'warning'],
  failing: ['■', 'bad'],
  'read-only': ['▲', 'warning'],
  'not managed': ['–', 'faint'],
  'not kept': ['–', 'faint'],
  away: ['■', 'bad'],
};

export function routerRow({ name, address, version, standing, words }: RouterStatus, { isPlain }: TextStyle): Row {
  const [sign, as] = signs[standing];
  const software = version === null ? '' : `pfSense ${version.replace(/-RELEASE$/, '')}`;
  const cells = [address, software, ...(isPlain ? [] : [standing])];
  return { sign, word: standing, paint: as, name, cells, ...(words === null ? {} : { text: words }) };
}

const changeSigns = {
  add: ['+', 'good'],
  change: ['~', 'warning'],
  remove: ['-', 'bad'],
} as const;

export function formatRouterDiff(diff: RouterDiffAnswer, style: TextStyle): string {
  const { router, version, differences, conflicts, hasExposures } = diff;
  const left =
    conflicts.length === 0 ? '' : `, ${plural(conflicts.length, 'entry')} in the way`.replace('entrys', 'entries');
  const head =
    differences.length === 0
      ? `${router}, pfSense ${version}: every entry of this lab is as it should be${left}`
      : `${router}, pfSense ${version}: ${differences.length} of this lab's entries should be otherwise${left}`;
  const rows = differences.map(({ change, place, subject, why }): Row => {
    const [sign, paint] = changeSigns[change];
    return { sign, word: change, paint, name: subject, cells: [place], ...(why === null ? {} : { text: why }) };
  });
  const blocked = conflicts.map(({ place, entry, why }): Row => {
    return { sign: '▲', word: 'blocked', paint: 'warning', name: entry, cells: [place], text: why };
  });
  const note = hasExposures
    ? []
    : ['', ...wrap('what the cluster exposes was not compared: only labwright serve follows it', style.columns)];
  return [
    ...wrap(head, style.columns),
    ...layoutRows(rows, style),
    ...(blocked.length === 0 ? [] : ['', ...layoutRows(blocked, style)]),
    ...note,
    '',
  ].join('\n');
}

export function formatAdoption({ router, place, before, after }: RouterAdoptAnswer, { columns }: TextStyle): string {
  return [
    ...wrap(`on ${router}, in ${place}, this entry becomes one of the lab's:`, columns),
    ...wrap(`- ${before}`, columns, '    '),
    ...wrap(`+ ${after}`, columns, '    '),
    '',
  ].join('\n');
}
