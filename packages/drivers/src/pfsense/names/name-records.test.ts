import { describe, expect, test } from 'vitest';
import { planNameRecords, reverseName } from './name-records.ts';

const host = (name: string, ip: string, ...aliases: string[]) => ({
  host: name,
  domain: 'svc',
  ip,
  aliases: { item: aliases.map((alias) => ({ host: alias, domain: 'svc' })) },
});

describe('planNameRecords', () => {
  test('a new name with its aliases, and its address back to its first name', () => {
    expect(planNameRecords([], [host('web', '192.0.2.5,2001:db8::5', 'www')])).toEqual({
      remove: [],
      add: [
        'web.svc. 60 IN A 192.0.2.5',
        'web.svc. 60 IN AAAA 2001:db8::5',
        '5.2.0.192.in-addr.arpa. 60 IN PTR web.svc.',
        '5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. 60 IN PTR web.svc.',
        'www.svc. 60 IN A 192.0.2.5',
        'www.svc. 60 IN AAAA 2001:db8::5',
      ],
    });
  });

  test('names that stay are not mentioned, and what only gains an address never goes', () => {
    const before = [host('a', '192.0.2.1'), host('b', '192.0.2.2'), host('c', '192.0.2.3')];
    const after = [host('b', '192.0.2.2,192.0.2.4'), host('c', '192.0.2.9'), host('a', '192.0.2.1')];
    expect(planNameRecords(before, after)).toEqual({
      remove: ['c.svc.', '3.2.0.192.in-addr.arpa.'],
      add: [
        'b.svc. 60 IN A 192.0.2.4',
        'c.svc. 60 IN A 192.0.2.9',
        '4.2.0.192.in-addr.arpa. 60 IN PTR b.svc.',
        '9.2.0.192.in-addr.arpa. 60 IN PTR c.svc.',
      ],
    });
    expect(planNameRecords(before, before)).toEqual({ remove: [], add: [] });
    expect(planNameRecords(before, []).add).toEqual([]);
  });

  test('an address of two hosts is told back as the first of them', () => {
    const { add } = planNameRecords([], [host('a', '192.0.2.1'), host('b', '192.0.2.1')]);
    expect(add.filter((line) => line.includes('PTR'))).toEqual(['1.2.0.192.in-addr.arpa. 60 IN PTR a.svc.']);
  });

  test('what is no name never becomes a line', () => {
    expect(planNameRecords([], [host('a\nb 1 IN A 1.1.1.1', '192.0.2.1'), host('*', '192.0.2.1')])).toEqual({
      remove: [],
      add: [],
    });
  });

  test('addresses that have no name backwards', () => {
    expect(['fe80::1%lan', '::ffff:192.0.2.1', 'x', ''].map(reverseName)).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    expect(reverseName('::1')).toBe(`1.${'0.'.repeat(31)}ip6.arpa.`);
  });
});
