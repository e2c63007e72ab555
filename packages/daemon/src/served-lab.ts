// The lab that a service holds, opened anew when its lab file was edited: a command is answered by the file that it has read.
//
//   open ──a command has read another file──▶ read again, its hosts asked ──▶ nobody at it ──▶ closed ──▶ open by the new file
//     ▲               │                            │ cannot be                                  │ cannot be opened
//     │               ╰─ a run is under way        │                                            │
//     ╰───────────────────┴── refused ─────────────┴──────────── open again by the former file ─╯
import { LabwrightError } from '@labwright/core/errors/error';
import type { OpenLab } from './open-lab.ts';
import type { ServeOptions } from './serve-options.ts';

export interface LabRequest {
  /** Of the lab file that whoever asks has read; undefined for one that has read none. */
  readonly digest: string | undefined;
  /** 'look': while the lab cannot be opened anew, as it was is good enough. 'act': by that file or not at all. */
  readonly purpose: 'look' | 'act';
}

export interface ServedLab {
  /** Throws LW5003 while a run goes by the former file, LW5004 when the file is another one again, and what reading it throws. */
  use<Result>(request: LabRequest, work: (lab: OpenLab) => Promise<Result>): Promise<Result>;
  close(): Promise<void>;
}

export async function openServedLab(
  options: ServeOptions,
  open: (options: ServeOptions) => Promise<OpenLab>,
): Promise<ServedLab> {
  let held = { options, lab: await open(options) };
  /** Why there is none: it could be opened by neither file. Whoever comes next has it tried again. */
  let lost: unknown;
  let changing: Promise<void> | undefined;
  const users = new Set<Promise<unknown>>();

  const reopen = async (next: ServeOptions): Promise<void> => {
    const { log } = held.options;
    await Promise.allSettled(users);
    await held.lab.close();
    try {
      held = { options: next, lab: await open(next) };
      lost = undefined;
      log.info('the lab file was edited; the lab is served by it', { lab: next.blueprint.lab });
    } catch (error) {
      lost = error;
      // Whoever edited the file is told; machines go on being served by the former one.
      held = { ...held, lab: await open(held.options) };
      lost = undefined;
      throw error;
    }
  };

  const change = async (digest: string | undefined): Promise<void> => {
    const { options: former, lab } = held;
    if (former.reread === undefined) throw heldByCommand();
    refuseDuringRun(lab);
    const next = await former.reread();
    if (digest !== undefined && next.labDigest !== digest) throw readOtherwise();
    if (lost === undefined) await lab.probe(next);
    refuseDuringRun(lab);
    await reopen(next);
  };

  /** One at a time; whoever comes meanwhile waits and looks again. */
  const settle = async ({ digest, purpose }: LabRequest): Promise<void> => {
    for (;;) {
      const others = changing;
      if (others === undefined) break;
      await others.catch(() => undefined); // Whoever began it is told.
    }
    const { labDigest } = held.options;
    if (lost === undefined && (digest === undefined || labDigest === undefined || digest === labDigest)) return;
    const own = change(digest);
    changing = own.finally(() => (changing = undefined));
    try {
      await changing;
    } catch (error) {
      if (purpose === 'act' || lost !== undefined) throw error;
    }
  };

  return {
    use: async (request, work) => {
      await settle(request);
      const using = work(held.lab);
      users.add(using);
      try {
        return await using;
      } finally {
        users.delete(using);
      }
    },
    close: async () => {
      await changing?.catch(() => undefined);
      await held.lab.close();
    },
  };
}

function refuseDuringRun({ service }: OpenLab): void {
  const run = service.runUnderWay();
  if (run === undefined) return;
  throw new LabwrightError('LW5003', {
    what: `run ${run} is under way, by the lab file as it was before it was edited`,
    fix: ['wait for it to end, or interrupt it where it was started'],
  });
}

/** Another command's Labwright: it lasts as long as that command, and goes by what that one has read. */
function heldByCommand(): LabwrightError {
  return new LabwrightError('LW5003', {
    what: 'another command works on this lab, by the lab file as it was before it was edited',
    fix: ['wait for it to end'],
  });
}

function readOtherwise(): LabwrightError {
  return new LabwrightError('LW5004', {
    what: 'the Labwright that serves this lab reads its lab file otherwise than this command',
    why: 'the file was edited in this moment, or the service runs another version of Labwright',
    fix: ['run the command again', 'after an update of Labwright: start labwright serve again'],
  });
}
