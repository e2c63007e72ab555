// `doctor`: what is missing or in the way, each with the command that fixes it. It changes nothing, but for --trust.
import { resolveBlueprint } from '@labwright/core/blueprint/resolve-blueprint';
import { asLabwrightError, LabwrightError } from '@labwright/core/errors/error';
import type { LabFile } from '@labwright/core/lab/read-lab';
import { silentLog } from '@labwright/core/ports/log';
import { makeLabClient } from '@labwright/daemon/api/client';
import { isServed } from '@labwright/daemon/api/socket';
import { routerPins } from '@labwright/daemon/router/router-pins';
import type { Store } from '@labwright/daemon/store/store';
import type { TlsPolicy } from '@labwright/drivers/proxmox/tls-pin';
import type { CommandInput } from '../command.ts';
import { checkBootPorts } from '../doctor/boot-ports.ts';
import { findingOf, formatReport, type Finding } from '../doctor/doctor-report.ts';
import { describeHandmadeDhcp } from '../doctor/handmade-dhcp.ts';
import { checkProxmox, explainLogin } from '../doctor/proxmox-check.ts';
import { checkRouter } from '../doctor/router-check.ts';
import { checkComputer } from '../doctor/this-computer.ts';
import { openExistingStore, storeFile, trustHost, trustRouter } from '../doctor/trust.ts';
import { hardwareSocket } from '../folders.ts';
import { readCaPolicy, readCredentials, readRouterLogin } from '../hardware.ts';
import { type LabLocation, locateLab, readLabFile } from '../lab-location.ts';
import { exitCodes, type ExitCode, type Program } from '../program.ts';
import { serveSocket, type RunningRehearsal } from '../rehearsal/record.ts';

export async function doctor(program: Program, { flags }: CommandInput): Promise<ExitCode> {
  const { trust } = flags;
  if (typeof trust === 'string') return await trustOnHardware(program, trust);
  const findings = [...(await checkComputer(program)), ...(await checkLab(program))];
  const blocks = findings.filter((finding) => finding.verdict === 'blocks').length;
  const { terminal, options } = program;
  if (options.json) terminal.out(`${JSON.stringify({ blocks, findings }, undefined, 2)}\n`);
  else terminal.out(formatReport(findings, terminal.outStyle));
  return blocks > 0 ? exitCodes.failed : exitCodes.done;
}

async function trustOnHardware(program: Program, host: string): Promise<ExitCode> {
  const location = await locateLab(program);
  if (location.kind === 'rehearsal') {
    throw new LabwrightError('LW0002', {
      what: 'a rehearsal makes its certificates itself; there is none to trust',
      fix: [`labwright --real doctor --trust ${host}   for the hardware`],
    });
  }
  const labFile = await readLabFile(program, location.labFile);
  const { hosts, router } = resolveBlueprint(labFile.lab, { rehearsal: false });
  if (router !== undefined && router.name === host) return await trustRouter(program, labFile, router);
  return await trustHost(program, labFile, hosts, host);
}

async function checkLab(program: Program): Promise<readonly Finding[]> {
  let location: LabLocation;
  try {
    location = await locateLab(program);
  } catch (thrown) {
    const error = asLabwrightError(thrown);
    if (error.code !== 'LW1001') return [findingOf(error, 'every command about a lab')];
    return [{ verdict: 'note', what: 'no lab file here; labwright rehearse brings up the example that comes with it' }];
  }
  let labFile: LabFile;
  try {
    labFile = await readLabFile(program, location.labFile);
  } catch (thrown) {
    return [judgeBrokenLab(program, asLabwrightError(thrown))];
  }
  const own = judgeLabFile(program, labFile);
  if (location.kind === 'rehearsal') return [own, ...(await checkRehearsal(program, location.rehearsal))];
  return [own, ...(await checkHardware(program, labFile))];
}

function judgeBrokenLab(program: Program, error: LabwrightError): Finding {
  const blocks = 'every command about a lab';
  if (error.code !== 'LW1002') return findingOf(error, blocks);
  return {
    verdict: 'blocks',
    what: error.message.replace(/; nothing was changed$/, ''),
    ...(error.why === undefined ? {} : { why: `${error.where['file'] ?? ''}: ${error.why}` }),
    blocks,
    commands: [`${commandPrefix(program)} config check`],
  };
}

