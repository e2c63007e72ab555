import type { ClusterFormInput } from '@labwright/cluster/formation/step-input';
import type { ErrorJson } from '@labwright/core/errors/error';
import { type Step, stepId } from '@labwright/core/plan/step';
import { expect, test } from 'vitest';
import type { ClusterView } from '../cluster/cluster-area.ts';
import { findServiceTurn } from './service-turn.ts';

const silent: ClusterView = {
  facts: { kind: 'silent', why: '', hasKeys: true, disks: [], asOf: 0 },
  keys: { kind: 'usable' },
};
const answering: ClusterView = {
  facts: { kind: 'answers', version: '1.35.4', nodes: [], disks: [], asOf: 0 } as unknown as ClusterView['facts'],
  keys: { kind: 'usable' },
};
const error: ErrorJson = { code: 'LW6010', kind: 'usage', title: '', what: '', where: {}, fix: [], log: [] };

function makeStep(kind: string, change: Step['change'], unsure: readonly string[] = []): Step {
  const input: ClusterFormInput = { name: 'node101', unsure };
  return {
    ...{ id: stepId(kind, 'cluster'), kind, target: 'cluster', title: '', change, reason: '', needs: [] },
    ...{ risk: { level: 'none' }, estimateMs: 0, relies: [], queues: [], input },
  };
}
const form = makeStep('cluster.form', 'add');
const settle = makeStep('cluster.settle', 'change');
const afterSettling = { kind: 'now', needs: [settle.id], networkNeeds: [form.id] };

test.each<[string, ClusterView, readonly Step[], boolean, unknown]>([
  ['a new cluster', silent, [form, settle], false, afterSettling],
  ['one whose machines were all made anew', silent, [form, settle], true, afterSettling],
  [
    'one that never was, with disks that cannot be asked',
    silent,
    [makeStep('cluster.form', 'add', ['node101']), settle],
    false,
    afterSettling,
  ],
  [
    'one that is off and may be there',
    silent,
    [makeStep('cluster.form', 'add', ['node101']), settle],
    true,
    { kind: 'later', cluster: 'silent' },
  ],
  [
    'one that is there and silent',
    silent,
    [makeStep('cluster.form', 'wait'), settle],
    true,
    { kind: 'later', cluster: 'silent' },
  ],
  ['one that cannot be formed', silent, [], false, { kind: 'later', cluster: 'impossible' }],
  [
    'one without usable keys',
    { ...silent, keys: { kind: 'unusable', error } },
    [],
    false,
    { kind: 'later', cluster: 'impossible' },
  ],
  ['one that answers', answering, [], true, { kind: 'now', needs: [], networkNeeds: [] }],
  ['one that lacks our objects', answering, [settle], true, { kind: 'now', needs: [settle.id], networkNeeds: [] }],
])('%s', (_name, view, others, hasKeys, turn) => {
  expect(findServiceTurn(view, others, hasKeys)).toEqual(turn);
});
