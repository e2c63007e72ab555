// The true question about an export: can a machine of the lab mount it and write there? Asked on a machine, over SSH.
import { runOverSsh, type SshTarget } from '../ssh/run.ts';

export type MountAnswer =
  | { readonly kind: 'writable' }
  | {
      readonly kind: 'unreachable' | 'denied' | 'not-exported' | 'no-version-4' | 'read-only' | 'no-write' | 'other';
      readonly words: string;
    };

// Soft, so that a NAS that is gone ends the probe and does not hang the machine. The mount is in a name space of its own: whatever
// happens to the script, nothing of it stays.
const script = `
set -u
folder=$(mktemp -d /run/labwright-probe-XXXXXX)
trap 'rmdir "$folder"' EXIT
unshare --mount --propagation private sh -c '
  mount -t nfs -o nfsvers=4.1,soft,timeo=30,retrans=1,retry=0,nosuid,noexec "$1" "$2" || exit 10
  file=$(mktemp "$2/.labwright-probe-XXXXXX") || exit 11
  echo probe >"$file" && sync "$file" && grep -q probe "$file" || { rm -f "$file"; exit 11; }
  rm -f "$file" || exit 11
  umount "$2"
' sh "$1" "$folder"
`;
const mountFailed = 10;
const writeFailed = 11;

/** Writes a file of a few bytes into the export and removes it. Throws LW3003 and LW3004 of SSH. */
export async function probeMount(target: SshTarget, nas: string, path: string): Promise<MountAnswer> {
  const run = target.user === 'root' ? [] : ['sudo', '-n'];
  const { exitCode, stderr } = await runOverSsh(target, [...run, 'sh', '-c', script, 'sh', `${nas}:${path}`]);
  return readMountAnswer(exitCode, stderr);
}

/** From the exit code and the words of mount.nfs(8) of nfs-utils. */
export function readMountAnswer(exitCode: number, stderr: string): MountAnswer {
  const words = stderr.trim().split('\n').at(-1) ?? '';
  if (exitCode === 0) return { kind: 'writable' };
  if (exitCode === writeFailed) {
    return { kind: /read-only file system/i.test(stderr) ? 'read-only' : 'no-write', words };
  }
  if (exitCode !== mountFailed) return { kind: 'other', words };
  if (/access denied|permission denied|operation not permitted/i.test(stderr)) return { kind: 'denied', words };
  if (/no such file or directory/i.test(stderr)) return { kind: 'not-exported', words };
  if (/protocol not supported|requested NFS version/i.test(stderr)) return { kind: 'no-version-4', words };
  if (/timed out|no route|refused|unreachable|host is down/i.test(stderr)) return { kind: 'unreachable', words };
  return { kind: 'other', words };
}
