// config.xml of the emulated pfSense: what a write leaves behind, what a page that was open loses, what is there after a power cut.
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startPfsense, type PfsenseLan } from './pfsense-lan.ts';

let router: PfsenseLan;

beforeAll(async () => {
  router = await startPfsense({
    resolver: 'unbound',
    hosts: [{ host: 'owner', domain: 'home.arpa', ip: '10.77.46.9' }],
    dhcp: { isOn: false, from: '10.77.46.100', to: '10.77.46.150' },
  });
}, 60_000);
afterAll(async () => {
  await router?.stop();
});

async function value(code: string): Promise<unknown> {
  const reply = await router.php(code);
  if (reply.kind !== 'value') throw new Error(JSON.stringify(reply));
  return typeof reply.value === 'string' ? (JSON.parse(reply.value) as unknown) : reply.value;
}

/** Backups are named by the second: one of the same second stands in the place of the other. */
async function nextSecond(): Promise<void> {
  const getSecond = (): number => Math.floor(new Date().getTime() / 1000);
  const startedIn = getSecond();
  await expect.poll(getSecond, { timeout: 3_000, interval: 20 }).toBeGreaterThan(startedIn);
}

/** The file without what every write changes. */
const withoutRevision = (text: string): string => text.replace(/\t<revision>.*<\/revision>\n/s, '');
const addHost = (name: string): string =>
  `config_set_path('unbound/hosts', [...config_get_path('unbound/hosts', []), ['host' => '${name}', 'domain' => 'home.arpa', 'ip' => '10.77.46.8', 'descr' => 'test', 'aliases' => '']]); write_config('added ${name}');`;
const hostNames = 'array_column(parse_config(true)["unbound"]["hosts"], "host")';
const names = async (): Promise<unknown> => await value(`$toreturn = json_encode(${hostNames});`);

describe('a write', () => {
  it('leaves the file before it as a backup, and says who wrote', async () => {
    const before = await router.control.fetchConfig();
    const read = await value('$toreturn = json_encode(config_get_path("revision"));');
    await value(`${addHost('first')} $toreturn = json_encode(1);`);
    const backup = (await router.control.fetchBackups()).find(
      ({ time }) => time === Number((read as { time: string }).time),
    );
    expect(backup?.text).toBe(before);
    expect(await value('$toreturn = json_encode(config_get_path("revision"));')).toMatchObject({
      description: '(system)@10.77.46.50: added first',
      username: '(system)@10.77.46.50',
    });
    expect(await names()).toEqual(['owner', 'first']);
  });

  it('changes nothing else, byte for byte', async () => {
    const before = withoutRevision(await router.control.fetchConfig());
    await value('write_config("nothing"); $toreturn = json_encode(1);');
    expect(withoutRevision(await router.control.fetchConfig())).toBe(before);
  });

  it('keeps flags, order, and what is unknown; loses a line end beside an entity', async () => {
    const tree =
      "['known' => ['flag' => true, 'off' => false, 'empty' => [], 'descr' => \"a & <b>\", 'z' => '1', 'a' => \"x\\ny &\\nz\"], 'item' => [['n' => '1'], []]]";
    await value(
      `config_set_path('installedpackages/other', ${tree}); write_config('more'); $toreturn = json_encode(1);`,
    );
    expect(await router.control.fetchConfig()).toContain(
      [
        '\t\t<other>',
        '\t\t\t<known>',
        '\t\t\t\t<flag></flag>',
        '\t\t\t\t<empty></empty>',
        '\t\t\t\t<descr><![CDATA[a &amp; &lt;b&gt;]]></descr>',
        '\t\t\t\t<z>1</z>',
        '\t\t\t\t<a>x\ny &amp;\nz</a>',
        '\t\t\t</known>',
        '\t\t\t<item>',
        '\t\t\t\t<n>1</n>',
        '\t\t\t</item>',
        '\t\t\t<item></item>',
        '\t\t</other>',
        '',
      ].join('\n'),
    );
    expect(await value('$toreturn = json_encode(config_get_path("installedpackages/other"));')).toEqual({
      known: { flag: '', empty: '', descr: 'a & <b>', z: '1', a: 'x\ny &z' },
      item: [{ n: '1' }],
    });
  });

  it('takes the oldest backup away when there are thirty', async () => {
    const folder = join(router.stateDirectory, 'conf/backup');
    const text = await router.control.fetchConfig();
    for (let time = 1_000; time < 1_040; time += 1) await writeFile(join(folder, `config-${time}.xml`), text);
    await value('write_config("one more"); $toreturn = json_encode(1);');
    const kept = (await readdir(folder)).filter((name) => name.endsWith('.xml'));
    expect(kept).toHaveLength(30);
    expect(kept).not.toContain('config-1000.xml');
    expect(kept).toContain('config-1039.xml');
  });
});

