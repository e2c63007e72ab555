// The lab of the lab file as it is rehearsed: without its cluster, or with more control planes than the file has.
import { LabwrightError } from '@labwright/core/errors/error';
import { attemptIdentities, completeIdentity, type Identity } from '@labwright/core/identity/identity';
import { checkLab } from '@labwright/core/lab/checks/check-lab';
import { baseVmId, identityPools, identityRule, machineNetwork } from '@labwright/core/lab/lab-identities';
import type { Lab } from '@labwright/core/lab/lab-schema';
import type { LabFile } from '@labwright/core/lab/read-lab';
import type { LabLocation } from '../lab-location.ts';

/** What was asked for when the rehearsal was started; every command in its directory goes by it. */
export interface RehearsalShape {
  /** 'file': as many control planes as the lab file has. 'ha': three. */
  readonly size: 'file' | 'ha';
  /** 'lab': all that is in the file. 'machines': neither the cluster nor the NAS. */
  readonly extent: 'lab' | 'machines';
  /** Host keys of the emulated NAS, by its name; the lab file names those of the real one. None before the rehearsal is started. */
  readonly nasHostKeys: Readonly<Record<string, string>>;
}

export const wholeLab: RehearsalShape = { size: 'file', extent: 'lab', nasHostKeys: {} };

/** What can be brought up alone. */
const parts = ['machines'];
const sizes = ['ha'];

/** From `--only` and `--size` of a command line. Throws LW0002 for what neither knows. */
export function parseShape(flags: Readonly<Record<string, unknown>>): RehearsalShape {
  const { only, size } = flags;
  if (typeof only === 'string' && !parts.includes(only)) {
    throw new LabwrightError('LW0002', {
      what: `there is no part "${only}" to bring up alone`,
      fix: parts.map((part) => `labwright rehearse --only ${part}`),
    });
  }
  if (typeof size === 'string' && !sizes.includes(size)) {
    throw new LabwrightError('LW0002', {
      what: `there is no size "${size}" to rehearse in`,
      fix: ['labwright rehearse   as many control planes as the lab file has', 'labwright rehearse --size ha   three'],
    });
  }
  return { ...wholeLab, size: size === 'ha' ? 'ha' : 'file', extent: only === 'machines' ? 'machines' : 'lab' };
}

const controlPlanesInHa = 3;
/** What may replace a control plane: so many VM IDs after its pool's own, unless another pool begins before. */
const spareIdentities = 16;

/** The lab to resolve a rehearsal's blueprint from. Throws LW0002 when it cannot be had in that size. */
export function shapeLab(lab: Lab, shape: RehearsalShape): Lab {
  if (shape.extent === 'machines') return { ...lab, kubernetes: undefined, nas: {}, services: {} };
  const known = Object.keys(shape.nasHostKeys).length === 0 ? lab : { ...lab, nas: exchangeHostKeys(lab, shape) };
  return shape.size === 'ha' ? growControlPlanes(known) : known;
}

function exchangeHostKeys(lab: Lab, { nasHostKeys }: RehearsalShape): Lab['nas'] {
  return Object.fromEntries(
    Object.entries(lab.nas).map(([name, nas]) => {
      const hostKey = nasHostKeys[name];
      return [name, hostKey === undefined || nas.ssh === undefined ? nas : { ...nas, ssh: { ...nas.ssh, hostKey } }];
    }),
  );
}

/** The lab a command means: in a rehearsal as that was started, otherwise as the file has it. */
export function labFileAt(location: LabLocation, labFile: LabFile): LabFile {
  return location.kind === 'hardware' ? labFile : { ...labFile, lab: shapeLab(labFile.lab, location.rehearsal) };
}

/**
 * Gives the first pool of control planes as many machines as three take. Where its next VM IDs are another pool's it moves to
 * the first free ones; every other machine keeps its identity.
 */
function growControlPlanes(lab: Lab): Lab {
  const pools = Object.entries(lab.pools).filter(([, pool]) => pool.role === 'control-plane');
  const [first] = pools;
  if (lab.kubernetes === undefined || first === undefined) throw notInHa('the lab file has no cluster');
  const [name, pool] = first;
  const count = controlPlanesInHa - pools.reduce((sum, [, other]) => sum + other.count, 0) + pool.count;
  if (count <= pool.count) return lab;
  const firstVmId = findFreeVmIds(lab, name, count);
  if (firstVmId === undefined) throw notInHa(`the block of the machines has no ${count} free identities in a row`);
  const grown: Lab = {
    ...lab,
    // Stated, since moving the pool with the lowest VM ID would move the addresses of all.
    identity: { ...lab.identity, baseVmId: baseVmId(lab) },
    pools: {
      ...lab.pools,
      [name]: { ...pool, count, firstVmId, machines: firstVmId === pool.firstVmId ? pool.machines : {} },
    },
  };
  const problem = checkLab(grown).find(({ severity }) => severity !== 'warning');
  if (problem !== undefined) throw notInHa(problem.message);
  return grown;
}

function findFreeVmIds(lab: Lab, poolName: string, count: number): number | undefined {
  const place = machineNetwork(lab);
  const pool = lab.pools[poolName];
  if (place === undefined || pool === undefined) return undefined;
  const rule = identityRule(lab, place.network.machines);
  const others = identityPools(lab).filter(({ name }) => name !== poolName);
  const isTaken = (vmId: number): boolean =>
    others.some((other) => vmId >= other.firstVmId && vmId < other.firstVmId + other.count);
  const fits = (firstVmId: number): boolean => {
    const wanted = { name: poolName, firstVmId, count, nameTemplate: pool.name ?? lab.identity.name, overrides: {} };
    const attempts = [...attemptIdentities(rule, [wanted])];
    return attempts.every((attempt) => completeIdentity(attempt) !== undefined && !isTaken(attempt.vmId));
  };
  if (fits(pool.firstVmId)) return pool.firstVmId;
  // After the last pool there is nothing but the end of the block.
  const end = Math.max(...others.map((other) => other.firstVmId + other.count), rule.baseVmId);
  for (let vmId = rule.baseVmId; vmId <= end; vmId += 1) if (fits(vmId)) return vmId;
  return undefined;
}

/**
 * Every machine that is a control plane or may become one: those of the file, and the VM IDs after them that a replacement or
 * a raised count would take.
 */
export function listPossibleControlPlanes(lab: Lab): readonly Identity[] {
  const place = machineNetwork(lab);
  if (place === undefined || lab.kubernetes === undefined) return [];
  const rule = identityRule(lab, place.network.machines);
  const pools = identityPools(lab);
  const grown = pools
    .filter(({ name }) => lab.pools[name]?.role === 'control-plane')
    .map((pool) => {
      const next = Math.min(...pools.map((other) => other.firstVmId).filter((vmId) => vmId > pool.firstVmId));
      return { ...pool, count: Math.min(pool.count + spareIdentities, next - pool.firstVmId) };
    });
  return [...attemptIdentities(rule, grown)].flatMap((attempt) => completeIdentity(attempt) ?? []);
}

function notInHa(why: string): LabwrightError {
  return new LabwrightError('LW0002', {
    what: `this lab cannot be rehearsed with ${controlPlanesInHa} control planes`,
    why,
    fix: ['labwright rehearse   rehearses it as the file has it'],
  });
}
