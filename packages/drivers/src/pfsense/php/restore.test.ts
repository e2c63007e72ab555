// The restore snippet in a real PHP. Without one (see findPhp) these tests say so and are left out.
import { createHash } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { parseXml } from '../config/xml-tree.ts';
import { readRouterBackup } from '../restore/backup-file.ts';
import { planRestore } from '../restore/plan-restore.ts';
import { formatRestoreLook, formatRestoreRequest } from '../restore/restore-request.ts';
import { restoreAnswer } from '../snippet.ts';
import { owner, sampleConfig } from '../test-config.ts';
import { type PhpRouter, findPhp, openPhpRouter } from '../test-php.ts';

const php = await findPhp();
const version = '2.7.2-RELEASE';
const target = { router: 'fw1' };
const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex');
const withoutRevision = (text: string): string => text.replace(/\t<revision>[^]*?<\/revision>\n/, '');
const at = (text: string, time: number): string => text.replace('<time>1700000000', `<time>${time}`);

const vip = (address: string, mode: string, descr: string): string =>
  `\t\t<vip>\n\t\t\t<mode>${mode}</mode>\n\t\t\t<interface>lan</interface>\n\t\t\t<subnet>${address}</subnet>\n\t\t\t<subnet_bits>24</subnet_bits>\n\t\t\t<descr><![CDATA[${descr}]]></descr>\n\t\t</vip>\n`;
const withAddresses = (text: string, ...vips: readonly string[]): string =>
  text.replace('<virtualip></virtualip>', `<virtualip>\n${vips.join('')}\t</virtualip>`);

// The router as it became: another host, an address of a person's that came and one that went, and a rule of another section.
const backup = withAddresses(sampleConfig, vip('192.0.2.70', 'ipalias', 'mine'), vip('192.0.2.71', 'carp', 'shared'));
const present = at(
  withAddresses(sampleConfig, vip('192.0.2.80', 'ipalias', 'newer'))
    .replace('<host>photos', '<host>pictures')
    .replace('<hostname>gateway', '<hostname>gate'),
  1_700_000_500,
);

let router: PhpRouter | undefined;
afterEach(async () => {
  await router?.close();
  router = undefined;
});

