// What the initramfs posts while it works: "installing writing the root file system".
import type { ProgressStage } from '../session/boot-session.ts';

export interface ProgressReport {
  readonly stage: ProgressStage;
  readonly detail: string;
}

const usual: Readonly<Record<ProgressStage, string>> = {
  started: 'the initramfs runs',
  installing: 'installing',
  installed: 'the disk is finished',
  refused: 'the disk was not touched',
};

/** The first word is the stage, the rest a sentence for a person. Undefined when the text is something else. */
export function parseProgress(text: string): ProgressReport | undefined {
  const match = /^(started|installing|installed|refused|failed)(?:\s+([\s\S]*))?$/.exec(text.trim());
  if (match === null) return undefined;
  // It ends up on terminals and in chat: one line, no control characters.
  const detail = (match[2] ?? '').replaceAll(/[\p{C}\s]+/gu, ' ').trim();
  // The initramfs starts the machine over a minute after a failure, so the installation is not over.
  if (match[1] === 'failed') {
    return { stage: 'installing', detail: `failed, and starts over in a minute: ${detail}`.slice(0, 300) };
  }
  const stage = match[1] as ProgressStage;
  return { stage, detail: detail === '' ? usual[stage] : detail.slice(0, 300) };
}
