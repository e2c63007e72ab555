// The change that makes a person's entry ours, because that person asked for it, or why it must not be made. Pure.
import { type ConfigMap, type ConfigValue, isMap, listAt, textAt } from '../config/config-value.ts';
import { type Place, markOf } from '../config/place.ts';
import type { XmlDocument } from '../config/xml-tree.ts';
import type { EntryChange } from './change.ts';
import { type Claim, claimsOf, clashes, formatClaim } from './claim.ts';
import { type OwnedEntry, entriesOf } from './plan-edits.ts';

/** 'refused': something that the person has in the entry would be gone; `fix` is the way out, on the router. */
export type Adoption =
  | { readonly kind: 'change'; readonly change: EntryChange }
  | { readonly kind: 'refused'; readonly why: string; readonly fix: string };

/**
 * The entry that claims the same as the desired one gets the mark and our values. Nothing that others use goes with it: no
 * further name, address with port, domain or server, and no lease of another machine. Undefined when no entry of a person claims the same.
 */
export function planAdoption(document: XmlDocument, { place, mark, value }: OwnedEntry): Adoption | undefined {
  const claims = claimsOf(place, value);
  const entries = entriesOf(document, place);
  const holders = entries.filter(
    (entry) =>
      markOf(place, entry) === undefined &&
      claimsOf(place, entry).some((one) => claims.some((claim) => clashes(claim, one))),
  );
  const [before] = holders;
  if (!isMap(before)) return undefined;
  if (holders.length > 1) {
    return {
      kind: 'refused',
      why: `${holders.length} entries that were made by hand stand in its way, and one can be handed over`,
      fix: 'leave one of them on the router, and run the command again',
    };
  }
  return (
    refuse(place, before, value, entries) ?? {
      kind: 'change',
      change: { kind: 'entry', place, mark, before, after: value, consent: 'adopt' },
    }
  );
}

function refuse(
  place: Place,
  before: ConfigMap,
  after: ConfigMap,
  entries: readonly ConfigValue[],
): Adoption | undefined {
  const ours = claimsOf(place, after);
  const theirs = claimsOf(place, before);
  const has = (claim: Claim): boolean => ours.some(({ kind, value }) => kind === claim.kind && value === claim.value);
  const [first] = theirs;
  if (place.tag === 'staticmap' && first?.kind === 'mac' && !has(first)) {
    const isNamed = theirs.some((claim) => claim.kind === 'host name' && has(claim));
    if (!isNamed) return elsewhere(`it is the lease of another machine, ${first.value}`, 'give that machine');
  }
  if (place.tag === 'hosts' && first !== undefined && !has(first)) {
    const shared = theirs.filter(has).map(formatClaim).join(', ');
    return {
      kind: 'refused',
      why: `${shared} is only an alias in it: the entry is that of ${first.value}, which would be gone`,
      fix: `take ${shared} out of the entry of ${first.value} on the router: then nothing is in the way`,
    };
  }
  const lost = [
    ...theirs.filter((claim) => lasting.includes(claim.kind) && !has(claim)).map(formatClaim),
    ...lostServers(before, after),
  ];
  if (lost.length > 0) {
    const what = lost.slice(0, 6).join(', ') + (lost.length > 6 ? ` and ${lost.length - 6} more` : '');
    return {
      kind: 'refused',
      why: `it has more than ours, which would be gone: ${what}`,
      fix: 'move that to an entry of its own on the router, and run the command again if the rest is still in the way',
    };
  }
  const name = textAt(before, 'name');
  const sharing = entries.filter((entry) => textAt(entry, 'primary_frontend') === name && name !== '');
  if (sharing.length === 0 || name === textAt(after, 'name')) return undefined;
  const names = sharing.map((entry) => textAt(entry, 'name')).join(', ');
  return elsewhere(`other front ends share its address: ${names}`, 'give those');
}

/** What must be in our entry as well. The address of a lease and the name of a front end are seen in what changes. */
const lasting: readonly Claim['kind'][] = ['name', 'domain', 'host name', 'bind', 'back end'];

function elsewhere(why: string, whom: string): Adoption {
  return { kind: 'refused', why, fix: `${whom} another address on the router, or choose another for the lab` };
}

function lostServers(before: ConfigMap, after: ConfigMap): readonly string[] {
  const servers = (entry: ConfigMap): readonly string[] =>
    listAt(entry, 'ha_servers', 'item').map((item) => `${textAt(item, 'address')}:${textAt(item, 'port')}`);
  const kept = new Set(servers(after));
  return servers(before)
    .filter((server) => !kept.has(server))
    .map((server) => `the server ${server}`);
}
