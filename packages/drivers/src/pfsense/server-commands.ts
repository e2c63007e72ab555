// Tells the running HAProxy at once that a server comes, drains or goes; the configuration follows by itself.
import { LabwrightError } from '@labwright/core/errors/error';
import type { Owner } from './config/mark.ts';
import type { PfsenseConnection } from './connection.ts';
import { writtenName } from './entries/balancer-entry.ts';
import { balancerAnswer } from './snippet.ts';
import { type Writer, formatOwner } from './write-request.ts';

export interface ServerCommand {
  /** As in BackEnd.name and BackEndServer.name. */
  readonly backEnd: string;
  readonly server: string;
  /** 'healthy': counts as answering until a check says otherwise. */
  readonly state: 'ready' | 'drain' | 'maint' | 'healthy';
}

export function formatServerCommand({ backEnd, server, state }: ServerCommand): string {
  return `set server ${writtenName(backEnd)}/${server} ${state === 'healthy' ? 'health up' : `state ${state}`}`;
}

/**
 * What HAProxy said to each command; empty texts where it obeyed. It forgets them at its next reload. Throws LW8004 when
 * its socket does not answer, LW8007 when another process writes for the owner.
 */
export async function setServers(
  connection: PfsenseConnection,
  owner: Owner,
  commands: readonly ServerCommand[],
  signal: AbortSignal,
  writer?: Writer,
): Promise<readonly string[]> {
  const request = {
    owner: formatOwner(owner),
    action: 'servers',
    commands: commands.map(formatServerCommand),
    ...(writer === undefined ? {} : { writer }),
  };
  const answer = await connection.execute('balancer', request, balancerAnswer, signal);
  if (answer.kind === 'done') return answer.output;
  const isHeld = answer.kind === 'held';
  throw new LabwrightError(isHeld ? 'LW8007' : 'LW8004', {
    what: `HAProxy on the router ${connection.router.name} was not told of ${commands.length} servers`,
    where: { router: connection.router.name },
    why: isHeld ? `${answer.holder} writes for the same owner` : answer.message,
    fix: ['see Services > HAProxy on the router: is it switched on?'],
  });
}
