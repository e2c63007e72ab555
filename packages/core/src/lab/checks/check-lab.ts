// Everything that can be wrong between the values of a lab file, found at once and before anything is touched.
import type { Problem } from '../diagnostic.ts';
import type { Lab } from '../lab-schema.ts';
import { checkAddresses } from './check-addresses.ts';
import { checkCapacity } from './check-capacity.ts';
import { checkExposures } from './check-exposures.ts';
import { checkIdentities } from './check-identities.ts';
import { checkKubernetes } from './check-kubernetes.ts';
import { checkNetboot } from './check-netboot.ts';
import { checkReferences } from './check-references.ts';
import { checkServices } from './check-services.ts';

export function checkLab(lab: Lab): readonly Problem[] {
  return [
    ...checkReferences(lab),
    ...checkAddresses(lab),
    ...checkIdentities(lab),
    ...checkCapacity(lab),
    ...checkKubernetes(lab),
    ...checkServices(lab),
    ...checkExposures(lab),
    ...checkNetboot(lab),
  ];
}
