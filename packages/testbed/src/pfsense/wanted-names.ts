// Names of a test's own lab on a router, and what of its configuration is others'.
import { hostName, labId } from '@labwright/core/addresses/names';
import { places } from '@labwright/drivers/pfsense/config/place';
import { parseXml } from '@labwright/drivers/pfsense/config/xml-tree';
import { hostEntries } from '@labwright/drivers/pfsense/entries/name-entry';
import type { DesiredRouter } from '@labwright/drivers/pfsense/keeper/desired';
import { residueOf } from '@labwright/drivers/pfsense/test-config';

const owner = { lab: labId('test+rehearsal'), cluster: hostName('c1') };
export const nameAddress = '10.77.49.60';

/** `web` is web.svc. */
export function wantNames(names: readonly string[]): DesiredRouter {
  const entries = names.flatMap((name) =>
    hostEntries({ ...owner, key: `name.${name}` }, { name: `${name}.svc`, addresses: [nameAddress] }, 'unbound'),
  );
  return { owner, entries, managed: [places.resolverHosts] };
}

/** Every subtree that is not ours, as its text; without what every write changes. */
export function othersIn(config: string): readonly string[] {
  return residueOf(parseXml(config.replace(/\t<revision>[^]*?<\/revision>\n/, '')).root, owner);
}

/** In the order of the file; a name that stands twice is there twice. */
export function namesIn(config: string): readonly string[] {
  return [...config.matchAll(/<host>([^<]*)<\/host>\s*<domain>svc<\/domain>/g)].map(([, name = '']) => name);
}
