// What a rehearsal needs of this computer: programs, rights, room on disk and in memory.
import { access, constants, readdir, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { asLabwrightError } from '@labwright/core/errors/error';
import { findMissingPrograms, imagePrograms, type HostProgram } from '@labwright/images/host-programs';
import type { Environment } from '../folders.ts';
import type { Program } from '../program.ts';
import { networkPrograms } from '../rehearsal/start.ts';
import type { Finding } from './doctor-report.ts';

const gibibyte = 1024 ** 3;
const neededGiB = { disk: 4, memory: 4 };
const rehearse = 'labwright rehearse';

export async function checkComputer(program: Program): Promise<readonly Finding[]> {
  const { cache, state } = program.folders;
  const [programs, stateFolder, cacheFolder, disk, kvm] = await Promise.all([
    checkPrograms(program.environment),
    checkFolder('state', state),
    checkFolder('cache', cache),
    checkDisk(cache),
    checkKvm(),
  ]);
  const root = checkRoot(process.getuid?.() === 0);
  const memory = checkMemory(process.availableMemory());
  return [programs, root, stateFolder, cacheFolder, disk, memory, kvm].filter((finding) => finding !== undefined);
}

async function checkPrograms(environment: Environment): Promise<Finding> {
  const needed = [...imagePrograms, ...networkPrograms];
  return judgePrograms(needed, await findMissingPrograms(needed, { environment }));
}

export function judgePrograms(needed: readonly HostProgram[], missing: readonly HostProgram[]): Finding {
  const names = (programs: readonly HostProgram[]): string => programs.map((each) => each.program).join(', ');
  if (missing.length === 0) return { verdict: 'fine', what: `programs: ${names(needed)}` };
  const packages = [...new Set(missing.map((each) => each.packageName))];
  return {
    verdict: 'blocks',
    what: `${names(missing)}: not installed`,
    why: 'as root on a Debian, Labwright installs them itself when it first needs them',
    blocks: rehearse,
    commands: [`sudo apt-get install -y --no-install-recommends ${packages.join(' ')}`],
  };
}

export function checkRoot(isRoot: boolean): Finding {
  if (isRoot) return { verdict: 'fine', what: 'root: may make network namespaces and listen on ports below 1024' };
  return {
    verdict: 'blocks',
    what: 'this user is not root',
    why: 'a rehearsal makes network namespaces; plan, status and config work without',
    blocks: `${rehearse}, labwright serve`,
    commands: ['sudo labwright rehearse'],
  };
}

const folderUses = {
  state: { variable: 'XDG_STATE_HOME', what: 'what labs remember', blocks: 'every command about a lab' },
  cache: { variable: 'XDG_CACHE_HOME', what: 'images and programs', blocks: `${rehearse}, labwright serve` },
} as const;

/** A folder can be used when it, or the nearest one above that exists, can be written to. */
async function checkFolder(kind: keyof typeof folderUses, path: string): Promise<Finding | undefined> {
  const { variable, what, blocks } = folderUses[kind];
  try {
    const folder = await findExisting(path);
    if (!(await stat(folder)).isDirectory()) await readdir(folder);
    await access(folder, constants.W_OK | constants.X_OK);
    return kind === 'state' ? { verdict: 'fine', what: `state: ${path}` } : undefined;
  } catch (thrown) {
    const { why, message } = asLabwrightError(thrown);
    return {
      verdict: 'blocks',
      what: `the folder for ${what} cannot be used: ${path}`,
      why: why ?? message,
      blocks,
      advice: ['make it a folder you may write to', `or set ${variable} to one`],
    };
  }
}

async function findExisting(path: string): Promise<string> {
  let folder = path;
  for (;;) {
    try {
      await stat(folder);
      return folder;
    } catch (error) {
      const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
      if (!isMissing || dirname(folder) === folder) throw error;
      folder = dirname(folder);
    }
  }
}

/** Nothing when there is no telling: the finding about the folder says why. */
async function checkDisk(cache: string): Promise<Finding | undefined> {
  try {
    const { bavail, bsize } = await statfs(await findExisting(cache));
    return judgeRoom('disk', bavail * bsize, cache);
  } catch {
    return undefined;
  }
}

function checkMemory(bytes: number): Finding {
  return judgeRoom('memory', bytes, 'this computer');
}

export function judgeRoom(kind: 'disk' | 'memory', bytes: number, place: string): Finding {
  const free = `${(bytes / gibibyte).toFixed(1)} GiB`;
  const needed = neededGiB[kind];
  const isEnough = bytes >= needed * gibibyte;
  if (kind === 'disk') {
    if (isEnough) return { verdict: 'fine', what: `disk: ${free} free for images in ${place}` };
    return {
      verdict: 'nice',
      what: `disk: only ${free} free for images in ${place}`,
      why: `the first rehearsal wants ${needed} GiB for programs, images and the disks of machines`,
      advice: [`free some space: df -h ${place}`, 'or set XDG_CACHE_HOME to a folder on a larger disk'],
    };
  }
  if (isEnough) return { verdict: 'fine', what: `memory: ${free} free` };
  return {
    verdict: 'nice',
    what: `memory: only ${free} free on ${place}`,
    why: `a rehearsal wants about ${needed} GiB: its machines run as real ones`,
    advice: ['end other programs: free -h', 'or rehearse with smaller pools'],
  };
}

async function checkKvm(): Promise<Finding> {
  const isUsable = await mayUse('/dev/kvm', constants.R_OK | constants.W_OK);
  return {
    verdict: 'note',
    what: `KVM is ${isUsable ? '' : 'not '}there; rehearsed machines are emulated in software either way`,
  };
}

async function mayUse(path: string, mode: number): Promise<boolean> {
  try {
    await access(path, mode);
    return true;
  } catch {
    return false;
  }
}
