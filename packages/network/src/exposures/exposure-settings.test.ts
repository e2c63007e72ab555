import { readFile } from 'node:fs/promises';
import { ipv4 } from '@labwright/core/addresses/ipv4';
import { resolveBlueprint } from '@labwright/core/blueprint/resolve-blueprint';
import { parseLab } from '@labwright/core/lab/parse-lab';
import { expect, test } from 'vitest';
import { exposureSettings } from './exposure-settings.ts';
import { refuseName } from './names.ts';

const home = await readFile(new URL('../../../../examples/home/lab.yaml', import.meta.url), 'utf8');

function settingsOf(text: string) {
  const { lab, diagnostics } = parseLab(text, 'lab.yaml');
  if (lab === undefined) throw new Error(diagnostics.map(({ message }) => message).join('\n'));
  return exposureSettings(resolveBlueprint(lab, { rehearsal: false }));
}

test('the home example keeps every address and name that something has', () => {
  const settings = settingsOf(home);
  expect(settings).toMatchObject({
    domains: ['svc', 'home.arpa'],
    balancer: 'router',
    ingress: 'router',
    routerBalances: true,
    range: { first: '10.1.3.100', last: '10.1.3.200' },
  });
  const owners = ['10.1.0.1', '10.1.0.11', '10.1.0.20', '10.1.1.1'].map((text) =>
    settings.takenAddresses.get(ipv4(text)),
  );
  expect(owners).toEqual(['router fw1', 'host pve1', 'nas nas1', 'machine node101']);
  const names = ['fw1', 'pve1', 'nas1', 'sw1', 'ap-hall', 'node101', 'gateway', 'laptop'];
  const reasons = names.map((name) => refuseName(`${name}.home.arpa`, settings)?.reason);
  expect(reasons).toEqual(names.map(() => 'name-reserved'));
  expect(refuseName('pve1.svc', settings)).toBeUndefined();
});

test('with a name server of our own its names are kept, too', () => {
  const settings = settingsOf(
    home.replace(/^exposures: .*/m, 'exposures: { domains: [apps.home.arpa], nameServer: {} }'),
  );
  expect(refuseName('ns.apps.home.arpa', settings)?.reason).toBe('name-reserved');
  expect(refuseName('web.svc', settings)?.reason).toBe('name-outside');
  expect(refuseName('web.apps.home.arpa', settings)).toBeUndefined();
});
