// `rehearse break`: breaks something in the rehearsal, to see what happens and to practise.
import { request } from 'node:http';
import { resolveBlueprint } from '@labwright/core/blueprint/resolve-blueprint';
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import { LabwrightError } from '@labwright/core/errors/error';
import type { Lab } from '@labwright/core/lab/lab-schema';
import { makeLabClient } from '@labwright/daemon/api/client';
import type { CommandInput } from '../command.ts';
import { formatItems } from '../help.ts';
import { readLabFile } from '../lab-location.ts';
import { exitCodes, type ExitCode, type Program } from '../program.ts';
import { breakRouter, routerBreakages } from '../rehearsal/break-router.ts';
import { proxmoxControlSocket } from '../rehearsal/lab-in-rehearsal.ts';
import { serveSocket, type RunningRehearsal } from '../rehearsal/record.ts';
import { shapeLab } from '../rehearsal/rehearsed-lab.ts';
import { rehearsedRouter, routerControlSocket } from '../rehearsal/router-in-rehearsal.ts';
import { getRehearsal } from './rehearse.ts';

type Thing = 'host' | 'machine';

/** Stands for the router, of which there is one. */
const routerWord = 'router';

interface Breakage {
  readonly name: string;
  readonly thing: Thing;
  readonly summary: string;
  /** For the emulated host: of a machine, the one it runs on. */
  readonly fault: (vmId: number) => object;
}

const breakages: readonly Breakage[] = [
  {
    name: 'host-down',
    thing: 'host',
    summary: 'the host goes off with its machines',
    fault: () => ({ kind: 'host-down' }),
  },
  { name: 'host-up', thing: 'host', summary: 'the host comes back', fault: () => ({ kind: 'host-up' }) },
  {
    name: 'slow-tasks',
    thing: 'host',
    summary: 'every task takes 10 s more',
    fault: () => ({ kind: 'slow-tasks', seconds: 10 }),
  },
  {
    name: 'answer-596',
    thing: 'host',
    summary: 'the next five calls time out in the proxy',
    fault: () => ({ kind: 'answer', status: 596, path: '/nodes/', times: 5 }),
  },
  {
    name: 'power-cut',
    thing: 'machine',
    summary: 'the machine loses its power',
    fault: (vmId) => ({ kind: 'power-cut', vmId }),
  },
  {
    name: 'disk',
    thing: 'machine',
    summary: 'the disk of the machine fails: what was on it is gone, and it stops',
    fault: (vmId) => ({ kind: 'lose-disk', vmId }),
  },
  {
    name: 'lock',
    thing: 'machine',
    summary: 'a backup job left its lock on the machine',
    fault: (vmId) => ({ kind: 'lock-vm', vmId }),
  },
  { name: 'unlock', thing: 'machine', summary: 'the lock is gone', fault: (vmId) => ({ kind: 'unlock-vm', vmId }) },
];

export async function rehearseBreak(program: Program, { words }: CommandInput): Promise<ExitCode> {
  const [what, target] = words;
  const { terminal, options } = program;
  if (what === undefined) {
    const list = [
      ...breakages.map(({ name, thing, summary }) => ({ name, thing, summary })),
      ...routerBreakages.map(({ name, summary }) => ({ name, thing: routerWord, summary })),
    ];
    const rows = [
      ...breakages.map(({ name, thing, summary }) => [`${name} ${thing.toUpperCase()}`, summary] as const),
      ...routerBreakages.map(({ name, argument, summary }) => {
        const words = [routerWord, name, ...(argument === undefined ? [] : [argument])];
        return [words.join(' '), summary] as const;
      }),
    ];
    const text = formatItems(rows, terminal.outStyle.columns);
    terminal.out(options.json ? `${JSON.stringify(list, undefined, 2)}\n` : `${text}\n`);
    return exitCodes.done;
  }
  const rehearsal = await getRehearsal(program);
  const { lab } = await readLabFile(program, rehearsal.labFile);
  if (what === routerWord) return await breakTheRouter(program, rehearsal, lab, words.slice(1));
  const blueprint = resolveBlueprint(shapeLab(lab, rehearsal), { rehearsal: true });
  const breakage = breakages.find((each) => each.name === what);
  if (breakage === undefined) throw usage(`"${what}" is nothing that can be broken`);
  const { host, vmId } = await findTarget(program, rehearsal, blueprint, breakage, target ?? '');
  await sendFault(proxmoxControlSocket(rehearsal.stateDirectory, host), breakage.fault(vmId));
  if (options.json) terminal.out(`${JSON.stringify({ broken: what, target, host }, undefined, 2)}\n`);
  else terminal.err(`${target ?? ''}: ${breakage.summary}\n`);
  return exitCodes.done;
}

async function breakTheRouter(
  { terminal, options, clock }: Program,
  { stateDirectory }: RunningRehearsal,
  lab: Lab,
  words: readonly string[],
): Promise<ExitCode> {
  const router = rehearsedRouter(lab);
  if (router === undefined) throw usage('this rehearsal has no router, as nothing of it is managed (router.manage)');
  const { domain } = lab;
  const { name, summary } = await breakRouter(routerControlSocket(stateDirectory), words, { domain, now: clock.now() });
  if (options.json) terminal.out(`${JSON.stringify({ broken: name, target: router.name }, undefined, 2)}\n`);
  else terminal.err(`${router.name}: ${summary}\n`);
  return exitCodes.done;
}

async function findTarget(
  program: Program,
  rehearsal: RunningRehearsal,
  blueprint: Blueprint,
  breakage: Breakage,
  target: string,
): Promise<{ host: string; vmId: number }> {
  const names = breakage.thing === 'host' ? blueprint.hosts : blueprint.machines;
  if (!names.some((each) => each.name === target)) {
    throw usage(`name a ${breakage.thing}: ${names.map((each) => each.name).join(', ')}`);
  }
  if (breakage.thing === 'host') return { host: target, vmId: 0 };
  const { machines } = await makeLabClient(serveSocket(rehearsal.stateDirectory)).status(program.interrupt);
  const machine = machines.find((each) => each.name === target);
  if (machine?.host === undefined || machine.host === null) throw usage(`${target} does not exist yet`);
  return { host: machine.host, vmId: machine.vmId };
}

async function sendFault(socketPath: string, fault: object): Promise<void> {
  const { status, text } = await new Promise<{ status: number; text: string }>((resolve, reject) => {
    const outgoing = request({ socketPath, method: 'POST', path: '/faults', agent: false }, (answer) => {
      let body = '';
      answer.setEncoding('utf8');
      answer.on('data', (part: string) => (body += part));
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text: body }));
      answer.on('error', reject);
    });
    outgoing.on('error', reject);
    outgoing.end(JSON.stringify(fault));
  });
  if (status !== 200) throw usage(`the emulated host refused: ${text}`);
}

const usage = (what: string): LabwrightError =>
  new LabwrightError('LW0002', { what, fix: ['labwright rehearse break   lists what can be broken'] });
