// What a rehearsal needs of this computer: programs, rights, room on disk and in memory.
import { access, constants, stat, statfs } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { imagePrograms, type HostProgram } from '@labwright/images/host-programs';
import type { Environment } from '../folders.ts';
import type { Program } from '../program.ts';
import { networkPrograms } from '../rehearsal/start.ts';
import type { Finding } from './doctor-report.ts';

const gibibyte = 1024 ** 3;
const neededGiB = { disk: 4, memory: 4 };
const rehearse = 'labwright rehearse';

export async function checkComputer(program: Program): Promise<readonly Finding[]> {
  const [programs, disk, kvm] = await Promise.all([
    checkPrograms(program.environment),
    checkDisk(program.folders.cache),
    checkKvm(),
  ]);
  return [programs, checkRoot(process.getuid?.() === 0), disk, checkMemory(process.availableMemory()), kvm];
}

async function checkPrograms(environment: Environment): Promise<Finding> {
  const needed = [...imagePrograms, ...networkPrograms];
  const isThere = await Promise.all(needed.map((each) => isInstalled(each, environment)));
  return judgePrograms(
    needed,
    needed.filter((_, at) => isThere[at] !== true),
  );
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

async function isInstalled({ program }: HostProgram, environment: Environment): Promise<boolean> {
  // sbin is not in every user's path, and is where some of these live.
  const folders = [...(environment['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'].filter((each) => each !== '');
  const found = await Promise.all(folders.map((folder) => mayUse(join(folder, program), constants.X_OK)));
  return found.includes(true);
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

async function checkDisk(cache: string): Promise<Finding> {
  let folder = cache;
  while (!(await exists(folder)) && dirname(folder) !== folder) folder = dirname(folder);
  const { bavail, bsize } = await statfs(folder);
  return judgeRoom('disk', bavail * bsize, cache);
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

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch {
    return false;
  }
}
