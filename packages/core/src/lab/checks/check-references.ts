// Names that stand for something elsewhere in the file, and settings that need or exclude each other.
import type { LabPath, Problem } from '../diagnostic.ts';
import type { Lab, LabPool } from '../lab-schema.ts';
import { nearestName } from '../nearest-name.ts';

export function checkReferences(lab: Lab): Problem[] {
  return [
    ...checkProxmoxLogin(lab),
    ...Object.entries(lab.pools).flatMap(([name, pool]) => checkPool(lab, name, pool)),
  ];
}

function checkProxmoxLogin({ proxmox }: Lab): Problem[] {
  const path = ['proxmox'];
  const hasLogin = proxmox.user !== undefined || proxmox.password !== undefined;
  if (proxmox.token !== undefined && hasLogin) {
    const extra = proxmox.user === undefined ? 'password' : 'user';
    const message = 'proxmox has both a token and a user with password';
    return [{ path: [...path, extra], part: 'key', message, fix: 'keep the token; remove user and password' }];
  }
  if (proxmox.token !== undefined) return [];
  if (!hasLogin) {
    const message = 'proxmox has no login: neither a token nor a user with password';
    return [{ path, part: 'key', message, fix: 'add token: {env: PROXMOX_TOKEN}' }];
  }
  const missing = (['user', 'password'] as const).filter((key) => proxmox[key] === undefined);
  return missing.map((key) => ({
    path,
    part: 'key',
    message: `proxmox has a ${key === 'user' ? 'password but no user' : 'user but no password'}`,
    fix: key === 'user' ? 'add user: labwright@pve' : 'add password: {env: PROXMOX_PASSWORD}',
  }));
}

function checkPool(lab: Lab, name: string, pool: LabPool): Problem[] {
  const path = ['pools', name];
  const problems = (pool.hosts ?? []).flatMap((host, index) => {
    const at = [...path, 'hosts', index];
    if (Object.hasOwn(lab.hosts, host)) {
      if (pool.hosts?.indexOf(host) === index) return [];
      return [{ path: at, message: `pool ${name} names host ${host} twice`, fix: 'remove one' }];
    }
    return [unknownName(at, 'host', host, Object.keys(lab.hosts), 'or add it under hosts')];
  });
  const storage = pool.disk.storage;
  const storages = [lab.proxmox.storage, ...lab.proxmox.storages];
  if (storage !== undefined && !storages.includes(storage)) {
    problems.push(
      unknownName(
        [...path, 'disk', 'storage'],
        'storage',
        storage,
        storages,
        `or add it: proxmox.storages: [${storage}]`,
      ),
    );
  }
  const last = pool.firstVmId + pool.count - 1;
  for (const key of Object.keys(pool.machines)) {
    if (Number(key) >= pool.firstVmId && Number(key) <= last) continue;
    problems.push({
      path: [...path, 'machines', key],
      part: 'key',
      message: `pool ${name} has no machine with VM ID ${key}`,
      fix: pool.count === 0 ? 'remove it: the pool is empty' : `its VM IDs are ${pool.firstVmId} to ${last}`,
    });
  }
  return problems;
}

function unknownName(path: LabPath, kind: string, name: string, known: readonly string[], otherwise: string): Problem {
  const nearest = nearestName(name, known);
  return {
    path,
    message: `there is no ${kind} "${name}"`,
    ...(nearest === undefined ? {} : { label: `did you mean ${nearest}?` }),
    fix: `write ${nearest ?? `one of ${known.join(', ')}`}, ${otherwise}`,
  };
}
