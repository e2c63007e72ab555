import { describe, expect, test } from 'vitest';
import { sampleConfig } from '../test-config.ts';
import { assertFits, isNewerVersion, readRouterBackup } from './backup-file.ts';

const router = 'fw1';
const target = { router, latest: '22.9', world: 'hardware' } as const;
const read = (text: string): ReturnType<typeof readRouterBackup> => readRouterBackup(text, target);
const withMark = (mark: string): string => sampleConfig.replace('Holiday &amp; family', mark);

describe('reading a file', () => {
  test('a whole configuration tells its version and when it was written', () => {
    expect(read(sampleConfig)).toMatchObject({ configVersion: '22.9', madeAt: 1_700_000_000_000, leftOut: [] });
    expect(read(`\uFEFF${sampleConfig}`)).toMatchObject({ configVersion: '22.9' });
  });

  test.each([
    ['', 'no configuration in XML: it has no root element'],
    ['router backup', 'text stands outside'],
    [sampleConfig.slice(0, sampleConfig.indexOf('<revision>')), 'never closed'],
    ['<!DOCTYPE x [<!ENTITY a "b">]><pfsense/>', 'document type'],
    ['---- BEGIN config.xml ----\nAbCd\n---- END config.xml ----\n', 'it is encrypted'],
    ['<unbound><enable></enable></unbound>', 'outermost element is <unbound>'],
    ['<opnsense><version>22.9</version></opnsense>', 'outermost element is <opnsense>'],
    ['<pfsense><version>22.9</version></pfsense>', 'no section <system>'],
    [sampleConfig.replace('<version>22.9<', '<version>new<'), '"new" is no version'],
  ])('%.30s is refused', (text, why) => {
    expect(() => read(text)).toThrow(
      expect.objectContaining({ code: 'LW8012', why: expect.stringContaining(why) as string }),
    );
  });

  test('data that the page adds to a backup is left out', () => {
    const data = '<rrddata><rrddatafile><filename>a.rrd</filename><xmldata>x</xmldata></rrddatafile></rrddata>';
    const keys = '<sshdata><sshkeyfile><filename>ssh_host_rsa_key</filename></sshkeyfile></sshdata>';
    expect(read(sampleConfig.replace('</pfsense>', `${data}${keys}</pfsense>`)).leftOut).toEqual([
      'rrddata',
      'sshdata',
    ]);
  });
});

describe('whether it fits the router', () => {
  test.each([
    ['22.9', '22.9', false],
    ['21.7', '22.9', false],
    ['22.8', '22.9', false],
    ['22.10', '22.9', true],
    ['23.0', '22.9', true],
    ['3.0', '22.9', false],
  ])('%s is newer than %s: %s', (version, latest, isNewer) => {
    expect(isNewerVersion(version, latest)).toBe(isNewer);
  });

  test('a newer one is refused', () => {
    const backup = read(sampleConfig.replace('<version>22.9<', '<version>23.3<'));
    expect(() => assertFits(backup, target)).toThrow(
      expect.objectContaining({ code: 'LW8012', why: expect.stringContaining('23.3') as string }),
    );
    expect(() => assertFits(backup, { ...target, latest: '23.3' })).not.toThrow();
  });

  test('one of the other world is refused', () => {
    const rehearsed = read(withMark('labwright:home+rehearsal/main/web'));
    const real = read(withMark('labwright:home/main/web'));
    expect(() => assertFits(rehearsed, target)).toThrow(
      expect.objectContaining({ why: expect.stringContaining('a backup of a rehearsal') as string }),
    );
    expect(() => assertFits(real, { ...target, world: 'rehearsal' })).toThrow(
      expect.objectContaining({ why: expect.stringContaining('a backup of hardware') as string }),
    );
    expect(() => assertFits(real, target)).not.toThrow();
    expect(() => assertFits(read(sampleConfig), { ...target, world: 'rehearsal' })).not.toThrow();
  });
});
