// Which names an object may have: DNS names under a domain of the lab that stand for nothing else.
import { parseHostName } from '@labwright/core/addresses/names';
import type { ExposureSettings, Refusal } from './exposure.ts';

export type NameRefusal = Pick<Refusal, 'reason' | 'subject' | 'why' | 'fix'>;

const longestName = 253;

/** Why an object may not have the name, whoever else wants it; undefined when it may. */
export function refuseName(
  name: string,
  { domains, reservedNames }: Pick<ExposureSettings, 'domains' | 'reservedNames'>,
): NameRefusal | undefined {
  const subject = name;
  const [domain = 'svc'] = domains;
  if (name.startsWith('*.')) {
    const why = `${name} stands for many names, and a router's resolver is given single ones`;
    return { reason: 'name-invalid', subject, why, fix: 'list the names that are used' };
  }
  if (name.length > longestName || name.split('.').some((label) => parseHostName(label) === undefined)) {
    const why = `"${shorten(name)}" is no DNS name`;
    return { reason: 'name-invalid', subject: shorten(name), why, fix: `write one like web.${domain}` };
  }
  const owner = reservedNames.get(name);
  if (owner !== undefined) {
    return { reason: 'name-reserved', subject, why: `${name} is the name of ${owner}`, fix: 'choose another name' };
  }
  if (domains.includes(name)) {
    const why = `${name} is a domain itself, and names are under it`;
    return { reason: 'name-outside', subject, why, fix: `write a name like web.${name}` };
  }
  if (domains.some((each) => name.endsWith(`.${each}`))) return undefined;
  const [first = 'web', ...parent] = name.split('.');
  const widen = parent.length === 0 ? '' : `, or add ${parent.join('.')} to exposures.domains of the lab file`;
  return {
    reason: 'name-outside',
    subject,
    why: `${name} is in none of the domains that services may have names in (${domains.join(', ')})`,
    fix: `choose a name like ${first}.${domain}${widen}`,
  };
}

const shorten = (text: string): string => (text.length > 80 ? `${text.slice(0, 80)}…` : text);
