// What `conformance` says, for a person and for a program. Nothing in it names anything of the lab.
import type { CheckReport } from '@labwright/drivers/conformance/check';
import type { TextStyle } from '../render/text.ts';
import { hang, plural } from '../render/text.ts';

export interface Summary {
  readonly compared: number;
  readonly differs: number;
  readonly more: number;
  readonly notRun: number;
}

export function summarise(reports: readonly CheckReport[]): Summary {
  const differences = reports.flatMap(({ outcome }) => (outcome.kind === 'compared' ? outcome.differences : []));
  return {
    compared: reports.filter(({ outcome }) => outcome.kind === 'compared').length,
    differs: differences.filter(({ kind }) => kind === 'differs').length,
    more: differences.filter(({ kind }) => kind === 'more').length,
    notRun: reports.filter(({ outcome }) => outcome.kind !== 'compared').length,
  };
}

/** One check: a line when it is as the emulator, else a line for each difference. */
export function formatCheck({ appliance, name, call, outcome }: CheckReport, { columns }: TextStyle): string {
  const title = `${appliance} ${name}`;
  if (outcome.kind === 'not run') return lines(hang(`-  ${title}: not run: `, outcome.why, columns));
  if (outcome.kind === 'new') return lines([`-  ${title}: the emulator's answer is not known`]);
  const differs = outcome.differences.filter(({ kind }) => kind === 'differs');
  const more = outcome.differences.filter(({ kind }) => kind === 'more').map(({ what }) => what);
  if (differs.length === 0 && more.length === 0) return lines([`=  ${title}`]);
  return lines([
    `${differs.length > 0 ? '!' : '+'}  ${title} (${call})`,
    ...differs.flatMap(({ what }) => hang('     differs: ', what, columns)),
    ...(more.length === 0 ? [] : hang('     more than the emulator says: ', more.join(', '), columns)),
  ]);
}

export function formatSummary(summary: Summary): string {
  const { compared, differs, more, notRun } = summary;
  return `${plural(compared, 'check')} compared: ${plural(differs, 'difference')}, ${plural(more, 'field')} that the emulator leaves out; ${notRun} not run\n`;
}

const lines = (texts: readonly string[]): string => `${texts.join('\n')}\n`;
