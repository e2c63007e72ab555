// A service outside the cluster as a line of the lab's screen.
import type { OutsideServiceStatus } from '@labwright/core/contract/contract';
import type { Row } from './rows.ts';
import type { Paint, TextStyle } from './text.ts';

const signs: Readonly<Record<OutsideServiceStatus['state'], readonly [sign: string, word: string, as: Paint]>> = {
  well: ['●', 'answers', 'good'],
  refuses: ['■', 'refuses', 'bad'],
  unreachable: ['■', 'silent', 'bad'],
  stranger: ['▲', 'something else', 'warning'],
};

export function outsideServiceRow({ name, place, state, words }: OutsideServiceStatus, { isPlain }: TextStyle): Row {
  const [sign, word, as] = signs[state];
  const cells = [place, ...(isPlain ? [] : [word])];
  return { sign, word, paint: as, name, cells, ...(words === null ? {} : { text: words }) };
}
