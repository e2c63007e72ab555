// `router …`: how the router differs from what this lab wants of it, its configuration as a file, and entries handed over.
import { resolve } from 'node:path';
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import { LabwrightError } from '@labwright/core/errors/error';
import { writeNewFile } from '@labwright/core/lab/new-file';
import type { CommandInput } from '../command.ts';
import { withLab } from '../lab-session.ts';
import { exitCodes, type ExitCode, type Program } from '../program.ts';
import { formatAdoption, formatRouterDiff } from '../render/router.ts';

/** What the commands about the router need of a lab. */
export const routerAlone = { boot: false, needsProxmox: false } as const;

export async function routerDiff(program: Program, { flags }: CommandInput): Promise<ExitCode> {
  const needs = { ...routerAlone, check: assertNamed };
  const seen = await withLab(program, needs, ({ client }) => client.routerDiff(program.interrupt));
  const { terminal, options } = program;
  terminal.out(options.json ? `${JSON.stringify(seen, undefined, 2)}\n` : formatRouterDiff(seen, terminal.outStyle));
  return flags['exitCode'] === true && seen.differences.length > 0 ? exitCodes.changesPending : exitCodes.done;
}

/** Into a file that only its owner may read, and that is not there yet. Throws LW0002 for one that is. */
export async function routerBackup(program: Program, { words: [named] }: CommandInput): Promise<ExitCode> {
  const needs = { ...routerAlone, check: assertManaged };
  const seen = await withLab(program, needs, ({ client }) => client.routerBackup(program.interrupt));
  const { terminal, options, directory } = program;
  const file = resolve(directory, named ?? backupName(program, seen.router));
  await writeBackup(file, seen.text);
  const { router, version } = seen;
  if (options.json) terminal.out(`${JSON.stringify({ router, version, file }, undefined, 2)}\n`);
  else terminal.out(`${file}\n`);
  if (!options.json) terminal.err('  It holds keys and password hashes of the router: keep it to yourself.\n');
  return exitCodes.done;
}

/** "fw1-20261122T170000Z.xml" */
export function backupName({ clock }: Program, router: string): string {
  return `${router}-${new Date(clock.now()).toISOString().replaceAll(/[-:]|\.\d+/g, '')}.xml`;
}

/** Throws LW0002 for a file that is there already. */
export async function writeBackup(file: string, text: string): Promise<void> {
  if ((await writeNewFile(file, text)) === 'written') return;
  throw new LabwrightError('LW0002', {
    what: `${file} is there already`,
    why: 'a backup takes the place of no file',
    fix: ['labwright router backup NEWFILE'],
  });
}

/** Shows what it changes, and asks. */
export async function routerAdopt(program: Program, { words: [name = ''] }: CommandInput): Promise<ExitCode> {
  return await withLab(program, { ...routerAlone, check: assertManaged }, async ({ client }) => {
    const { terminal, options } = program;
    const seen = await client.routerAdopt({ name }, program.interrupt);
    if (!options.json) terminal.out(formatAdoption(seen, terminal.outStyle));
    if (!options.yes) {
      const answer = await terminal.ask(`Labwright changes and removes it from then on. Hand ${name} over? [y/N] `);
      if (answer === undefined) {
        throw new LabwrightError('LW0002', {
          what: 'nothing was changed',
          why: 'nobody is there to agree',
          fix: ['the same command with --yes, after a look'],
        });
      }
      if (!/^y(es)?$/i.test(answer.trim())) {
        throw new LabwrightError('LW0003', { what: 'nothing was changed', why: 'it was not agreed to' });
      }
    }
    const { hash: _, ...done } = await client.routerAdopt({ name, agreedTo: seen.hash }, program.interrupt);
    if (options.json) terminal.out(`${JSON.stringify(done, undefined, 2)}\n`);
    return exitCodes.done;
  });
}

/** Of one that is not managed any more there may be something left. */
function assertNamed(blueprint: Blueprint): void {
  if (blueprint.router === undefined) assertManaged(blueprint);
}

/** Throws LW1004 for a lab whose router Labwright does not manage. */
export function assertManaged({ router }: Blueprint): void {
  if (router !== undefined && router.manage.length > 0) return;
  throw new LabwrightError('LW1004', {
    what: 'Labwright manages no router of this lab',
    why: router === undefined ? 'its lab file has no section router' : 'router.manage is empty in its lab file',
    fix: ['router: { kind: pfsense, address: …, password: { env: PFSENSE_PASSWORD }, manage: [dns] }'],
  });
}
