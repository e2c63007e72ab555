// Desired entries against what the router has: the changes that lead there, and what stands in the way. Pure.
import { parseIpv4 } from '@labwright/core/addresses/ipv4';
import {
  type ConfigMap,
  type ConfigValue,
  canonicalValue,
  isMap,
  listAt,
  parseText,
  parseValue,
  textAt,
} from '../config/config-value.ts';
import { type Mark, type Owner, isOwnedBy } from '../config/mark.ts';
import { type Place, formatPlace, markOf } from '../config/place.ts';
import { type XmlDocument, childElements, findElement } from '../config/xml-tree.ts';
import { type AddressUse, addressUses, findUse, usesOfOthers } from './address-use.ts';
import type { Change, EntryChange } from './change.ts';
import { type Claim, claimsOf, clashes, formatClaim } from './claim.ts';
import { findInterfaceProblem, routerUse } from './router-use.ts';

/** One entry as it should be, its mark in it. */
export interface OwnedEntry {
  readonly place: Place;
  readonly mark: Mark;
  readonly value: ConfigMap;
}

/** An entry that is left as it is, and why; `holder` describes what stands in its way. */
export interface Conflict {
  readonly place: Place;
  readonly mark: Mark;
  readonly reason: string;
  readonly holder?: string;
}

export interface EditPlan {
  readonly changes: readonly Change[];
  readonly conflicts: readonly Conflict[];
}

/**
 * Removals first, then changes and additions, place by place. In the managed places every entry of the owner that is not
 * desired goes, except those whose keys begin with one of `keeps`; entries of others and of persons are only looked at.
 */
export function planEdits(
  document: XmlDocument,
  owner: Owner,
  desired: readonly OwnedEntry[],
  managed: readonly Place[],
  keeps: readonly string[] = [],
): EditPlan {
  const plans = managed.map((place) => {
    const wanted = desired.filter((entry) => formatPlace(entry.place) === formatPlace(place));
    return planPlace(document, owner, place, wanted, keeps);
  });
  return withoutLostBinds(
    document,
    {
      changes: plans.flatMap(({ changes }) => changes),
      conflicts: plans.flatMap(({ conflicts }) => conflicts),
    },
    desired,
  );
}

/** HAProxy as a whole does not start with a front end on an address that the router has not: such a one is refused with its address. */
function withoutLostBinds(document: XmlDocument, plan: EditPlan, desired: readonly OwnedEntry[]): EditPlan {
  const key = ({ place, mark }: Pick<OwnedEntry, 'place' | 'mark'>): string => `${formatPlace(place)} ${mark.key}`;
  const refused = new Map(plan.conflicts.map((conflict) => [key(conflict), conflict.reason]));
  const lost = new Map(
    desired.flatMap((entry) => {
      const reason = entry.place.tag === 'vip' ? refused.get(key(entry)) : undefined;
      return reason === undefined ? [] : [[textAt(entry.value, 'subnet'), reason] as const];
    }),
  );
  if (lost.size === 0) return plan;
  const onRouter = addressUses(document).filter(({ kind }) => kind === 'interface' || kind === 'virtual address');
  for (const { range } of onRouter) if (range.first === range.last) lost.delete(range.first);
  const conflicts: Conflict[] = [];
  const changes = plan.changes.filter((change) => {
    if (change.kind !== 'entry') return true;
    const reasons = listAt(change.after, 'a_extaddr', 'item').flatMap(
      (bind) => lost.get(textAt(bind, 'extaddr_custom')) ?? [],
    );
    const [reason] = reasons;
    if (reason === undefined) return true;
    conflicts.push({ place: change.place, mark: change.mark, reason });
    return false;
  });
  return { changes, conflicts: [...plan.conflicts, ...conflicts] };
}

/** The entries of a place in their order; none when its container is missing. */
export function entriesOf(document: XmlDocument, place: Place): readonly ConfigValue[] {
  const container = findElement(document.root, place.path);
  return container === undefined ? [] : childElements(container, place.tag).map(parseValue);
}

