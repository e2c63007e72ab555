// How objects in the cluster and nodes carry whose they are: the lab's id, as a label value can hold it.
import type { LabId } from '@labwright/core/addresses/names';
import type { ClusterRole } from '@labwright/core/blueprint/blueprint';

export const labLabel = 'labwright.dev/lab';
export const roleLabel = 'labwright.dev/role';

/** "home", or "home.rehearsal": a label value has no "+", and a lab's name no ".". */
export function labLabelValue(lab: LabId): string {
  return lab.replace('+', '.');
}

/** The labels a node registers itself with. */
export function nodeLabels(lab: LabId, role: ClusterRole): Readonly<Record<string, string>> {
  return { [labLabel]: labLabelValue(lab), [roleLabel]: role };
}

/** Whether a node or object is of this lab. */
export function isMarked(lab: LabId, labels: Readonly<Record<string, string>> | undefined): boolean {
  return labels?.[labLabel] === labLabelValue(lab);
}
