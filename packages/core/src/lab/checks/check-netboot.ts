// How machines boot over the network: who leases addresses fits what else the file says.
import type { Problem } from '../diagnostic.ts';
import type { Lab } from '../lab-schema.ts';

export function checkNetboot({ netboot: { mode, dynamic } }: Lab): Problem[] {
  if (dynamic === undefined || mode === 'serve') return [];
  const message = `netboot.dynamic is a range that our own DHCP server leases out, and in mode ${mode} there is none`;
  const fix = 'remove dynamic, or write mode: serve';
  return [
    {
      path: ['netboot', 'dynamic'],
      part: 'key',
      message,
      fix,
      related: [{ path: ['netboot', 'mode'], message: 'the mode' }],
    },
  ];
}
