// Whether what runs in the cluster can be planned now, and after which steps of the same plan it is done. Pure.
import type { ClusterFormInput } from '@labwright/cluster/formation/step-input';
import type { Step } from '@labwright/core/plan/step';
import type { ClusterView } from '../cluster/cluster-area.ts';

export type ServiceTurn =
  | {
      readonly kind: 'now';
      /** After these the cluster serves. */
      readonly needs: readonly string[];
      /** After these its API answers. */
      readonly networkNeeds: readonly string[];
    }
  /** It was formed once and is silent: what is in it is not known. Or it cannot be formed, which the cluster's own problem says. */
  | { readonly kind: 'later'; readonly cluster: 'silent' | 'impossible' };

/** `hasKeys`: without keys there never was a cluster. `others`: the cluster's steps of the same plan, and the machines'. */
export function findServiceTurn(view: ClusterView, others: readonly Step[], hasKeys: boolean): ServiceTurn {
  if (view.keys.kind === 'unusable') return { kind: 'later', cluster: 'impossible' };
  const settle = others.filter(({ kind }) => kind === 'cluster.settle').map(({ id }) => id);
  if (view.facts.kind === 'answers') return { kind: 'now', needs: settle, networkNeeds: [] };
  const form = others.find(({ kind }) => kind === 'cluster.form');
  if (form === undefined) return { kind: 'later', cluster: 'impossible' };
  const isNew = form.change === 'add' && (!hasKeys || (form.input as ClusterFormInput).unsure.length === 0);
  if (!isNew) return { kind: 'later', cluster: 'silent' };
  return { kind: 'now', needs: settle.length === 0 ? [form.id] : settle, networkNeeds: [form.id] };
}