/** So that what is advised means the same lab file. */
function commandPrefix({ options }: Program): string {
  return options.lab === undefined ? 'labwright' : `labwright --lab ${quoteForShell(options.lab)}`;
}

function quoteForShell(text: string): string {
  return /^[\w@%+=:,./~-]+$/.test(text) ? text : `'${text.replaceAll("'", `'"'"'`)}'`;
}

function judgeLabFile(program: Program, { path, diagnostics }: LabFile): Finding {
  if (diagnostics.length === 0) return { verdict: 'fine', what: `lab file: ${path}` };
  const what =
    diagnostics.length === 1 ? 'the lab file has a warning' : `the lab file has ${diagnostics.length} warnings`;
  return {
    verdict: 'nice',
    what,
    why: diagnostics[0]?.message ?? '',
    commands: [`${commandPrefix(program)} config check`],
  };
}

/** The emulated hosts stand in namespaces of their own; the Labwright in there can be asked. */
async function checkRehearsal(program: Program, rehearsal: RunningRehearsal): Promise<readonly Finding[]> {
  try {
    const { hosts } = await makeLabClient(serveSocket(rehearsal.stateDirectory)).status(program.interrupt);
    return hosts.map(({ name, online, version }) =>
      online
        ? { verdict: 'fine', what: `rehearsed host ${name} answers: Proxmox VE ${version}` }
        : { verdict: 'note', what: `rehearsed host ${name} is down: labwright rehearse break host-up ${name}` },
    );
  } catch (thrown) {
    program.interrupt.throwIfAborted();
    return [findingOf(asLabwrightError(thrown), 'commands about the rehearsal')];
  }
}

async function checkHardware(program: Program, labFile: LabFile): Promise<readonly Finding[]> {
  const blueprint = resolveBlueprint(labFile.lab, { rehearsal: false });
  const isOurs = await isServed(hardwareSocket(program.folders, labFile));
  const ports = [
    ...(await checkBootPorts(blueprint, labFile.lab.serve, isOurs)),
    ...describeHandmadeDhcp(labFile.lab, blueprint),
  ];
  const store = await openExistingStore(storeFile(program, labFile));
  try {
    const credentials = await readCredentials(program, labFile);
    const { tls } = labFile.lab.proxmox;
    const policy: TlsPolicy =
      tls === 'pinned'
        ? {
            kind: 'pinned',
            // Only looked at: what is trusted on first contact is for a command that does something to say.
            fingerprints: { get: async (host) => await store?.pins.get(host), set: async () => undefined },
          }
        : await readCaPolicy(labFile.directory, tls.ca);
    const secret: Finding = { verdict: 'fine', what: 'secrets: the login for Proxmox can be read' };
    const proxmox = await checkProxmox(program, blueprint, { credentials, tls: policy });
    return [...ports, secret, ...proxmox, ...(await checkOwnRouter(program, labFile, store))];
  } catch (thrown) {
    program.interrupt.throwIfAborted();
    const error = asLabwrightError(thrown);
    return [
      ...ports,
      error.code === 'LW1003' ? explainLogin(blueprint, error) : findingOf(error, 'labwright plan, labwright up'),
    ];
  } finally {
    store?.close();
  }
}

async function checkOwnRouter(
  program: Program,
  labFile: LabFile,
  store: Pick<Store, 'pins'> | undefined,
): Promise<readonly Finding[]> {
  const blueprint = resolveBlueprint(labFile.lab, { rehearsal: false });
  const { router } = blueprint;
  if (router === undefined || router.manage.length === 0) return [];
  try {
    const { routerLogin } = await readRouterLogin(program, labFile, silentLog);
    if (routerLogin === undefined) return [];
    // As with Proxmox: looked at, and not trusted for the first time.
    const known = { get: async (name: string) => await store?.pins.get(name), set: async () => undefined };
    const access = { login: routerLogin, pins: routerPins({ pins: known }) };
    return await checkRouter(program, { ...blueprint, router }, access);
  } catch (thrown) {
    program.interrupt.throwIfAborted();
    return [findingOf(asLabwrightError(thrown), 'what router.manage of the lab file names')];
  }
}