function planPlace(
  document: XmlDocument,
  owner: Owner,
  place: Place,
  wanted: readonly OwnedEntry[],
  keeps: readonly string[],
): EditPlan {
  const entries = entriesOf(document, place);
  const ours = new Map<string, ConfigMap[]>();
  const foreign: ConfigValue[] = [];
  for (const entry of entries) {
    const mark = markOf(place, entry);
    if (mark !== undefined && isOwnedBy(mark, owner) && isMap(entry)) {
      ours.set(mark.key, [...(ours.get(mark.key) ?? []), entry]);
    } else {
      foreign.push(entry);
    }
  }

  const conflicts: Conflict[] = [];
  const removals: EntryChange[] = [];
  const puts: EntryChange[] = [];
  const missing = containerProblem(document, place);
  const taken: { readonly claim: Claim; readonly holder: string }[] = foreign.flatMap((entry) =>
    claimsOf(place, entry).map((claim) => ({ claim, holder: describeEntry(place, entry) })),
  );
  taken.push(...routerUse(document, place));
  const uses = usesInTheWay(document, owner, place);
  const refuse = (mark: Mark, reason: string, holder?: string): void => {
    conflicts.push({ place, mark, reason, ...(holder === undefined ? {} : { holder }) });
  };

  const wantedKeys = new Set(wanted.map(({ mark }) => mark.key));
  const isKept = (key: string): boolean => !wantedKeys.has(key) && keeps.some((prefix) => key.startsWith(prefix));
  for (const [key, copies] of ours) {
    if (!isKept(key)) continue;
    const holder = `our own entry ${key}`;
    taken.push(...copies.flatMap((entry) => claimsOf(place, entry).map((claim) => ({ claim, holder }))));
  }

  const seen = new Set<string>();
  for (const { mark, value } of wanted) {
    const copies = ours.get(mark.key) ?? [];
    if (seen.has(mark.key)) {
      refuse(mark, 'it is wanted twice');
      continue;
    }
    seen.add(mark.key);
    if (missing !== undefined) {
      refuse(mark, missing);
      continue;
    }
    if (copies.length > 1) {
      refuse(mark, 'two entries carry its mark: one is a copy made by hand, and which one cannot be told');
      continue;
    }
    const claims = claimsOf(place, value);
    const clash = taken.find((one) => claims.some((claim) => clashes(claim, one.claim)));
    if (clash !== undefined) {
      refuse(mark, `${formatClaim(clash.claim)} is taken by ${clash.holder}`, clash.holder);
      continue;
    }
    const problem = findAddressProblem(document, uses, place, value);
    if (problem !== undefined) {
      refuse(mark, problem);
      continue;
    }
    taken.push(...claims.map((claim) => ({ claim, holder: `our own entry ${mark.key}` })));
    const [before] = copies;
    if (before === undefined) puts.push({ kind: 'entry', place, mark, after: value });
    else if (canonicalValue(before) !== canonicalValue(value))
      puts.push({ kind: 'entry', place, mark, before, after: value });
  }
  for (const [key, copies] of ours) {
    const [before] = copies;
    if (seen.has(key) || isKept(key) || before === undefined) continue;
    const mark = { ...owner, key };
    if (copies.length > 1)
      refuse(mark, 'two entries carry its mark: one is a copy made by hand, and which one cannot be told');
    else removals.push({ kind: 'entry', place, mark, before });
  }
  return { changes: [...removals, ...puts], conflicts };
}

/**
 * pfSense's own pages give static leases and further addresses outside of the leased ranges only; and a further address is
 * nobody's static lease, as no lease is for one of those.
 */
function usesInTheWay(document: XmlDocument, owner: Owner, { tag }: Place): readonly AddressUse[] {
  if (tag !== 'vip' && tag !== 'staticmap') return [];
  const other = tag === 'vip' ? 'lease' : 'virtual address';
  return usesOfOthers(addressUses(document), owner).filter(({ kind }) => kind === 'leased' || kind === other);
}

function findAddressProblem(
  document: XmlDocument,
  uses: readonly AddressUse[],
  { tag }: Place,
  value: ConfigMap,
): string | undefined {
  if (tag !== 'vip' && tag !== 'staticmap') return undefined;
  const address = parseIpv4(textAt(value, tag === 'vip' ? 'subnet' : 'ipaddr'));
  const use = address === undefined ? undefined : findUse(uses, address);
  if (use !== undefined) return `the address ${address} is ${use.what}`;
  return tag === 'vip' ? findInterfaceProblem(document, textAt(value, 'interface')) : undefined;
}

/** The first element of the path that is missing and not ours to make, or that holds a text, which an entry would displace. */
function containerProblem(document: XmlDocument, { path, mayMake }: Place): string | undefined {
  const paths = path.map((_, index) => path.slice(0, index + 1));
  const text = paths.find((one) => {
    const element = findElement(document.root, one);
    return element !== undefined && childElements(element).length === 0 && parseText(element).trim() !== '';
  });
  if (text !== undefined) return `<${text.join('/')}> of the router holds a text and no entries`;
  const needed = path.slice(0, path.length - mayMake);
  const length = needed.findIndex((_, index) => findElement(document.root, needed.slice(0, index + 1)) === undefined);
  if (length < 0) return undefined;
  return `the router has no <${needed.slice(0, length + 1).join('/')}>: ${advice[needed[0] ?? ''] ?? 'it is not set up there'}`;
}

const advice: Readonly<Record<string, string>> = {
  unbound: 'switch on Services > DNS Resolver',
  dnsmasq: 'switch on Services > DNS Forwarder',
  dhcpd: 'switch on Services > DHCP Server for that interface',
  installedpackages: 'install the package haproxy under System > Package Manager',
};

function describeEntry(place: Place, entry: ConfigValue): string {
  const mark = markOf(place, entry);
  if (mark !== undefined) return `an entry of the lab ${mark.lab}, cluster ${mark.cluster} (${mark.key})`;
  const words = textAt(entry, 'descr').slice(0, 60);
  return words === '' ? 'an entry made by hand' : `an entry made by hand ("${words}")`;
}
