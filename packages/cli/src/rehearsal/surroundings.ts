// What of a lab file stands around a rehearsal's machines: it is made once, when the rehearsal starts.
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import { LabwrightError } from '@labwright/core/errors/error';

const surroundings: Readonly<Record<string, (blueprint: Blueprint) => unknown>> = {
  lab: ({ lab }) => lab,
  domain: ({ domain }) => domain,
  networks: ({ network }) => network,
  hosts: ({ hosts }) => hosts.map(({ name, address, cores, memoryMiB }) => [name, address, cores, memoryMiB]),
  'proxmox.port': ({ proxmox }) => proxmox.port,
  'netboot.address': ({ netboot }) => netboot.address,
  'netboot.mode': ({ netboot }) => netboot.mode,
  router: ({ router }) => router,
  nas: ({ nas }) => nas,
  services: ({ services }) => services,
  'kubernetes.endpoint': ({ cluster }) => cluster?.endpoint,
};

/** Throws LW0002 when the lab file wants other surroundings than the rehearsal has. */
export function assertSameSurroundings(standing: Blueprint, wanted: Blueprint): void {
  const changed = Object.entries(surroundings).flatMap(([name, of]) =>
    JSON.stringify(of(standing)) === JSON.stringify(of(wanted)) ? [] : [name],
  );
  const storages = listStorages(standing);
  const missing = listStorages(wanted).filter((storage) => !storages.includes(storage));
  const all = [...changed, ...missing.map((storage) => `storage ${storage}`)];
  if (all.length === 0) return;
  throw new LabwrightError('LW0002', {
    what: `the rehearsal that runs was made for the lab file as it was: ${all.join(', ')} changed since`,
    why: 'hosts, networks and the other devices of a rehearsal are made once, when it starts',
    fix: ['labwright rehearse stop   then labwright rehearse', 'or take the change in the lab file back'],
  });
}

function listStorages({ proxmox, machines }: Blueprint): readonly string[] {
  return [proxmox.storage, ...machines.map(({ storage }) => storage)];
}
