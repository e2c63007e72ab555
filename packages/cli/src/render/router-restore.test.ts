import type { RouterRestoreAnswer } from '@labwright/core/contract/contract';
import { expect, test } from 'vitest';
import { formatRestore, formatRestored, restoreQuestion } from './router-restore.ts';
import type { TextStyle } from './text.ts';

const style: TextStyle = { columns: 80, hasColour: false, isPlain: false };

const seen: RouterRestoreAnswer = {
  router: 'fw1',
  version: '2.7.2-RELEASE',
  madeAt: Date.UTC(2026, 10, 22, 17, 4),
  hash: 'a'.repeat(64),
  sections: [
    { section: 'system', added: [], changed: ['hostname', 'user admin'], removed: [] },
    {
      section: 'unbound',
      added: ['hosts photos.home.arpa'],
      changed: [],
      removed: Array.from({ length: 14 }, (_, index) => `hosts web${index}.svc`),
    },
    { section: 'installedpackages/haproxy', added: [], changed: ['ha_pools/item family'], removed: [] },
  ],
  afterReboot: ['system'],
  notes: [
    'its user admin is not as it is now: should the password or a privilege differ, Labwright is refused by the router from then on, until router.user and router.password of the lab file fit',
  ],
};

test('what a backup would change, by section and by name', () => {
  expect(formatRestore(seen, style)).toMatchInlineSnapshot(`
    "fw1, pfSense 2.7.2-RELEASE: the backup of 2026-11-22 17:04 UTC differs in 3
    sections; restoring it adds (+), changes (~) and removes (-)
    system
      ~ hostname
      ~ user admin
    unbound
      + hosts photos.home.arpa
      - hosts web0.svc
      - hosts web1.svc
      - hosts web2.svc
      - hosts web3.svc
      - hosts web4.svc
      - hosts web5.svc
      - hosts web6.svc
      - hosts web7.svc
      - hosts web8.svc
      - hosts web9.svc
      - hosts web10.svc
        and 3 more
    installedpackages/haproxy
      ~ ha_pools/item family

    ▲ its user admin is not as it is now: should the password or a privilege differ,
      Labwright is refused by the router from then on, until router.user and
      router.password of the lab file fit
    "
  `);
  expect(restoreQuestion(seen)).toMatchInlineSnapshot(
    `"This loses what was changed on fw1 since that backup, by anybody: system (2), unbound (15), installedpackages/haproxy (1)."`,
  );
  expect(formatRestore({ ...seen, sections: [], madeAt: null }, style)).toMatchInlineSnapshot(`
    "fw1, pfSense 2.7.2-RELEASE, is as in the backup; there is nothing to restore
    "
  `);
  for (const as of [
    { ...style, isPlain: true },
    { ...style, columns: 40 },
  ]) {
    for (const line of formatRestore(seen, as).split('\n')) expect(line.length).toBeLessThanOrEqual(as.columns);
  }
});

test('how it went', () => {
  const ownBackup = '/cf/conf/backup/config-1795366800.xml';
  expect(formatRestored({ ...seen, done: { failed: {}, slipped: [], ownBackup } }, style)).toMatchInlineSnapshot(`
    "fw1 has the configuration of the backup of 2026-11-22 17:04 UTC
    its own backup of what was there: /cf/conf/backup/config-1795366800.xml
    taken up, or taken up wholly, only when the router is rebooted (Diagnostics >
      Reboot): system
    this lab's own entries: labwright serve puts them back by itself; where it does
      not run, labwright up
    "
  `);
  const failed = { haproxy: 'HAProxy refused it: [ALERT] port <666>' };
  expect(formatRestored({ ...seen, afterReboot: [], done: { failed, slipped: ['system'], ownBackup } }, style))
    .toMatchInlineSnapshot(`
      "fw1 has the configuration of the backup of 2026-11-22 17:04 UTC
      its own backup of what was there: /cf/conf/backup/config-1795366800.xml
      somebody saved a page in that very moment, with changes in system: they are in
        its own backup and no longer in effect
      did not take it up: haproxy: HAProxy refused it: [ALERT] port <666>
      this lab's own entries: labwright serve puts them back by itself; where it does
        not run, labwright up
      "
    `);
});
