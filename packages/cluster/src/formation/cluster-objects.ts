// Labwright's own objects in the cluster: few, marked, and applied as a whole whenever their digest is not the one that the
// cluster has.
import { createHash } from 'node:crypto';
import type { LabId } from '@labwright/core/addresses/names';
import type { AppliedObject, ObjectName } from '@labwright/drivers/kubernetes/kind';
import { adminGroup } from '../pki/logins.ts';
import { labLabel, labLabelValue } from './marks.ts';

/** Where the cluster keeps the digest: the last object that is applied. */
export const settledName: ObjectName = { name: 'labwright', namespace: 'kube-system' };

export interface OwnObjects {
  readonly objects: readonly AppliedObject[];
  readonly digest: string;
}

export function makeOwnObjects(lab: LabId): OwnObjects {
  const labels = { [labLabel]: labLabelValue(lab) };
  const rbac = 'rbac.authorization.k8s.io';
  const bind = (name: string, role: string, group: string): AppliedObject => ({
    apiVersion: `${rbac}/v1`,
    kind: 'ClusterRoleBinding',
    metadata: { name, labels },
    roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: role },
    subjects: [{ kind: 'Group', name: group, apiGroup: rbac }],
  });
  const objects: readonly AppliedObject[] = [
    // What guest/routes reads. Up to 1.31 every kubelet may; from 1.32 on it would see its own node only.
    {
      apiVersion: `${rbac}/v1`,
      kind: 'ClusterRole',
      metadata: { name: 'labwright:node-routes', labels },
      rules: [{ apiGroups: [''], resources: ['nodes'], verbs: ['get', 'list', 'watch'] }],
    },
    bind('labwright:node-routes', 'labwright:node-routes', 'system:nodes'),
    bind(adminGroup, 'cluster-admin', adminGroup),
  ];
  const digest = createHash('sha256').update(JSON.stringify(objects)).digest('hex').slice(0, 12);
  const settled: AppliedObject = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { ...settledName, labels },
    data: { lab, settled: digest },
  };
  return { objects: [...objects, settled], digest };
}
