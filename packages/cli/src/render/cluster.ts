// The cluster's screens: its nodes, and when its certificates end.
import type { CertificatesStatus, ClusterStatus, NodeStatus } from '@labwright/core/contract/contract';
import { layoutRows, type Row } from './rows.ts';
import { plural, wrap, type Paint, type TextStyle } from './text.ts';

const signs: Readonly<Record<NodeStatus['state'], readonly [sign: string, word: string, as: Paint]>> = {
  ready: ['●', 'ready', 'good'],
  'not-ready': ['■', 'not ready', 'bad'],
  unknown: ['▲', 'unknown', 'warning'],
  absent: ['○', 'absent', 'faint'],
};

export function formatClusterStatus(cluster: ClusterStatus, style: TextStyle): string {
  return [
    ...formatClusterHead(cluster, style),
    ...layoutRows(
      cluster.nodes.map((node) => nodeRow(node, style)),
      style,
    ),
    '',
  ].join('\n');
}

/** Also on the lab's own screen. */
export function formatClusterHead(cluster: ClusterStatus, { columns }: TextStyle): readonly string[] {
  const { version, wantedVersion, endpoint, name, why, nodes } = cluster;
  const place = `${name} (${endpoint})`;
  if (version === null) return wrap(`the cluster is silent at ${place}: ${why ?? 'nobody knows why'}`, columns, '  ');
  const ready = nodes.filter(({ state }) => state === 'ready').length;
  const wanted = version === wantedVersion ? '' : `, the lab file says ${wantedVersion}`;
  const head = `Kubernetes ${version}${wanted} · ${ready} of ${plural(nodes.length, 'node')} ready · ${place}`;
  return wrap(head, columns, '  ');
}

function nodeRow({ name, role, state, why, version, isSchedulable }: NodeStatus, { isPlain }: TextStyle): Row {
  const [sign, word, as] = signs[state];
  const cordoned = state === 'ready' && !isSchedulable ? 'cordoned' : '';
  const cells = [
    role === 'control-plane' ? 'control plane' : role,
    version ?? '',
    ...(isPlain ? [] : [word]),
    cordoned,
  ];
  return { sign, word, paint: as, name, cells, ...(why === null ? {} : { text: why }) };
}

const dayMs = 24 * 3600_000;
/** kubeadm's certificates live for a year; Labwright renews them well before that. */
const soonDays = 30;

export function formatCertificates({ asOf, certificates, silent }: CertificatesStatus, style: TextStyle): string {
  const places = [...new Set(certificates.map(({ place }) => place))];
  const groups = places.flatMap((place) => [
    '',
    place,
    ...layoutRows(
      certificates.filter((each) => each.place === place).map((each) => certificateRow(each, asOf)),
      style,
    ),
  ]);
  const unheard = silent.flatMap(({ name, why }) => [
    '',
    ...wrap(`${name} could not be asked: ${why}`, style.columns, '  '),
  ]);
  return [...groups.slice(1), ...unheard, ''].join('\n');
}

function certificateRow({ name, expiresAt }: CertificatesStatus['certificates'][number], asOf: number): Row {
  const days = Math.floor((expiresAt - asOf) / dayMs);
  const date = new Date(expiresAt).toISOString().slice(0, 10);
  if (days < 0) return { sign: '■', word: 'expired', paint: 'bad', name, cells: [date, 'expired'] };
  const left = plural(days, 'day');
  return days < soonDays
    ? { sign: '▲', word: 'ends soon', paint: 'warning', name, cells: [date, left] }
    : { sign: '●', word: 'good', paint: 'good', name, cells: [date, left] };
}
