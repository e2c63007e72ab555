// A lab without the part that a command is about: in its file, or not made so far.
import { LabwrightError } from '../errors/error.ts';

export function missingCluster(): LabwrightError {
  return new LabwrightError('LW1004', {
    what: 'this lab has no cluster',
    why: 'its lab file has no section kubernetes, or it is rehearsed with --only machines',
    fix: [
      'kubernetes: { version: 1.35.4, endpoint: { address: 10.1.0.10 } }   a free address of the network',
      'pools: { control: { role: control-plane } }   the machines it is made of',
    ],
  });
}

/** The lab file has one, and nobody has formed it so far. */
export function clusterNotFormed(): LabwrightError {
  return new LabwrightError('LW6014', {
    what: 'this lab has no cluster yet',
    why: 'the keys of one are not beside the lab file',
    fix: ['labwright up'],
  });
}