describe('a hand on the router', () => {
  const edit = (host: string) => ({
    kind: 'add' as const,
    path: ['unbound', 'hosts'],
    value: { host, domain: 'home.arpa', ip: '10.77.46.7', descr: 'by hand', aliases: '' },
  });

  it('loses what was written while its page was open; the backup of its save has it', async () => {
    const page = await router.control.openPage();
    await value(`${addHost('between')} $toreturn = json_encode(1);`);
    expect(await names()).toEqual(['owner', 'first', 'between']);
    const during = await router.control.fetchConfig();
    await nextSecond();
    await page.save({ edits: [edit('hand')] });
    expect(await names()).toEqual(['owner', 'first', 'hand']);
    const texts = (await router.control.fetchBackups()).map(({ text }) => text);
    expect(texts).toContain(during);
  });

  it('changes and removes', async () => {
    const page = await router.control.openPage();
    await page.save({
      edits: [
        { kind: 'set', path: ['unbound', 'hosts', 0, 'ip'], value: '10.77.46.6' },
        { kind: 'remove', path: ['unbound', 'hosts', 1] },
      ],
      apply: ['unbound'],
    });
    expect(await names()).toEqual(['owner', 'hand']);
    const { output } = await router.onLaptop('dig', '+short', '@10.77.46.1', 'owner.home.arpa');
    expect(output.trim()).toBe('10.77.46.6');
  });
});

it('a call that waits for another begins with a configuration from before it', async () => {
  const slow = router.php(`usleep(1500000); ${addHost('slow')} $toreturn = 1;`);
  await new Promise((resolve) => setTimeout(resolve, 700));
  const code = `global $config; $toreturn = json_encode([count($config['unbound']['hosts']), count(${hostNames})]);`;
  expect(await value(code)).toEqual([2, 3]);
  await slow;
});

describe('after', () => {
  it('a power cut the configuration and the services are there, and what was only live is not', async () => {
    const live =
      'mwexec("/usr/bin/su -m unbound -c \'/usr/local/sbin/unbound-control -c /var/unbound/unbound.conf local_data live.home.arpa. A 10.77.46.3\'"); $toreturn = 1;';
    await router.php(live);
    const ask = async (name: string): Promise<string> =>
      (await router.onLaptop('dig', '+short', '+tries=1', '+time=1', '@10.77.46.1', name)).output.trim();
    expect(await ask('live.home.arpa')).toBe('10.77.46.3');
    await router.control.addFault({ kind: 'power-cut' }).catch(() => undefined);
    await expect.poll(async () => await ask('owner.home.arpa'), { timeout: 20_000 }).toBe('10.77.46.6');
    expect(await ask('live.home.arpa')).toBe('');
    await expect
      .poll(async () => (await router.lab.fetchStatus())?.processes[0], { timeout: 20_000 })
      .toMatchObject({
        state: 'running',
        restarts: 1,
      });
    expect(await names()).toEqual(['owner', 'hand', 'slow']);
  });

  it('an old backup is restored, its hosts are there again', async () => {
    const time = (await router.control.fetchBackups()).find(({ text }) => text.includes('<host>between</host>'))?.time;
    await router.control.addFault({ kind: 'restore', seconds: 1, ...(time !== undefined && { time }) });
    expect(await names()).toEqual(['owner', 'first', 'between']);
    const { output } = await router.onLaptop('dig', '+short', '@10.77.46.1', 'between.home.arpa');
    expect(output.trim()).toBe('10.77.46.8');
  });

  it('its own reboot it answers again', async () => {
    await router.call('pfsense.reboot', []);
    await expect.poll(async () => (await router.control.fetchStatus()).state, { timeout: 5_000 }).toBe('rebooting');
    await expect
      .poll(async () => await router.php('$toreturn = "up";', { timeoutSeconds: 2 }), { timeout: 15_000 })
      .toEqual({
        kind: 'value',
        value: 'up',
      });
  });
});
