// Which entries of a person stand where ours should be, by the name that person uses for them, and what handing them over changes. Pure.
import { type ConfigMap, textAt } from '@labwright/drivers/pfsense/config/config-value';
import { formatPlace } from '@labwright/drivers/pfsense/config/place';
import type { XmlDocument } from '@labwright/drivers/pfsense/config/xml-tree';
import type { EntryChange } from '@labwright/drivers/pfsense/edits/change';
import { type Conflict, type OwnedEntry, planAdoption } from '@labwright/drivers/pfsense/edits/plan-edits';

export interface Adoption {
  readonly place: string;
  readonly change: EntryChange;
}

/** `name`: a host name, a leased machine, an address, a front end or back end. */
export function findAdoptions(
  document: XmlDocument,
  desired: readonly OwnedEntry[],
  conflicts: readonly Conflict[],
  name: string,
): readonly Adoption[] {
  const inTheWay = new Set(conflicts.map(({ place, mark }) => `${formatPlace(place)} ${mark.key}`));
  return desired.flatMap((entry): readonly Adoption[] => {
    if (!inTheWay.has(`${formatPlace(entry.place)} ${entry.mark.key}`)) return [];
    if (!namesOf(entry.value).includes(name.toLowerCase())) return [];
    const change = planAdoption(document, entry);
    return change === undefined ? [] : [{ place: formatPlace(entry.place), change }];
  });
}

function namesOf(value: ConfigMap): readonly string[] {
  const host = textAt(value, 'host');
  const whole = host === '' ? '' : `${host}.${textAt(value, 'domain')}`;
  return [whole, ...['hostname', 'subnet', 'name'].map((key) => textAt(value, key))]
    .filter((text) => text !== '')
    .map((text) => text.toLowerCase());
}

/** "host=web, domain=svc, ip=10.1.0.9": what of an entry is plain text. */
export function formatEntry(value: ConfigMap | undefined): string {
  return Object.entries(value ?? {})
    .flatMap(([key, inner]) => (typeof inner === 'string' && inner !== '' ? [`${key}=${inner}`] : []))
    .join(', ');
}
