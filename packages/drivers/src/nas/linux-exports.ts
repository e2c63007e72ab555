// The exports of a Linux NAS in a file of our own, /etc/exports.d/labwright.exports: written over SSH, and no other file touched.
import { LabwrightError } from '@labwright/core/errors/error';
import { runOverSsh, type SshTarget } from '../ssh/run.ts';

export interface ExportRule {
  readonly path: string;
  /** Network that may mount it: "10.1.0.0/22". */
  readonly clients: string;
}

export const exportsFile = '/etc/exports.d/labwright.exports';
const markOf = (lab: string): string => `# Written by Labwright for lab ${lab}; changes here are lost.`;

/** exports(5). Root of a machine is root here: the kubelet makes the folders of volumes and gives them to their pods. */
export function formatExports(lab: string, rules: readonly ExportRule[]): string {
  const lines = rules
    .toSorted((one, other) => (one.path < other.path ? -1 : 1))
    .map(({ path, clients }) => `${path} ${clients}(rw,sync,no_subtree_check,no_root_squash)`);
  return [markOf(lab), ...lines, ''].join('\n');
}

export interface ExportsOnNas {
  /** Of the file as it is; undefined when there is none. */
  readonly text?: string;
  /** Exported folders that are not there. */
  readonly missing: readonly string[];
}

/** The words after the mark of another lab or person make the file not ours. */
function isOurs(lab: string, { text }: ExportsOnNas): boolean {
  return text === undefined || text.trim() === '' || text.startsWith(`${markOf(lab)}\n`);
}

// The folders come as arguments and are never part of the script.
const lookScript = `
for folder; do [ -d "$folder" ] || printf 'missing %s\\n' "$folder"; done
if [ -e ${exportsFile} ]; then printf 'file\\n'; cat ${exportsFile}; else printf 'none\\n'; fi
`;

/** Throws LW7007 when it cannot be looked at, LW3003 and LW3004 of SSH. */
export async function readExports(target: SshTarget, rules: readonly ExportRule[]): Promise<ExportsOnNas> {
  const result = await runOverSsh(target, ['sh', '-c', lookScript, 'sh', ...rules.map(({ path }) => path)]);
  const [, head = '', kind, text = ''] = /^((?:missing .*\n)*)(file|none)\n([^]*)$/.exec(result.stdout) ?? [];
  if (result.exitCode !== 0 || kind === undefined) throw refused(target, 'could not be read', result.stderr);
  const missing = head.split('\n').flatMap((line) => (line === '' ? [] : [line.slice('missing '.length)]));
  return { missing, ...(kind === 'file' ? { text } : {}) };
}

/** LW7007 where the file is not to be written: a folder is missing, or the file is not ours. */
export function exportsProblem(host: string, lab: string, now: ExportsOnNas): LabwrightError | undefined {
  const [first] = now.missing;
  if (first !== undefined) {
    return new LabwrightError('LW7007', {
      what: `${host} has no folder ${now.missing.join(', ')} to export`,
      where: { nas: host },
      fix: [`make it there: mkdir -p ${first}`, 'or correct its path in the lab file'],
    });
  }
  if (isOurs(lab, now)) return undefined;
  return new LabwrightError('LW7007', {
    what: `${exportsFile} on ${host} is not of this lab, so it is left as it is`,
    where: { nas: host, file: exportsFile },
    why: `its first line is ${JSON.stringify(now.text?.split('\n')[0] ?? '')}`,
    fix: ['if another lab uses this NAS: give the two different ones', 'if not: move the file away on the NAS'],
  });
}

// The new file waits beside the old one under a name that exportfs does not read. When exportfs refuses, the old one is back.
const writeScript = `
set -eu
new=${exportsFile}.new old=${exportsFile}.old
mkdir -p /etc/exports.d
umask 022
head -c "$1" >"$new"
[ "$(wc -c <"$new")" -eq "$1" ]
rm -f "$old"
if [ -e ${exportsFile} ]; then cp -p ${exportsFile} "$old"; fi
mv "$new" ${exportsFile}
if exportfs -ra; then rm -f "$old"; exit 0; fi
if [ -e "$old" ]; then mv "$old" ${exportsFile}; else rm -f ${exportsFile}; fi
exportfs -ra || true
exit 1
`;

/**
 * Makes the file so and has the server export it, again and again with the same end. Throws LW7007 when the file is not ours, a
 * folder is missing, or exportfs refuses; then what was there is exported as before.
 */
export async function writeExports(
  target: SshTarget,
  lab: string,
  rules: readonly ExportRule[],
): Promise<'written' | 'same'> {
  const now = await readExports(target, rules);
  const problem = exportsProblem(target.host, lab, now);
  if (problem !== undefined) throw problem;
  const text = formatExports(lab, rules);
  if (now.text === text) return 'same';
  const run = target.user === 'root' ? [] : ['sudo', '-n'];
  // The script is an argument and the text the input, whose length it knows: half a text is never put into place.
  const size = String(Buffer.byteLength(text));
  const result = await runOverSsh(target, [...run, 'sh', '-c', writeScript, 'sh', size], { stdin: text });
  if (result.exitCode !== 0) throw refused(target, 'were not taken', result.stderr);
  return 'written';
}

function refused(target: SshTarget, what: string, stderr: string): LabwrightError {
  const lines = stderr.split('\n').filter((line) => line.trim() !== '');
  return new LabwrightError('LW7007', {
    what: `the exports of ${target.host} ${what}`,
    where: { nas: target.host, file: exportsFile },
    why: lines.at(-1) ?? 'the command failed without a word',
    log: lines.slice(-10),
    fix: [
      `check that ${target.user} may do it there: ssh ${target.user}@${target.host} ${target.user === 'root' ? '' : 'sudo -n '}exportfs -v`,
      'install the NFS server there: apt-get install nfs-kernel-server',
    ],
  });
}
