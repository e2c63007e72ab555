// For tests: routers as they are set up, the home example, and entries as a person reads them.
import { readFile } from 'node:fs/promises';
import { cidr, ipv4 } from '@labwright/core/addresses/ipv4';
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import { resolveBlueprint } from '@labwright/core/blueprint/resolve-blueprint';
import { parseLab } from '@labwright/core/lab/parse-lab';
import { formatValue, type ConfigValue, isMap } from '@labwright/drivers/pfsense/config/config-value';
import { formatPlace } from '@labwright/drivers/pfsense/config/place';
import type { OwnedEntry } from '@labwright/drivers/pfsense/edits/plan-edits';
import type { RouterSetup } from '@labwright/drivers/pfsense/router-setup';

const example = await readFile(new URL('../../../../examples/home/lab.yaml', import.meta.url), 'utf8');
/** A test says itself what is exposed and how. */
const home = example.replace(/^exposures: .*\n/m, '');

export function makeBlueprint(changes: Readonly<Record<string, string>> = {}): Blueprint {
  const text = Object.entries(changes).reduce((at, [from, to]) => at.replace(from, to), home);
  const { lab, diagnostics } = parseLab(text, 'lab.yaml');
  if (lab === undefined) throw new Error(diagnostics.map(({ message }) => message).join('\n'));
  return resolveBlueprint(lab, { rehearsal: false });
}

export function makeSetup(changes: Partial<RouterSetup> = {}): RouterSetup {
  return {
    line: '2.7.2',
    nameServer: 'unbound',
    nameServerPort: 53,
    dhcpBackEnd: 'isc',
    balancer: 'on',
    interfaces: [{ name: 'lan', address: ipv4('10.1.0.1'), cidr: cidr('10.1.0.0/22') }],
    ...changes,
  };
}

/** Place, key and XML of each, with texts that lie there as base64 opened. */
export function formatEntries(entries: readonly OwnedEntry[]): string {
  return entries
    .map(({ place, mark, value }) => {
      return `${formatPlace(place)} ${mark.key}\n${formatValue(place.tag, openTexts(value), 0)}\n`;
    })
    .join('\n');
}

function openTexts(value: ConfigValue): ConfigValue {
  if (!isMap(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key,
      key.startsWith('advanced') && typeof inner === 'string'
        ? Buffer.from(inner, 'base64').toString('utf8').replaceAll('\n', ' | ')
        : Array.isArray(inner)
          ? inner.map((each: ConfigValue) => openTexts(each))
          : openTexts(inner),
    ]),
  );
}
