// `exposures`, everything that can be reached and everything that cannot; and `why`, hop by hop.
import type { ExposuresAnswer, ExposureStatus, WhyAnswer } from '@labwright/core/contract/contract';
import { routerRow } from './router.ts';
import { layoutRows, type Row } from './rows.ts';
import { plural, wrap, type Paint, type TextStyle } from './text.ts';

const signs: Readonly<Record<ExposureStatus['state'], readonly [sign: string, as: Paint]>> = {
  answers: ['●', 'good'],
  refused: ['■', 'bad'],
  silent: ['■', 'bad'],
  'not tried': ['○', 'faint'],
  'no backend': ['■', 'bad'],
  'no address': ['◐', 'warning'],
  'not exposed': ['▲', 'warning'],
};

export function formatExposures({ exposures, ends, router }: ExposuresAnswer, style: TextStyle): string {
  const exposed = exposures.filter(({ state }) => state !== 'not exposed');
  const refused = exposures.length - exposed.length;
  const well = exposed.filter(({ state }) => state === 'answers').length;
  const head =
    exposures.length === 0
      ? 'nothing is exposed: no Service of type LoadBalancer and no Ingress asks for it'
      : `${well} of ${exposed.length} exposed answer${refused === 0 ? '' : ` · ${plural(refused, 'refusal')}`}`;
  const behind = ends.filter(({ state }) => state === 'behind');
  return [
    ...wrap(head, style.columns),
    ...layoutRows(
      exposures.map((each) => exposureRow(each, style)),
      style,
    ),
    ...(router === undefined ? [] : ['', ...layoutRows([routerRow(router, style)], style)]),
    ...behind.flatMap(({ name, why }) =>
      wrap(`${name} is behind${why === null ? '' : `: ${why}`}`, style.columns, '  '),
    ),
    '',
  ].join('\n');
}

function exposureRow(exposure: ExposureStatus, { isPlain }: TextStyle): Row {
  const { object, name, address, port, endsAt, state, words } = exposure;
  const [sign, paint] = signs[state];
  if (state === 'not exposed') {
    return { sign, word: state, paint, name: name === '-' ? object : name, cells: [], text: words ?? '' };
  }
  const cells = [address, port, ...(isPlain ? [] : [state])];
  const text = [object, ...(endsAt === '-' ? [] : [`→ ${endsAt}`]), ...(words === null ? [] : [`· ${words}`])].join(
    ' ',
  );
  return { sign, word: state, paint, name, cells, text };
}

const hopSigns = { ok: ['●', 'good'], fails: ['■', 'bad'], unknown: ['○', 'faint'] } as const;

export function formatWhy({ verdict, hops }: WhyAnswer, style: TextStyle): string {
  const rows = hops.map(({ hop, state, words }): Row => {
    const [sign, paint] = hopSigns[state];
    return { sign, word: state, paint, name: hop, cells: [], text: words };
  });
  const fixes = [...new Set(hops.flatMap(({ fix }) => (fix === null ? [] : [fix])))];
  return [
    ...wrap(verdict, style.columns),
    ...layoutRows(rows, style),
    ...fixes.flatMap((fix) => wrap(`fix: ${fix}`, style.columns, '       ')),
    '',
  ].join('\n');
}
