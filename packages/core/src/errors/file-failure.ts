// What the operating system says about a file, in the user's words.
import type { ErrorDetails } from './error.ts';

/** Reasons by errno(3) name; what is not here is a mistake of the program and not of the computer. */
const reasons: Readonly<Record<string, { readonly why: string; readonly fix: (path: string) => string }>> = {
  EACCES: { why: 'permission denied', fix: (path) => `look who may use it: ls -ld ${path}` },
  EPERM: { why: 'the system does not allow it', fix: (path) => `look who may use it: ls -ld ${path}` },
  EROFS: { why: 'it is on a file system that is read-only', fix: () => 'use a folder on another one' },
  ENOENT: { why: 'there is no such file or folder', fix: (path) => `look what is there: ls -ld ${path}` },
  ENOTDIR: { why: 'a part of the path is a file, not a folder', fix: () => 'move that file away' },
  EISDIR: { why: 'it is a folder, not a file', fix: () => 'move it away' },
  ELOOP: { why: 'its links lead in a circle', fix: (path) => `look at them: namei -l ${path}` },
  ENAMETOOLONG: { why: 'the path is too long', fix: () => 'use a folder with a shorter path' },
  ENOSPC: { why: 'no space is left', fix: (path) => `free some space: df -h ${path}` },
  EDQUOT: { why: 'your quota is used up', fix: () => 'free some space' },
  EFBIG: { why: 'a file would become too large', fix: () => 'use another file system' },
  EIO: { why: 'the disk reports an error', fix: () => 'look at what the kernel says: dmesg' },
  EMFILE: { why: 'too many files are open', fix: () => 'raise the limit: ulimit -n' },
  ENFILE: { why: 'too many files are open on this computer', fix: () => 'end other programs' },
};

/** Undefined for anything that is not a failure with a file of this computer. */
export function describeFileFailure(thrown: unknown): ErrorDetails | undefined {
  if (!(thrown instanceof Error) || !('code' in thrown) || !('syscall' in thrown)) return undefined;
  const { code, syscall } = thrown;
  const reason = typeof code === 'string' && Object.hasOwn(reasons, code) ? reasons[code] : undefined;
  // Programs are started and sockets connected by path as well; those are not files that could not be read.
  if (reason === undefined || typeof syscall !== 'string' || /^(spawn|connect)/.test(syscall)) return undefined;
  const path = 'path' in thrown && typeof thrown.path === 'string' ? thrown.path : undefined;
  return {
    what: path === undefined ? 'a file could not be read or written' : `${path} could not be read or written`,
    where: { call: syscall },
    why: reason.why,
    fix: path === undefined ? [] : [reason.fix(path)],
    cause: thrown,
  };
}
