import { expect, test } from 'vitest';
import { negotiateIgnitionVersion } from './ignition-version.ts';

const header = (version: string) => `application/vnd.coreos.ignition+json;version=${version}, */*;q=0.1`;

test.each([
  ['Debian 12 (Ignition 2.14)', header('3.3.0'), '3.3.0'],
  ['Ignition 2.15', header('3.4.0'), '3.4.0'],
  ['Ignition 2.26', header('3.6.0'), '3.4.0'],
  ['a later minor with two digits', header('3.12.0'), '3.4.0'],
  ['a build that has 3.4.0 only as an experiment', header('3.4.0-experimental'), '3.3.0'],
  ['a quoted parameter in other case', 'Application/VND.coreos.ignition+json; Version="3.4.0"', '3.4.0'],
  ['several announcements', `${header('2.2.0')}, ${header('3.3.0')}`, '3.3.0'],
  ['a browser', 'text/html,*/*;q=0.8', '3.3.0'],
  ['no header', undefined, '3.3.0'],
])('%s', (_name, accept, version) => {
  expect(negotiateIgnitionVersion(accept)).toEqual({ kind: 'agreed', version });
});

test.each([['3.2.0'], ['3.3.0-experimental'], ['2.4.0'], ['4.0.0'], ['nonsense'], ['']])(
  '%s is not supported',
  (announced) => {
    expect(negotiateIgnitionVersion(header(announced))).toEqual({ kind: 'unsupported', announced });
  },
);
