// What went wrong with rehearsals, at length: what it means and what to do.
import type { ErrorGuide } from '../guide.ts';
import type { ErrorCode } from '../table.ts';

export const rehearsalGuide: Readonly<Record<Extract<ErrorCode, `LW9${string}`>, ErrorGuide>> = {
  LW9001: {
    meaning:
      'The emulated lab could not be set up on this computer. It needs Linux namespaces, QEMU and a few Debian packages; no hardware is ever touched.',
    advice: ['`labwright doctor` lists what is missing.', 'The rehearsal needs about 4 GiB of free memory.'],
  },
  LW9002: {
    meaning: 'The command is about a running rehearsal, and none runs in this folder.',
    advice: ['Start one: `labwright rehearse`.', 'Run the command in the folder of the lab file.'],
  },
  LW9003: {
    meaning: 'A rehearsal of this lab is already running in this folder. There can be one at a time.',
    advice: ['Use it, or end it with `labwright rehearse stop`.'],
  },
};
