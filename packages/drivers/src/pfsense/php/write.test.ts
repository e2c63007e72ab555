// The snippets in a real PHP. Without one (see findPhp) these tests say so and are left out.
import { readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';
import { ipv4 } from '@labwright/core/addresses/ipv4';
import { type XmlDocument, formatXml, parseXml } from '../config/xml-tree.ts';
import { places } from '../config/place.ts';
import { applyChanges } from '../edits/apply.ts';
import { type Change, invertChanges } from '../edits/change.ts';
import { planAdoption } from '../edits/plan-adoption.ts';
import { type OwnedEntry, entriesOf, planEdits } from '../edits/plan-edits.ts';
import { backEndEntry, frontEndEntry } from '../entries/balancer-entry.ts';
import { planBootSection } from '../entries/boot-section.ts';
import { hostEntries } from '../entries/name-entry.ts';
import { virtualIpEntry } from '../entries/virtual-ip-entry.ts';
import { formatServerCommand } from '../server-commands.ts';
import { noRecords } from '../names/name-records.ts';
import { stateAnswer, writeAnswer } from '../snippet.ts';
import { everyPlace, markFor, owner, residueOf, sampleConfig } from '../test-config.ts';
import { type PhpRouter, findPhp, openPhpRouter } from '../test-php.ts';
import { formatWriteRequest } from '../write-request.ts';

const php = await findPhp();

let router: PhpRouter | undefined;
afterEach(async () => {
  await router?.close();
  router = undefined;
});

const version = '2.7.2-RELEASE';
const host = (key: string, address = '192.0.2.50'): readonly OwnedEntry[] =>
  hostEntries(markFor(key), { name: `${key}.svc`, addresses: [address], aliases: [`${key}2.svc`] }, 'unbound');
const plan = (document: XmlDocument, desired: readonly OwnedEntry[]): readonly Change[] =>
  planEdits(document, owner, desired, everyPlace).changes;

describe.skipIf(php === undefined)('write.php', () => {
  const open = async (text = sampleConfig, as = version): Promise<PhpRouter> => {
    if (php === undefined) throw new Error('there is no PHP');
    router = await openPhpRouter(php, text, as);
    return router;
  };
  const request = (changes: readonly Change[], more: object = {}): unknown => ({
    ...(formatWriteRequest({ owner, version, changes, names: noRecords }) as object),
    ...more,
  });
  const withoutRevision = (text: string): string => text.replace(/\t<revision>[^]*?<\/revision>\n/, '');

  test.each(['2.7.2-RELEASE', '2.8.0-RELEASE'])(
    'on %s makes exactly the file that applyChanges foresees',
    async (as) => {
      const at = await open(sampleConfig, as);
      // An alias address and its aliases, a name, both ends of a balancer, and the fields of network boot.
      const before = parseXml(sampleConfig);
      const entries = plan(before, [
        ...host('web'),
        virtualIpEntry(markFor('web'), 'lan', '192.0.2.51'),
        backEndEntry(markFor('web'), {
          name: 'lw-web',
          check: { kind: 'http', intervalMs: 1000, method: 'GET', path: '/' },
          servers: [{ name: 'n1', address: '192.0.2.21', port: 31_000 }],
        }),
        frontEndEntry(markFor('web'), {
          name: 'lw-web',
          address: { kind: 'one', address: '192.0.2.51' },
          port: 80,
          routing: { kind: 'tcp', backEnd: 'lw-web' },
        }),
      ]);
      const boot = planBootSection(before, owner, 'lan', { nextServer: ipv4('192.0.2.5'), uefi64: 'ipxe.efi' }).changes;
      const changes = [...entries, ...boot];
      const answer = await at.run('write', request(changes, { version: as }));
      expect(writeAnswer.parse(answer)).toMatchObject({ kind: 'written', writes: 1, slipped: [], moved: [] });
      const after = await at.readConfig();
      expect(withoutRevision(after)).toBe(withoutRevision(formatXml(applyChanges(before, changes))));
      expect(after).toContain('<description><![CDATA[admin: Labwright home/main: adds unbound/hosts web; adds ');
      const calls = await at.takeCalls();
      // Tested before it is written, and the balancer last, when its address is there.
      expect(calls).toEqual([
        'haproxy check',
        'write_config',
        'interface_ipalias_configure 192.0.2.51',
        'filter_configure',
        'services_dhcpd_configure',
        'unbound_add_host_entries',
        'haproxy reload',
      ]);

      const again = await at.run('write', request(changes, { version: as }));
      expect(again).toMatchObject({ kind: 'equal' });
      const back = await at.run('write', request(invertChanges(changes), { version: as }));
      expect(back).toMatchObject({ kind: 'written' });
      expect(withoutRevision(await at.readConfig()).replace('\t\t<labwright></labwright>\n', '')).toBe(
        withoutRevision(sampleConfig),
      );
      expect(await at.takeCalls()).toContain('interface_vip_bring_down 192.0.2.51');
    },
  );

  test('adopts and releases only with that word', async () => {
    const at = await open();
    const host = { name: 'photos.lab.test', addresses: ['192.0.2.50'], aliases: ['pics.lab.test'] };
    const [desired] = hostEntries(markFor('photos'), host, 'unbound');
    const adoption = desired === undefined ? undefined : planAdoption(parseXml(sampleConfig), desired);
    if (adoption?.kind !== 'change') throw new Error('no adoption');
    const { change } = adoption;
    const { consent, ...without } = change;
    expect(await at.run('write', request([without]))).toMatchObject({
      kind: 'failed',
      message: expect.stringContaining('not of labwright:home/main/'),
    });
    expect(consent).toBe('adopt');
    expect(await at.run('write', request([change]))).toMatchObject({ kind: 'written' });
    expect(await at.run('write', request(invertChanges([change])))).toMatchObject({ kind: 'written' });
    expect(withoutRevision(await at.readConfig())).toBe(withoutRevision(sampleConfig));
  });

  test('an entry with another owner’s mark, and fields of other sections, are never touched', async () => {
    const at = await open();
    const [entry] = plan(parseXml(sampleConfig), host('web'));
    if (entry?.kind !== 'entry') throw new Error('no change');
    const foreign = { ...entry, mark: { ...entry.mark, cluster: 'second' as typeof entry.mark.cluster } };
    const fields = {
      kind: 'fields' as const,
      path: ['dhcpd', 'lan'],
      before: { gateway: null },
      after: { gateway: '192.0.2.9' },
      subsystem: 'dhcp' as const,
    };
    for (const change of [
      foreign,
      fields,
      { ...fields, path: ['system'], before: { netboot: null }, after: { netboot: '' } },
    ]) {
      expect(await at.run('write', request([change]))).toMatchObject({ kind: 'failed' });
    }
    expect(await at.readConfig()).toBe(sampleConfig);
    expect(await at.takeCalls()).toEqual([]);
  });

  test('an entry of ours that somebody changed is reported, and nothing is written', async () => {
    const at = await open();
    const set = parseXml(formatXml(applyChanges(parseXml(sampleConfig), plan(parseXml(sampleConfig), host('web')))));
    const changes = plan(set, host('web', '192.0.2.77'));
    await at.writeConfig(formatXml(set).replace('<ip>192.0.2.50', '<ip>192.0.2.66'));
    expect(await at.run('write', request(changes))).toEqual({ kind: 'moved', changes: [0] });
    expect(await at.takeCalls()).toEqual([]);
  });

  test('another version than planned for is not written to', async () => {
    const at = await open(sampleConfig, '2.8.1-RELEASE');
    expect(await at.run('write', request(plan(parseXml(sampleConfig), host('web'))))).toEqual({
      kind: 'version',
      version: '2.8.1-RELEASE',
    });
    expect(await at.readConfig()).toBe(sampleConfig);
  });

  // What another page saves while we write: a host of its own, and a changed text.
  const theirs = sampleConfig
    .replace(
      '\t</unbound>',
      '\t\t<hosts>\n\t\t\t<host>theirs</host>\n\t\t\t<domain>lab.test</domain>\n\t\t\t<ip>192.0.2.41</ip>\n\t\t\t<descr></descr>\n\t\t\t<aliases></aliases>\n\t\t</hosts>\n\t</unbound>',
    )
    .replace('<hostname>gateway', '<hostname>gate')
    .replace('1700000000', '1700000009');

  test('a page that saves before our write: we begin again from its file', async () => {
    const at = await open();
    await at.slip('at-lock', theirs);
    const answer = await at.run('write', request(plan(parseXml(sampleConfig), host('web'))));
    expect(answer).toMatchObject({ kind: 'written', writes: 1, slipped: [] });
    expect(residueOf(parseXml(withoutRevision(await at.readConfig())).root, owner)).toEqual(
      residueOf(parseXml(withoutRevision(theirs)).root, owner),
    );
  });

  test('a page that saves at the very moment of our write is found in the backup and merged back', async () => {
    const at = await open();
    await at.slip('at-backup', theirs);
    const answer = await at.run('write', request(plan(parseXml(sampleConfig), host('web'))));
    expect(answer).toMatchObject({ kind: 'written', writes: 2, slipped: ['system', 'unbound'], moved: [] });
    const after = parseXml(withoutRevision(await at.readConfig()));
    expect(residueOf(after.root, owner)).toEqual(residueOf(parseXml(withoutRevision(theirs)).root, owner));
    expect(plan(after, host('web'))).toEqual([]);
  });

  test('a write that fails tells of those before it', async () => {
    const at = await open();
    await writeFile(join(at.folder, 'writes-left'), '1');
    await at.slip('at-backup', theirs);
    const changes = plan(parseXml(sampleConfig), host('web'));
    const message = 'write_config could not write config.xml';
    expect(await at.run('write', request(changes))).toEqual({ kind: 'failed', message, writes: 1 });
    const more = plan(parseXml(await at.readConfig()), host('more'));
    expect(await at.run('write', request(more))).toEqual({ kind: 'failed', message, writes: 0 });
  });

  test('a page that was open since before our entries, and saves while we take them away, keeps its change', async () => {
    const at = await open();
    const changes = plan(parseXml(sampleConfig), host('web'));
    await at.run('write', request(changes));
    // It has nothing of ours, so nothing is left to change in it; what we wrote over it is put back all the same.
    await at.slip('at-backup', theirs);
    const answer = await at.run('write', request(invertChanges(changes)));
    expect(answer).toMatchObject({ kind: 'written', writes: 2, moved: [] });
    expect(withoutRevision(await at.readConfig())).toBe(withoutRevision(theirs));
  });

  test('what slipped in and changed our own entry stays, and the change is given up', async () => {
    const set = formatXml(applyChanges(parseXml(sampleConfig), plan(parseXml(sampleConfig), host('web'))));
    const at = await open(set);
    await at.slip('at-backup', set.replace('<ip>192.0.2.50', '<ip>192.0.2.66'));
    const answer = await at.run('write', request(plan(parseXml(set), [...host('web', '192.0.2.77'), ...host('new')])));
    expect(answer).toMatchObject({ kind: 'written', moved: [0] });
    const after = parseXml(await at.readConfig());
    expect(entriesOf(after, places.resolverHosts)).toContainEqual(
      expect.objectContaining({ host: 'web', ip: '192.0.2.66' }),
    );
    expect(entriesOf(after, places.resolverHosts)).toContainEqual(expect.objectContaining({ host: 'new' }));
  });

  test('only the addresses of a write are taken up: a router with a hundred is not gone through each time', async () => {
    const at = await open();
    const one = virtualIpEntry(markFor('one'), 'lan', '192.0.2.51');
    const two = virtualIpEntry(markFor('two'), 'lan', '192.0.2.52');
    await at.run('write', request(plan(parseXml(sampleConfig), [one])));
    await at.takeCalls();
    await at.run('write', request(plan(parseXml(await at.readConfig()), [one, two])));
    expect(await at.takeCalls()).toEqual([
      'write_config',
      'interface_ipalias_configure 192.0.2.52',
      'filter_configure',
    ]);
  });

  test('what is written and was not taken up, because the call died, is taken up by the next', async () => {
    const at = await open();
    const changes = plan(parseXml(sampleConfig), [virtualIpEntry(markFor('v'), 'lan', '192.0.2.51')]);
    await at.run('write', request(changes));
    await at.takeCalls();
    await writeFile(
      `${at.folder}/run/labwright.pending`,
      JSON.stringify({ subsystems: ['virtual-ip', 'dhcp'], down: [] }),
    );
    expect(await at.run('write', request(changes))).toEqual({
      kind: 'equal',
      hash: expect.any(String),
      reloads: { 'virtual-ip': '', dhcp: '' },
    });
    expect(await at.takeCalls()).toEqual([
      'interface_ipalias_configure 192.0.2.51',
      'filter_configure',
      'services_dhcpd_configure',
    ]);
    expect(await at.run('write', request(changes))).toMatchObject({ kind: 'equal', reloads: [] });
  });

  test('an address that went is brought down once, and not when somebody has it by then', async () => {
    const at = await open();
    const one = virtualIpEntry(markFor('one'), 'lan', '192.0.2.51');
    const two = virtualIpEntry(markFor('two'), 'lan', '192.0.2.52');
    const frontEnd = frontEndEntry(markFor('b'), {
      name: 'lw-b',
      address: { kind: 'one', address: '192.0.2.1' },
      port: 9001,
      routing: { kind: 'tcp', backEnd: 'family' },
    });
    const write = async (desired: readonly OwnedEntry[]): Promise<readonly string[]> => {
      const changes = plan(parseXml(await at.readConfig()), desired);
      expect(await at.run('write', request(changes))).toMatchObject({ kind: 'written' });
      return (await at.takeCalls()).filter((name) => name.startsWith('interface_'));
    };
    await write([one]);
    // HAProxy fails for as long as it likes, so what is pending stays pending.
    await writeFile(join(at.folder, 'taken-ports'), '9001');
    expect(await write([frontEnd])).toEqual(['interface_vip_bring_down 192.0.2.51']);
    const pending: unknown = JSON.parse(await readFile(`${at.folder}/run/labwright.pending`, 'utf8'));
    expect(pending).toEqual({ subsystems: ['haproxy'], down: [], up: [] });
    const own = `<vip><mode>ipalias</mode><interface>lan</interface><uniqid>1</uniqid><descr>mine</descr><type>single</type><subnet_bits>32</subnet_bits><subnet>192.0.2.51</subnet></vip>`;
    await at.writeConfig(
      (await at.readConfig()).replace(/<virtualip>[^]*<\/virtualip>/, `<virtualip>${own}</virtualip>`),
    );
    expect(await write([frontEnd, two])).toEqual(['interface_ipalias_configure 192.0.2.52']);

    // Nor where the call died after it had brought it down.
    await writeFile(
      `${at.folder}/run/labwright.pending`,
      JSON.stringify({
        subsystems: ['virtual-ip'],
        down: [{ mode: 'ipalias', interface: 'lan', subnet: '192.0.2.51' }],
        up: [],
      }),
    );
    expect(await write([frontEnd])).toEqual(['interface_vip_bring_down 192.0.2.52']);
  });

  test(
    'a resolver that cannot be told at once reads its files again, and only then is started anew',
    { timeout: 20_000 },
    async () => {
      const at = await open();
      const changes = plan(parseXml(sampleConfig), host('web'));
      const names = { remove: ['old.svc.'], add: ['web.svc. 60 IN A 192.0.2.50'] };
      await writeFile(join(at.folder, 'resolver/down'), '');
      const answer = await at.run('write', request(changes, names));
      expect(answer).toMatchObject({ kind: 'written', reloads: { names: 'the DNS Resolver does not run' } });
      const calls = await at.takeCalls();
      const isWait = (call: string, at: number): boolean => call === 'unbound-control status' && calls[at - 1] === call;
      expect(calls.filter((call, at) => !isWait(call, at))).toEqual([
        'write_config',
        'unbound-control local_datas',
        // Somebody else may be starting it.
        'unbound-control status',
        'system_hosts_generate',
        'unbound-control status',
        'services_unbound_configure',
        'unbound-control status',
      ]);
      // It is remembered, and the next call has it read its files: which names it lacks is not known any more.
      await rm(join(at.folder, 'resolver/down'));
      expect(await at.run('write', request(changes, names))).toMatchObject({ kind: 'equal', reloads: { names: '' } });
      expect(await at.takeCalls()).toEqual(['system_hosts_generate', 'unbound-control status']);
      expect(await at.run('write', request(invertChanges(changes), names))).toMatchObject({
        kind: 'written',
        reloads: { names: '' },
      });
      expect(await at.takeCalls()).toEqual([
        'write_config',
        'unbound-control local_datas',
        'unbound-control local_datas_remove',
        'unbound_add_host_entries',
      ]);
      expect(await readFile(join(at.folder, 'resolver/local_datas'), 'utf8')).toBe('web.svc. 60 IN A 192.0.2.50\n');
    },
  );

  test('what HAProxy refuses is never written, and its test leaves no trace', async () => {
    const at = await open();
    const backEnd = (port: number): readonly OwnedEntry[] => [
      backEndEntry(markFor('b'), {
        name: 'b',
        check: { kind: 'none' },
        servers: [{ name: 'n1', address: '192.0.2.21', port }],
      }),
    ];
    expect(await at.run('write', request(plan(parseXml(sampleConfig), backEnd(666))))).toEqual({
      kind: 'refused',
      message: 'HAProxy refused it: Errors found [ALERT] port <666>',
    });
    expect(await at.readConfig()).toBe(sampleConfig);
    expect(await at.run('write', request(plan(parseXml(sampleConfig), backEnd(667))))).toMatchObject({
      kind: 'written',
    });
    expect(await at.readConfig()).not.toContain('email_mailers');
    expect(await at.takeCalls()).toEqual(['haproxy check', 'haproxy check', 'write_config', 'haproxy reload']);
    const check = await at.run('balancer', { owner: 'labwright:home/main/', action: 'check' });
    expect(check).toEqual({ kind: 'done', output: [''] });
  });

  test('names go live without a write', async () => {
    const at = await open();
    const names = { owner: 'labwright:home/main/', remove: [], add: ['web.svc. 60 IN A 192.0.2.50'] };
    expect(await at.run('names', names)).toEqual({ kind: 'done' });
    expect(await at.takeCalls()).toEqual(['unbound-control local_datas']);
    const moved = { ...names, remove: ['old.svc.', 'db.svc.'], add: ['db.svc. 60 IN A 192.0.2.51', ...names.add] };
    expect(await at.run('names', moved)).toEqual({ kind: 'done' });
    // What is new need not wait until what moves is taken out.
    const inTurn = ['local_datas', 'local_datas_remove', 'local_datas'];
    expect(await at.takeCalls()).toEqual(inTurn.map((action) => `unbound-control ${action}`));
    expect(await readFile(join(at.folder, 'resolver/local_datas'), 'utf8')).toMatch(
      /\nweb\.svc\. .*\ndb\.svc\. 60 IN A 192\.0\.2\.51\n$/,
    );
    await writeFile(join(at.folder, 'resolver/down'), '');
    expect(await at.run('names', names)).toMatchObject({
      kind: 'refused',
      message: expect.stringContaining('Connection refused'),
    });
    await at.writeConfig(sampleConfig.replace('<unbound>\n\t\t<enable></enable>', '<unbound>'));
    expect(await at.run('names', names)).toEqual({ kind: 'refused', message: 'the DNS Resolver is switched off' });
    expect(await at.readConfig()).not.toBe('');
  });

  test('one writer at a time, and the next when its time is over or it gives up', async () => {
    const at = await open();
    const changes = plan(parseXml(sampleConfig), host('web'));
    const by = (holder: string, seconds: number): object => ({
      owner: 'labwright:home/main/',
      writer: { holder, seconds },
    });
    expect(await at.run('writer', by('a', 60))).toEqual({ kind: 'done' });
    expect(await at.run('write', request(changes, by('b', 60)))).toMatchObject({
      kind: 'held',
      holder: 'a',
      seconds: expect.any(Number),
    });
    expect(await at.run('writer', { ...by('b', 60), owner: 'labwright:home/second/' })).toEqual({ kind: 'done' });
    expect(await at.readConfig()).toBe(sampleConfig);
    expect(await at.run('writer', by('a', 0))).toEqual({ kind: 'done' });
    expect(await at.run('write', request(changes, by('b', 60)))).toMatchObject({ kind: 'written' });
  });

  test('state tells the file itself once, and then that it is the same', async () => {
    const at = await open();
    const first = stateAnswer.parse(await at.run('state', { known: '' }));
    if (first.kind !== 'state') throw new Error(first.message);
    expect(first).toMatchObject({
      version,
      platform: 'pfSense',
      configVersion: '22.9',
      isPending: false,
      hasBalancer: true,
    });
    expect(gunzipSync(Buffer.from(first.config, 'base64')).toString()).toBe(sampleConfig);
    expect(await at.run('state', { known: first.hash })).toMatchObject({ hash: first.hash, config: '' });
  });

  test('HAProxy hears over its socket, one command a connection', async () => {
    const at = await open();
    const heard: string[] = [];
    const server = createServer((socket) => {
      socket.on('data', (data) => {
        heard.push(data.toString());
        socket.end(heard.length === 2 ? 'No such server.\n\n' : '\n');
      });
    });
    const listening = Promise.withResolvers<void>();
    server.listen(join(at.folder, 'haproxy.socket'), listening.resolve);
    await listening.promise;
    try {
      const commands = ['drain', 'ready'].map((state) =>
        formatServerCommand({ backEnd: 'lw-web', server: 'n1', state: state as 'drain' }),
      );
      const answer = await at.run('balancer', { owner: 'labwright:home/main/', action: 'servers', commands });
      expect(answer).toEqual({ kind: 'done', output: ['', 'No such server.'] });
      expect(heard).toEqual(['set server lw-web_ipvANY/n1 state drain\n', 'set server lw-web_ipvANY/n1 state ready\n']);
    } finally {
      server.close();
    }
  });

  test('no argument is ever code', async () => {
    const at = await open();
    const answer = await at.run('state', { known: "'; file_put_contents('x', 1); $x = '" });
    expect(answer).toMatchObject({ kind: 'state' });
    const output = await at.run('balancer', {
      owner: 'o',
      action: 'servers',
      commands: ['set server a/b state ready; quit'],
    });
    expect(output).toEqual({
      kind: 'failed',
      message: '"set server a/b state ready; quit" is no command for a server',
    });
  });
});
