// What went wrong with Labwright itself, and the lab file, at length: what it means and what to do.
import type { ErrorGuide } from '../guide.ts';
import type { ErrorCode } from '../table.ts';

export const labwrightGuide: Readonly<Record<Extract<ErrorCode, `LW0${string}` | `LW1${string}`>, ErrorGuide>> = {
  LW0001: {
    meaning:
      'This is a mistake in Labwright, not in your lab. Nothing it was doing was left half recorded: what was finished is in the journal.',
    advice: [
      'Run the same command again: `labwright up` goes on where it stopped.',
      'Report it with the output of the same command and `--debug`.',
    ],
  },
  LW0002: {
    meaning: 'A command, option or argument is not one Labwright knows, or two of them exclude each other.',
    advice: [
      'See `labwright help` and `labwright COMMAND --help`; the message names the nearest match where there is one.',
    ],
  },
  LW0003: {
    meaning:
      'The work was stopped by Ctrl-C or a signal. Running steps were finished first, unless the signal came twice. The journal knows what is done.',
    advice: ['`labwright up` goes on from there.', '`labwright plan` shows what is left.'],
  },
  LW0004: {
    meaning:
      'Labwright starts a few programs of the system, such as QEMU in a rehearsal, and one of them is not installed.',
    advice: [
      'Install the Debian package the message names.',
      '`labwright doctor` lists everything that is missing at once.',
    ],
  },
  LW0005: {
    meaning:
      'A file or folder of this computer could not be read or written: no permission, a full disk, or something else stands in its place.',
    advice: ['Look at the path in the message with `ls -ld PATH` and `df -h PATH`.'],
  },
  LW0006: {
    meaning: 'A program that Labwright started ended with an error. Its last lines are printed below the message.',
    advice: ['Read those lines first; they are the program’s own words.', 'Run the command from the message by hand.'],
  },
  LW0007: {
    meaning:
      'The work needs a right that this user does not have, such as ports below 1024 for DHCP and TFTP, or namespaces for a rehearsal.',
    advice: ['`labwright doctor` says which right is missing and how to give only that one.'],
  },
  LW0008: {
    meaning:
      'Another program has the address and port that Labwright wants to listen on, often a second DHCP or TFTP server.',
    advice: [
      '`labwright doctor` and `ss -lntup` show which program it is. Stop it, or let it listen on another address only.',
    ],
  },
  LW0009: {
    meaning:
      'The lab file says that `labwright serve` does the work, or a rehearsal should be running, but nobody answers on its socket.',
    advice: [
      'On hardware: start `labwright serve` again, on the computer the lab file names at `serve`.',
      'In a rehearsal: look at `keeper.log` and the logs beside it in the folder the message names; then `labwright rehearse stop`, which removes the rehearsed machines, and `labwright rehearse`.',
    ],
  },
  LW1001: {
    meaning: 'The lab file is not there, may not be read, or is far too large to be one.',
    advice: ['Run the command in the folder of `lab.yaml`, or name the file with `--lab`.'],
  },
  LW1002: {
    meaning:
      'The lab file was read but does not describe a lab that can exist: a key or value is wrong, or two parts contradict each other. All problems are listed, and nothing was touched.',
    advice: [
      'Each problem has its line and a fix. `labwright config check` runs this check alone.',
      'docs/lab-file.md describes every key.',
    ],
  },
  LW1003: {
    meaning:
      'The lab file names a secret (`{env: NAME}`, `{file: PATH}` or `{age: KEY}`) that is not there, is empty, or is a file that others may read.',
    advice: [
      'For `env`: set the variable in the shell, or in the service’s environment file.',
      'For `file`: `chmod 600 PATH`; Labwright refuses secrets that other users can read.',
      'For `age`: check that the identity file opens the secrets file and that the key is in it.',
    ],
  },
  LW1004: {
    meaning:
      'The command is about a part of the lab, such as its cluster or its router, that the lab file does not have. Nothing was changed.',
    advice: [
      'Add the section that the message names; docs/lab-file.md describes its keys.',
      '`labwright config show --resolved` shows what the lab file has.',
    ],
  },
};
