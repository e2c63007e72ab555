// Which entries of a person stand where ours should be, by the name that person uses for them, and what handing them over changes. Pure.
import { type ConfigMap, type ConfigValue, isMap, textAt } from '@labwright/drivers/pfsense/config/config-value';
import { formatPlace } from '@labwright/drivers/pfsense/config/place';
import type { XmlDocument } from '@labwright/drivers/pfsense/config/xml-tree';
import type { EntryChange } from '@labwright/drivers/pfsense/edits/change';
import { type Adoption, planAdoption } from '@labwright/drivers/pfsense/edits/plan-adoption';
import type { Conflict, OwnedEntry } from '@labwright/drivers/pfsense/edits/plan-edits';

export type FoundAdoption = { readonly place: string } & Adoption;

/** `name`: a host name, a leased machine, an address, a front end or back end. */
export function findAdoptions(
  document: XmlDocument,
  desired: readonly OwnedEntry[],
  conflicts: readonly Conflict[],
  name: string,
): readonly FoundAdoption[] {
  const inTheWay = new Set(conflicts.map(({ place, mark }) => `${formatPlace(place)} ${mark.key}`));
  return desired.flatMap((entry): readonly FoundAdoption[] => {
    if (!inTheWay.has(`${formatPlace(entry.place)} ${entry.mark.key}`)) return [];
    if (!namesOf(entry.value).includes(name.toLowerCase())) return [];
    const adoption = planAdoption(document, entry);
    return adoption === undefined ? [] : [{ place: formatPlace(entry.place), ...adoption }];
  });
}

function namesOf(value: ConfigMap): readonly string[] {
  const host = textAt(value, 'host');
  const whole = host === '' ? '' : `${host}.${textAt(value, 'domain')}`;
  return [whole, ...['hostname', 'subnet', 'name'].map((key) => textAt(value, key))]
    .filter((text) => text !== '')
    .map((text) => text.toLowerCase());
}

export interface FormattedHandover {
  readonly before: string;
  readonly after: string;
}

/**
 * The whole entry before and after, however deep: "host=web, domain=svc, aliases.1.host=films". What is there and empty is a
 * switch to pfSense: it is shown where only one of the two has it.
 */
export function formatHandover({ before = {}, after = {} }: Pick<EntryChange, 'before' | 'after'>): FormattedHandover {
  const [theirs, ours] = [leavesOf(before), leavesOf(after)];
  const format = (leaves: ReadonlyMap<string, string>, others: ReadonlyMap<string, string>): string =>
    [...leaves]
      .flatMap(([path, text]) => {
        if (text !== '') return [`${path}=${text}`];
        return [...others.keys()].some((other) => other === path || other.startsWith(`${path}.`)) ? [] : [path];
      })
      .join(', ');
  return { before: format(theirs, ours), after: format(ours, theirs) };
}

/** By their paths. Numbers of a list begin with 1; the word "item" of pfSense's lists says nothing. */
function leavesOf(value: ConfigValue, path: readonly string[] = []): ReadonlyMap<string, string> {
  if (typeof value === 'string') return new Map([[path.join('.'), formatText(value, path)]]);
  const inner = isMap(value)
    ? Object.entries(value).map(([key, each]) => [key === 'item' ? path : [...path, key], each] as const)
    : value.map((each, index) => [[...path, String(index + 1)], each] as const);
  return new Map(inner.flatMap(([at, each]) => [...leavesOf(each, at)]));
}

/** A shared address's "password", HAProxy's "stats_password" and "haproxy_cookie_dynamic_cookie_key": nothing for a screen. */
const secretKey = /passw|passphrase|secret|key$/i;

/** Settings of HAProxy lie there as base64. */
function formatText(text: string, path: readonly string[]): string {
  const key = path.join('.');
  if (text !== '' && path.some((part) => secretKey.test(part))) return '…';
  if (key !== 'advanced' && key !== 'advanced_backend') return text;
  return Buffer.from(text, 'base64').toString('utf8').trim().replaceAll(/\r?\n/g, ' | ');
}
