// What the running resolver is told so that names are right at once: whole names out, then records in.
import { isIPv6 } from 'node:net';
import { type ConfigValue, listAt, textAt } from '../config/config-value.ts';

/** Lines for unbound-control's local_datas_remove and local_datas. */
export interface NameRecords {
  readonly remove: readonly string[];
  readonly add: readonly string[];
}

export const noRecords: NameRecords = { remove: [], add: [] };

/**
 * Shorter than the 3600 s that the router gives its own: until the configuration has a name, its address may still move.
 */
const liveSeconds = 60;

/**
 * From the host overrides as they were (all of them, a person's too) to those that should be. Names that stay as they are,
 * are not mentioned, so they never go unanswered. As the router does it, an address is told back as its first name.
 */
export function planNameRecords(before: readonly ConfigValue[], after: readonly ConfigValue[]): NameRecords {
  const [old, next] = [recordsOf(before), recordsOf(after)];
  const remove: string[] = [];
  const add: string[] = [];
  for (const name of new Set([...old.keys(), ...next.keys()])) {
    const [had, has] = [old.get(name) ?? [], next.get(name) ?? []];
    // A name can only be taken out with all it has. What gets nothing but more keeps answering.
    const isTaken = had.some((line) => !has.includes(line));
    if (isTaken) remove.push(name);
    add.push(...has.filter((line) => isTaken || !had.includes(line)));
  }
  return { remove, add };
}

/** The records of each name, in the form of a zone file. */
function recordsOf(hosts: readonly ConfigValue[]): ReadonlyMap<string, readonly string[]> {
  const records = new Map<string, readonly string[]>();
  const put = (name: string, type: string, data: string): void => {
    const known = records.get(name) ?? [];
    const line = `${name} ${liveSeconds} IN ${type} ${data}`;
    if (!known.includes(line)) records.set(name, [...known, line]);
  };
  for (const host of hosts) {
    const addresses = textAt(host, 'ip')
      .split(',')
      .filter((address) => address !== '');
    for (const [index, name] of [host, ...listAt(host, 'aliases', 'item')].map(nameOf).entries()) {
      if (name === undefined) continue;
      for (const address of addresses) {
        put(name, isIPv6(address) ? 'AAAA' : 'A', address);
        const back = reverseName(address);
        if (index === 0 && back !== undefined && !records.has(back)) put(back, 'PTR', name);
      }
    }
  }
  return records;
}

/** With a dot at its end. Undefined for what is no name, such as one with a space: a line must stay one line. */
function nameOf(host: ConfigValue): string | undefined {
  const name = [textAt(host, 'host'), textAt(host, 'domain')]
    .filter((part) => part !== '')
    .join('.')
    .toLowerCase();
  return /^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/.test(name) ? `${name}.` : undefined;
}

export function reverseName(address: string): string | undefined {
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(address)) return `${address.split('.').toReversed().join('.')}.in-addr.arpa.`;
  if (!isIPv6(address) || address.includes('.') || address.includes('%')) return undefined;
  const [head = '', tail] = address.split('::');
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'));
  const [left, right] = [groups(head), groups(tail ?? '')];
  const zeros = tail === undefined ? 0 : 8 - left.length - right.length;
  const all = [...left, ...Array.from({ length: zeros }, () => '0'), ...right];
  const digits = all.map((group) => group.padStart(4, '0')).join('');
  return `${digits.split('').toReversed().join('.')}.ip6.arpa.`;
}
