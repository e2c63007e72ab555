// The router's commands as a person uses them, in a rehearsal of the machines: the emulators held against their own record, a
// backup, what somebody did by hand since, and the backup restored. Five minutes:
//   npm run acceptance router
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makeAcceptanceReport } from './acceptance-report.ts';
import { RealLab, until } from './real-lab.ts';

const minutes = 60_000;
const example = await readFile(join(import.meta.dirname, '../../../../examples/home/lab.yaml'), 'utf8');
await using lab = await RealLab.make(example);
const report = makeAcceptanceReport('router');
const folder = dirname(lab.labFile);

/** As the router itself answers, past every cache; an empty text when the name is nobody's. */
const lookUp = async (name: string): Promise<string> => {
  const ask = `
const resolver = new (require('node:dns').promises.Resolver)({ timeout: 1000, tries: 2 });
resolver.setServers([process.argv[1]]);
resolver.resolve4(process.argv[2]).then(([address]) => console.log('is ' + address), (error) => console.log(error.code));`;
  const { router } = lab.blueprint;
  if (router === undefined) throw new Error('the example has no router');
  const words = [process.execPath, '-e', ask, router.address, `${name}.home.arpa`];
  const said = (await lab.expectOutput('rehearse', 'exec', '--', ...words)).trim();
  if (said === 'ENOTFOUND' || said === 'ENODATA') return '';
  return said.replace(/^is /, '');
};
const untilAnswers = async (name: string, address: string): Promise<void> => {
  await until(`${name} is ${address === '' ? 'nobody' : address}`, minutes, async () =>
    (await lookUp(name)) === address ? true : undefined,
  );
};

await lab.expect('rehearse', '--only', 'machines', '--detach');
const node102 = lab.machine('node102').address;

await report.check('`conformance` finds the emulated Proxmox and pfSense as they were recorded', async () => {
  const { exitCode, output } = await lab.labwright('conformance', '--vm-id', '990');
  console.log(`       ${output.trim().split('\n').at(-1) ?? ''}`);
  const isWhole = exitCode === 0 && !output.includes('not run: ');
  return isWhole ? [] : [`it ended with ${exitCode}:`, ...output.split('\n')];
});

await report.check('`router diff` and `plan` are empty after it', async () => {
  const diff = await lab.labwright('router', 'diff', '--exit-code');
  const plan = await lab.listPlannedSteps();
  return [...(diff.exitCode === 0 ? [] : diff.output.split('\n')), ...plan];
});

await report.check(
  '`router backup` and `router restore`: what was done by hand since is gone, what is ours answers',
  async () => {
    const wrongs: string[] = [];
    await lab.expect('router', 'backup', 'before.xml');
    const page = await lab.router().openPage();
    const value = { host: 'attic', domain: 'home.arpa', ip: '10.1.3.77', descr: 'by hand' };
    await page.save({ edits: [{ kind: 'add', path: ['unbound', 'hosts'], value }], apply: ['unbound'] });
    await untilAnswers('attic', '10.1.3.77');
    await untilAnswers('node102', node102);

    // Without anybody to agree, nothing happens.
    const asked = await lab.labwright('router', 'restore', 'before.xml');
    if (asked.exitCode === 0) wrongs.push('it restored without being told to');
    if (!asked.output.includes('unbound')) wrongs.push(`it names nothing that would be lost: ${asked.output}`);
    if ((await lookUp('attic')) === '') wrongs.push('what was done by hand is gone without a restore');

    await lab.expect('router', 'restore', 'before.xml', '--yes');
    await untilAnswers('attic', '');
    await untilAnswers('node102', node102);
    const kept = (await readdir(folder)).filter((name) => /^fw1-.*\.xml$/.test(name));
    if (kept.length !== 1) wrongs.push(`what was there before is kept in ${kept.length} files`);
    for (const name of kept) {
      if (!(await readFile(join(folder, name), 'utf8')).includes('attic'))
        wrongs.push(`${name} is not what was there before`);
    }
    return [...wrongs, ...(await lab.listPlannedSteps())];
  },
);

await report.check('the machines are as they were', async () => await lab.findWrongs());
report.close();
