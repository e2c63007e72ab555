// The lab of the tests of formation: node101 and on, of the roles that a test names.
import { labId } from '@labwright/core/addresses/names';
import type { Blueprint, ClusterRole } from '@labwright/core/blueprint/blueprint';
import { makeMember, makeSampleBlueprint, makeSampleCluster } from '../sample-lab.test-data.ts';

export const lab = labId('home');
export const cluster = makeSampleCluster('1.20.2');

export function makeBlueprint(roles: readonly ClusterRole[]): Blueprint {
  return makeSampleBlueprint(
    cluster,
    roles.map((role, at) => makeMember(101 + at, role, { heal: 'restart' })),
  );
}
