// What an entry takes for itself on the router (a name, an address, a port), so that two entries that want the same are seen.
import { type ConfigValue, listAt, textAt } from '../config/config-value.ts';
import type { Place } from '../config/place.ts';

/**
 * Two claims of one kind clash when their values are equal; binds also when one of them is for every address, unless one is
 * exact.
 */
export interface Claim {
  readonly kind: 'name' | 'domain' | 'mac' | 'address' | 'host name' | 'front end' | 'back end' | 'bind';
  readonly value: string;
  readonly isExact?: boolean;
}

/** The claims of an entry, a person's or ours. */
export function claimsOf(place: Place, entry: ConfigValue): readonly Claim[] {
  const claim = (kind: Claim['kind'], value: string): Claim[] =>
    value === '' ? [] : [{ kind, value: value.toLowerCase() }];
  switch (place.tag) {
    case 'hosts':
      return [entry, ...listAt(entry, 'aliases', 'item')].flatMap((host) => claim('name', nameOf(host)));
    case 'domainoverrides':
      return claim('domain', textAt(entry, 'domain'));
    case 'staticmap':
      return [
        ...claim('mac', textAt(entry, 'mac')),
        ...claim('address', textAt(entry, 'ipaddr')),
        ...claim('host name', textAt(entry, 'hostname')),
      ];
    case 'vip':
      return claim('address', textAt(entry, 'subnet'));
    case 'item':
      return place.path.at(-1) === 'ha_pools'
        ? claim('back end', textAt(entry, 'name'))
        : [...claim('front end', textAt(entry, 'name')), ...bindsOf(entry)];
    default:
      return [];
  }
}

function nameOf(host: ConfigValue): string {
  return [textAt(host, 'host'), textAt(host, 'domain')].filter((part) => part !== '').join('.');
}

/** A front end that shares another's address and port (secondary) opens none itself; one that is switched off neither. */
function bindsOf(frontEnd: ConfigValue): readonly Claim[] {
  if (textAt(frontEnd, 'secondary') === 'yes' || textAt(frontEnd, 'status') === 'disabled') return [];
  return listAt(frontEnd, 'a_extaddr', 'item').flatMap((bind) => {
    const named = textAt(bind, 'extaddr');
    const address = named === 'custom' ? textAt(bind, 'extaddr_custom') : named;
    // A port field may hold a list, a range or an alias; the first two are spelled out, an alias stays a word.
    return portsOf(textAt(bind, 'extaddr_port')).map((port) => ({
      kind: 'bind' as const,
      value: `${address} ${port}`,
    }));
  });
}

function portsOf(text: string): readonly string[] {
  return text.split(/[\s,]+/).flatMap((part) => {
    const range = /^(\d{1,5})[-:](\d{1,5})$/.exec(part);
    if (range === null) return part === '' ? [] : [part];
    const [first, last] = [Number(range[1]), Math.min(Number(range[2]), 65_535)];
    return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => String(first + index));
  });
}

export function clashes(one: Claim, other: Claim): boolean {
  if (one.kind !== other.kind) return false;
  if (one.value === other.value) return true;
  if (one.kind !== 'bind' || one.isExact === true || other.isExact === true) return false;
  const [address = '', port] = one.value.split(' ');
  const [otherAddress = '', otherPort] = other.value.split(' ');
  return port === otherPort && (address.startsWith('any_') || otherAddress.startsWith('any_'));
}

export function formatClaim({ kind, value }: Claim): string {
  return kind === 'bind' ? `the address and port ${value.replace(' ', ':')}` : `the ${kind} ${value}`;
}