describe.skipIf(php === undefined)('restore.php', () => {
  const open = async (text = present, as = version): Promise<PhpRouter> => {
    if (php === undefined) throw new Error('there is no PHP');
    router = await openPhpRouter(php, text, as);
    return router;
  };
  const request = (text = backup, more: object = {}): unknown => {
    const read = readRouterBackup(text, target);
    const plan = planRestore({ present: parseXml(present), backup: read, latest: '22.9', user: 'admin' });
    const writer = { holder: 'test', seconds: 60 };
    return {
      ...(formatRestoreRequest({ owner, writer, version, hash: hashOf(present), backup: read, plan }) as object),
      ...more,
    };
  };
  const leftInTmp = async ({ folder }: PhpRouter): Promise<readonly string[]> => await readdir(join(folder, 'tmp'));

  test('a look tells the newest version, changes nothing and leaves nothing behind', async () => {
    const here = await open();
    const look = await here.run('restore', formatRestoreLook(readRouterBackup(backup, target)));
    expect(look).toEqual({ kind: 'able', latest: '22.9' });
    expect(await here.run('restore', formatRestoreLook({ text: '<pfsense><a></pfsense>', leftOut: [] }))).toEqual({
      kind: 'unable',
    });
    expect(await here.readConfig()).toBe(present);
    expect(await here.takeCalls()).toEqual([]);
    expect(await leftInTmp(here)).toEqual([]);
  });

  test.each([version, '2.8.0-RELEASE'])('on %s writes the backup once and has it taken up', async (as) => {
    const here = await open(present, as);
    const answer = restoreAnswer.parse(await here.run('restore', request(backup, { version: as })));
    const ownBackup = join(here.folder, 'conf/backup/config-1700000500.xml');
    expect(answer).toMatchObject({ kind: 'written', slipped: [], backup: ownBackup });
    expect(answer).toHaveProperty('reloads', { 'virtual-ip': '', 'resolver-domains': '', haproxy: '' });
    const text = await here.readConfig();
    expect(withoutRevision(text)).toBe(withoutRevision(backup));
    expect(text).toContain('Labwright home/main: restores a backup of 2023-11-14T22:13Z');
    expect(await readFile(ownBackup, 'utf8')).toBe(present);
    // Of the addresses, those that pfSense calls aliases; CARP waits for the reboot.
    expect(await here.takeCalls()).toEqual([
      'haproxy check',
      'write_config',
      'interface_vip_bring_down 192.0.2.80',
      'interface_ipalias_configure 192.0.2.70',
      'filter_configure',
      'services_unbound_configure',
      'haproxy reload',
    ]);
    expect(await leftInTmp(here)).toEqual([]);
    expect(await readdir(join(here.folder, 'run'))).not.toContain('labwright.pending');

    const again = await here.run('restore', request(backup, { version: as, hash: hashOf(text) }));
    expect(again).toEqual({ kind: 'equal', hash: hashOf(text) });
    expect(await here.takeCalls()).toEqual([]);
  });

  test('data beside the configuration does not come into it', async () => {
    const here = await open();
    const data = '<rrddata><rrddatafile><filename>a.rrd</filename></rrddatafile></rrddata>';
    expect(await here.run('restore', request(backup.replace('</pfsense>', `${data}</pfsense>`)))).toMatchObject({
      kind: 'written',
    });
    expect(withoutRevision(await here.readConfig())).toBe(withoutRevision(backup));
  });

  test('another configuration than the one that was shown is not touched, nor one that a page writes now', async () => {
    const here = await open();
    expect(await here.run('restore', request(backup, { hash: hashOf(backup) }))).toEqual({ kind: 'moved' });
    await here.slip('at-lock', at(sampleConfig, 1_700_000_600));
    expect(await here.run('restore', request())).toEqual({ kind: 'moved' });
    expect(await here.readConfig()).toBe(at(sampleConfig, 1_700_000_600));
    expect(await here.takeCalls()).toEqual(['haproxy check']);
  });

  test('what a page saves in the moment of the write is told, and is in the backup', async () => {
    const here = await open();
    const theirs = present.replace('<uid>0', '<uid>7').replace('<time>1700000500', '<time>1700000600');
    await here.slip('at-backup', theirs);
    const answer = await here.run('restore', request());
    expect(answer).toMatchObject({ kind: 'written', slipped: ['system'] });
    expect(await readFile(String(answer['backup']), 'utf8')).toBe(theirs);
    expect(withoutRevision(await here.readConfig())).toBe(withoutRevision(backup));
  });

  test('another version, and another writer of the lab, are told', async () => {
    const here = await open(present, '2.8.1-RELEASE');
    const claim = (seconds: number): unknown => ({
      owner: 'labwright:home/main/',
      writer: { holder: 'other', seconds },
    });
    await here.run('writer', claim(60));
    expect(await here.run('restore', request())).toMatchObject({ kind: 'held', holder: 'other' });
    await here.run('writer', claim(0));
    expect(await here.run('restore', request())).toEqual({ kind: 'version', version: '2.8.1-RELEASE' });
    expect(await here.readConfig()).toBe(present);
  });

  test('a balancer that HAProxy refuses is restored and told, and nothing is tried again for it', async () => {
    const here = await open();
    const bad = backup.replace('<port>5000', '<port>666');
    expect(await here.run('restore', request(bad))).toMatchObject({
      kind: 'written',
      reloads: {
        'virtual-ip': '',
        'resolver-domains': '',
        haproxy: 'HAProxy refused it: Errors found [ALERT] port <666>',
      },
    });
    expect(await here.takeCalls()).not.toContain('haproxy reload');
    expect(await readdir(join(here.folder, 'run'))).not.toContain('labwright.pending');
  });

  test('with nothing to take it up, nothing is reloaded', async () => {
    const here = await open();
    expect(await here.run('restore', request(backup, { subsystems: [] }))).toMatchObject({
      kind: 'written',
      reloads: [],
    });
    expect(await here.takeCalls()).toEqual(['write_config']);
  });
});
