import { describe, expect, test } from 'vitest';
import { parseXml } from '../config/xml-tree.ts';
import { sampleConfig } from '../test-config.ts';
import { readRouterBackup } from './backup-file.ts';
import { type RestorePlan, planRestore } from './plan-restore.ts';

const user = 'admin';
const plan = (edit: (text: string) => string, present = sampleConfig): RestorePlan =>
  planRestore({
    present: parseXml(present),
    backup: readRouterBackup(edit(sampleConfig), { router: 'fw1' }),
    latest: '22.9',
    user,
  });

describe('what restoring a backup means', () => {
  test('nothing, when only its revision is another', () => {
    expect(plan((text) => text.replace('1700000000', '1600000000'))).toEqual({
      sections: [],
      subsystems: [],
      afterReboot: [],
      notes: [],
    });
  });

  test('what is managed is taken up at once, the rest after a reboot', () => {
    const { subsystems, afterReboot, notes } = plan((text) =>
      text
        .replace('<host>photos', '<host>pictures')
        .replace('<port>5000', '<port>5001')
        .replace('</pfsense>', '<filter><rule><descr>in</descr></rule></filter></pfsense>'),
    );
    expect(subsystems).toEqual(['resolver-domains', 'haproxy']);
    expect(afterReboot).toEqual(['filter']);
    expect(notes).toEqual([]);
  });

  test('of the system only a part', () => {
    const { subsystems, afterReboot } = plan((text) => text.replace('<hostname>gateway', '<hostname>gate'));
    expect(subsystems).toEqual(['resolver-domains']);
    expect(afterReboot).toEqual(['system']);
  });

  test('with other interfaces nothing is taken up before the reboot', () => {
    const { subsystems, afterReboot, notes } = plan((text) =>
      text.replace('<host>photos', '<host>pictures').replace('vtnet1', 'em1'),
    );
    expect(subsystems).toEqual([]);
    expect(afterReboot).toEqual(['interfaces', 'unbound']);
    expect(notes).toEqual([
      'interfaces differ: nothing of it is taken up before the router is rebooted',
      expect.stringContaining('its interface lan is on em1'),
    ]);
  });

  test('an older version is brought up to date by the reboot', () => {
    const { subsystems, notes } = plan((text) =>
      text.replace('<host>photos', '<host>pictures').replace('<version>22.9', '<version>21.7'),
    );
    expect(subsystems).toEqual([]);
    expect(notes).toEqual([expect.stringContaining('of version 21.7')]);
  });

  test('its owner hears of a login that is lost, packages that miss and data that is left out', () => {
    expect(plan((text) => text.replace('<name>admin<', '<name>root<')).notes).toEqual([
      expect.stringContaining('it has no user admin: Labwright is refused'),
    ]);
    expect(plan((text) => text.replace('<uid>0<', '<uid>1<')).notes).toEqual([
      expect.stringContaining('its user admin is not as it is now'),
    ]);
    const present = sampleConfig.replace('<name>haproxy<', '<name>other<');
    expect(plan((text) => text, present).notes).toEqual([
      'packages of it that are not installed now: haproxy; install them under System > Package Manager',
    ]);
    const withData = plan((text) =>
      text.replace('</pfsense>', '<rrddata><rrddatafile><filename>a</filename></rrddatafile></rrddata></pfsense>'),
    );
    expect(withData).toMatchObject({
      sections: [],
      notes: ['left out, because it is data and no configuration: rrddata'],
    });
  });

  test('and of a certificate that Labwright does not know', () => {
    const withCertificate = (text: string, id: string): string =>
      text
        .replace('<webgui>', `<webgui><ssl-certref>${id}</ssl-certref>`)
        .replace('</pfsense>', `<cert><refid>${id}</refid><descr>page</descr><crt>${id}</crt></cert></pfsense>`);
    expect(plan((text) => withCertificate(text, 'a1'), withCertificate(sampleConfig, 'b2')).notes).toEqual([
      expect.stringContaining('labwright doctor --trust'),
    ]);
  });
});
