import type { CertificatesStatus, ClusterStatus } from '@labwright/core/contract/contract';
import { describe, expect, test } from 'vitest';
import { formatCertificates, formatClusterStatus } from './cluster.ts';
import type { TextStyle } from './text.ts';

const style: TextStyle = { columns: 80, hasColour: false, isPlain: false };
const plain: TextStyle = { ...style, isPlain: true };

const cluster: ClusterStatus = {
  endpoint: '10.1.0.10:6443',
  name: 'kube.home.arpa',
  version: '1.20.2',
  wantedVersion: '1.20.2',
  why: null,
  nodes: [
    { name: 'node101', role: 'control-plane', state: 'ready', why: null, version: '1.20.2', isSchedulable: true },
    { name: 'node102', role: 'worker', state: 'ready', why: null, version: '1.20.2', isSchedulable: false },
    {
      name: 'node103',
      role: 'worker',
      state: 'not-ready',
      why: 'container runtime network not ready: cni config uninitialized',
      version: '1.20.2',
      isSchedulable: true,
    },
    { name: 'node104', role: 'worker', state: 'absent', why: null, version: null, isSchedulable: false },
  ],
};

describe('the cluster', () => {
  test('with its nodes: what keeps one from being ready is its kubelet’s own word', () => {
    expect(formatClusterStatus(cluster, style)).toMatchInlineSnapshot(`
      "Kubernetes 1.20.2 · 2 of 4 nodes ready · kube.home.arpa (10.1.0.10:6443)
        ● node101  control plane  1.20.2  ready
        ● node102  worker         1.20.2  ready      cordoned
        ■ node103
            worker  1.20.2  not ready
            container runtime network not ready: cni config uninitialized
        ○ node104  worker                 absent
      "
    `);
  });

  test('in words alone', () => {
    expect(formatClusterStatus(cluster, plain)).toMatchInlineSnapshot(`
      "Kubernetes 1.20.2 · 2 of 4 nodes ready · kube.home.arpa (10.1.0.10:6443)
        ● ready     node101  control plane  1.20.2
        ● ready     node102  worker         1.20.2  cordoned
        ■ not ready node103  worker         1.20.2            container runtime
                                                              network not ready: cni
                                                              config uninitialized
        ○ absent    node104  worker
      "
    `);
  });

  test('that is silent says why', () => {
    const silent: ClusterStatus = { ...cluster, version: null, why: 'nothing came within 4 s', nodes: [] };
    expect(formatClusterStatus(silent, style)).toMatchInlineSnapshot(`
      "the cluster is silent at kube.home.arpa (10.1.0.10:6443): nothing came within 4
        s
      "
    `);
  });

  test('with the members of etcd: whether they answer, and who is missing', () => {
    const etcd: ClusterStatus['etcd'] = [
      { name: 'node101', state: 'well', role: 'voter', why: null, fix: null },
      { name: 'node102', state: 'unwell', role: 'voter', why: 'memberID:1 alarm:NOSPACE', fix: null },
      { name: 'node103', state: 'silent', role: 'learner', why: 'it does not answer', fix: null },
      {
        name: 'node105',
        state: 'absent',
        role: null,
        why: 'it is a control plane of the cluster and no member of etcd',
        fix: 'labwright machine rebuild node105',
      },
    ];
    const withMembers = { ...cluster, nodes: cluster.nodes.slice(0, 1), etcd };
    expect(formatClusterStatus(withMembers, style)).toMatchInlineSnapshot(`
      "Kubernetes 1.20.2 · 1 of 1 node ready · kube.home.arpa (10.1.0.10:6443)
        ● node101  control plane  1.20.2  ready

      etcd · 1 of 2 voters well
        ● node101  voter    well
        ■ node102  voter    not well   memberID:1 alarm:NOSPACE
        ■ node103  learner  silent     it does not answer
        ■ node105           no member  it is a control plane of the cluster and no
                                       member of etcd; labwright machine rebuild
                                       node105
      "
    `);
    expect(formatClusterStatus(withMembers, plain)).toMatchInlineSnapshot(`
      "Kubernetes 1.20.2 · 1 of 1 node ready · kube.home.arpa (10.1.0.10:6443)
        ● ready node101  control plane  1.20.2

      etcd · 1 of 2 voters well
        ● well      node101  voter
        ■ not well  node102  voter    memberID:1 alarm:NOSPACE
        ■ silent    node103  learner  it does not answer
        ■ no member node105           it is a control plane of the cluster and no
                                      member of etcd; labwright machine rebuild
                                      node105
      "
    `);
    for (const columns of [24, 40, 60]) {
      for (const line of formatClusterStatus(withMembers, { ...style, columns }).split('\n')) {
        expect(line.length).toBeLessThanOrEqual(columns);
      }
    }
    const nobody = etcd.map((member) => ({
      ...member,
      state: 'silent' as const,
      role: null,
      why: 'it does not answer',
    }));
    expect(formatClusterStatus({ ...cluster, etcd: nobody }, style)).toContain('\netcd · nobody answers\n');
  });

  test('that is to be upgraded says so', () => {
    const [line] = formatClusterStatus({ ...cluster, wantedVersion: '1.20.3' }, style).split('\n');
    expect(line).toContain('Kubernetes 1.20.2, the lab file says 1.20.3');
  });

  test('no line is too long, however narrow', () => {
    for (const columns of [24, 40, 60]) {
      for (const line of formatClusterStatus(cluster, { ...style, columns }).split('\n')) {
        expect(line.length).toBeLessThanOrEqual(columns);
      }
    }
  });
});

test('certificates: what ends soon stands out, and who could not be asked is named', () => {
  const day = 24 * 3600_000;
  const asOf = Date.UTC(2026, 0, 1);
  const seen: CertificatesStatus = {
    asOf,
    certificates: [
      { place: 'the keys of the cluster', name: 'ca', expiresAt: asOf + 3650 * day, isAuthority: true },
      { place: 'node101', name: 'etcd/peer', expiresAt: asOf - day, isAuthority: false },
      { place: 'node101', name: 'apiserver', expiresAt: asOf + 12 * day, isAuthority: false },
      { place: 'node101', name: 'kubelet', expiresAt: asOf + 364 * day, isAuthority: false },
    ],
    silent: [{ name: 'node104', why: 'nothing came within 20000 ms of connecting' }],
  };
  expect(formatCertificates(seen, style)).toMatchInlineSnapshot(`
    "the keys of the cluster
      ● ca  2035-12-30  3650 days

    node101
      ■ etcd/peer  2025-12-31  expired
      ▲ apiserver  2026-01-13   12 days
      ● kubelet    2026-12-31  364 days

    node104 could not be asked: nothing came within 20000 ms of connecting
    "
  `);
});
