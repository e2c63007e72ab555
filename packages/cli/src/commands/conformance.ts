// `conformance`: whether the real Proxmox and pfSense answer as the emulated ones of a rehearsal do.
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { LabwrightError } from '@labwright/core/errors/error';
import { Secret } from '@labwright/core/ports/secret';
import { type Check, type CheckReport, runChecks } from '@labwright/drivers/conformance/check';
import { readEmulatedAnswers } from '@labwright/drivers/conformance/emulated-answers';
import { pfsenseChecks } from '@labwright/drivers/conformance/pfsense-checks';
import { proxmoxChecks, removeOwnVm } from '@labwright/drivers/conformance/proxmox-checks';
import { enterLaptop } from '@labwright/rehearsal/keeper/laptop';
import type { CommandInput } from '../command.ts';
import { type KnownCertificates, readKnownCertificates } from '../conformance/known-certificates.ts';
import { formatCheck, formatSummary, summarise } from '../conformance/report.ts';
import { type LabAccess, openPfsense, openProxmox } from '../conformance/subjects.ts';
import { openExistingStore, storeFile } from '../doctor/trust.ts';
import { readCaPolicy, readCredentials, readLabSecret } from '../hardware.ts';
import { locateLab, locateLabFile, readLabFile } from '../lab-location.ts';
import { exitCodes, type ExitCode, type Program } from '../program.ts';
import { rehearsalFiles, rehearsalTokenId } from '../rehearsal/lab-in-rehearsal.ts';
import type { RunningRehearsal } from '../rehearsal/record.ts';
import { readRehearsedSecret } from '../rehearsal/rehearsed-secret.ts';

export async function conformance(program: Program, { flags }: CommandInput): Promise<ExitCode> {
  const { rehearsal, vmId, storage } = flags;
  const choice = { vmId: textOf(vmId), storage: textOf(storage) };
  if (typeof rehearsal === 'string') return await check(program, await accessInRehearsal(program, rehearsal), choice);
  const location = await locateLab(program);
  if (location.kind === 'rehearsal') return await checkInside(program, location.rehearsal, choice);
  if (!program.options.real) {
    throw new LabwrightError('LW0002', {
      what: 'no rehearsal runs in this directory, and hardware is asked only with --real',
      fix: ['labwright --real conformance   asks before each write', 'labwright rehearse --detach'],
    });
  }
  return await check(program, await accessOnHardware(program), choice);
}

const textOf = (flag: unknown): string | undefined => (typeof flag === 'string' ? flag : undefined);

type Choice = Parameters<typeof openProxmox>[2];

async function check(program: Program, access: LabAccess, choice: Choice): Promise<ExitCode> {
  const { terminal, options, interrupt, signal } = program;
  const emulated = await readEmulatedAnswers();
  const onReport = (report: CheckReport): void => {
    if (!options.json) terminal.out(formatCheck(report, terminal.outStyle));
  };
  const consent = async (one: Pick<Check<never>, 'name' | 'appliance' | 'does'>): Promise<boolean> => {
    // The emulators are there to be written to.
    if (options.yes || access.expect === 'rehearsal') return true;
    const answer = await terminal.ask(`${one.appliance} ${one.name}: ${one.does ?? ''}. Do it? [y/N] `);
    return /^y(es)?$/i.test(answer?.trim() ?? '');
  };
  const reports: CheckReport[] = [];
  const proxmox = await openProxmox(program, access, choice);
  try {
    const run = { context: proxmox, emulated, consent, onReport, signal: interrupt };
    reports.push(...(await runChecks(proxmoxChecks, run)));
  } finally {
    // Also after Ctrl-C: it is ours, and nobody would know it again.
    if (await removeOwnVm(proxmox, signal)) terminal.err('the VM of the checks was removed\n');
    await proxmox.connection.close();
  }
  const pfsense = openPfsense(access);
  if (pfsense === undefined) {
    terminal.err('the lab file names no router with a password; pfSense is left out\n');
  } else {
    try {
      const run = { context: pfsense, emulated, consent, onReport, signal: interrupt };
      reports.push(...(await runChecks(pfsenseChecks, run)));
    } finally {
      await pfsense.connection.close();
    }
  }
  const summary = summarise(reports);
  if (options.json) terminal.out(`${JSON.stringify({ ...summary, checks: reports }, undefined, 2)}\n`);
  else terminal.out(formatSummary(summary));
  return summary.differs > 0 ? exitCodes.failed : exitCodes.done;
}

async function accessOnHardware(program: Program): Promise<LabAccess> {
  const labFile = await readLabFile(program, await locateLabFile(program));
  const { proxmox, router } = labFile.lab;
  const { interrupt } = program;
  const password = router?.password;
  const known = await readKnown(program, labFile);
  return {
    labFile,
    credentials: await readCredentials(program, labFile),
    tls:
      proxmox.tls === 'pinned'
        ? { kind: 'pinned', fingerprints: known.hosts }
        : await readCaPolicy(labFile.directory, proxmox.tls.ca),
    routerPassword:
      password === undefined
        ? undefined
        : await readLabSecret(program, labFile, password, 'router.password', interrupt),
    routerPins: known.router,
    expect: 'hardware',
  };
}

async function readKnown(program: Program, labFile: LabAccess['labFile']): Promise<KnownCertificates> {
  const { hosts, router } = labFile.lab;
  const store = await openExistingStore(storeFile(program, labFile));
  try {
    const names = { hosts: Object.keys(hosts), ...(router === undefined ? {} : { router: router.name }) };
    return await readKnownCertificates(store, names);
  } finally {
    store?.close();
  }
}

/** Inside the namespaces of a rehearsal, where its hosts are reached. */
async function accessInRehearsal(program: Program, state: string): Promise<LabAccess> {
  const labFile = await readLabFile(program, await locateLabFile(program));
  const password = labFile.lab.router?.password;
  const secret = new Secret((await readFile(rehearsalFiles(state).proxmoxSecret, 'utf8')).trim());
  // Its emulators make themselves new certificates; those of the other world are refused all the same.
  const anyOfRehearsal = { get: () => Promise.resolve(undefined), set: () => Promise.resolve() };
  return {
    labFile,
    credentials: { kind: 'token', id: rehearsalTokenId, secret },
    tls: { kind: 'pinned', fingerprints: anyOfRehearsal },
    routerPassword: password === undefined ? undefined : await readRehearsedSecret(state, password),
    routerPins: anyOfRehearsal,
    expect: 'rehearsal',
  };
}

/** The same command once more, as a laptop on the rehearsed network. */
async function checkInside(program: Program, rehearsal: RunningRehearsal, choice: Choice): Promise<ExitCode> {
  const main = new URL('../main.ts', import.meta.url).pathname;
  const flags = [
    ...['--lab', rehearsal.labFile],
    ...(program.options.json ? ['--json'] : []),
    ...['conformance', '--rehearsal', rehearsal.stateDirectory],
    ...(choice.vmId === undefined ? [] : ['--vm-id', choice.vmId]),
    ...(choice.storage === undefined ? [] : ['--storage', choice.storage]),
  ];
  const command = [process.execPath, '--disable-warning=ExperimentalWarning', main, ...flags];
  const inside = enterLaptop(rehearsal.init, rehearsal.stateDirectory, program.directory, command);
  const child = spawn('nsenter', inside, { stdio: 'inherit', env: program.environment });
  const code = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exitCode) => resolve(exitCode ?? exitCodes.interrupted));
  });
  return code as ExitCode;
}
