// What a job on a machine is sent as: an archive that holds its scripts, its settings and its files.
import { pack } from 'tar-stream';
import type { PushedFile } from '../pki/control-plane-files.ts';

export type ArchivedFile =
  | PushedFile
  | { readonly path: string; readonly mode: number; readonly content: string | Uint8Array };

/** Without entries for folders: tar makes what is missing, and leaves those alone that are there. */
export async function packFiles(files: readonly ArchivedFile[]): Promise<Uint8Array> {
  const archive = pack();
  for (const file of files) {
    if ('target' in file) archive.entry({ name: file.path, type: 'symlink', linkname: file.target });
    else archive.entry({ name: file.path, mode: file.mode }, Buffer.from(file.content));
  }
  archive.finalize();
  const pieces: Uint8Array[] = [];
  for await (const piece of archive) pieces.push(piece as Uint8Array);
  return new Uint8Array(Buffer.concat(pieces));
}

/** Variables of a shell, one a line. */
export function formatSettings(settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${quote(value)}\n`)
    .join('');
}

const quote = (value: string): string => `'${value.replaceAll("'", String.raw`'\''`)}'`;
