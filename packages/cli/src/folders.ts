// Where Labwright keeps things on the user's machine (XDG base directories).
import { createHash } from 'node:crypto';
import { homedir, userInfo } from 'node:os';
import { isAbsolute, join } from 'node:path';
import type { LabFile } from '@labwright/core/lab/read-lab';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Folders {
  /** Images and programs, made again when missing. */
  readonly cache: string;
  /** What each lab remembers. */
  readonly state: string;
}

export function getFolders(environment: Environment): Folders {
  const home = findHome();
  const base = (name: string, fallback: string): string => {
    const value = environment[name];
    // The specification has relative paths ignored.
    return join(value !== undefined && value.startsWith('/') ? value : join(home, fallback), 'labwright');
  };
  return { cache: base('XDG_CACHE_HOME', '.cache'), state: base('XDG_STATE_HOME', '.local/state') };
}

/** HOME as far as it is a path that means the same everywhere; otherwise what the system knows of this user. */
function findHome(): string {
  const stated = homedir();
  if (isAbsolute(stated)) return stated;
  try {
    return userInfo().homedir;
  } catch {
    return '/'; // A user the system does not know; what cannot be written there is told with its path.
  }
}

/** The state of the one rehearsal that can run in a directory. */
export function rehearsalFolder(folders: Folders, directory: string): string {
  return join(folders.state, 'rehearsals', shortDigest(directory));
}

/** The state of a lab on hardware, one for each lab file. */
export function labFolder(folders: Folders, labFile: string, lab: string): string {
  return join(folders.state, 'labs', `${lab}-${shortDigest(labFile)}`);
}

/** Where `serve` of a lab on hardware answers commands. */
export function hardwareSocket(folders: Folders, labFile: LabFile): string {
  return join(labFolder(folders, labFile.path, labFile.lab.lab), 'serve.sock');
}

function shortDigest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 10);
}
