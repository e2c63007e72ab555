// The cluster's screens: its nodes, etcd's members, and when its certificates end.
import type {
  CertificatesStatus,
  ClusterStatus,
  EtcdMemberStatus,
  NodeStatus,
} from '@labwright/core/contract/contract';
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
    ...formatMembers(cluster.etcd ?? [], style),
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

const memberSigns: Readonly<Record<EtcdMemberStatus['state'], readonly [sign: string, word: string, as: Paint]>> = {
  well: ['●', 'well', 'good'],
  unwell: ['■', 'not well', 'bad'],
  silent: ['■', 'silent', 'bad'],
  absent: ['■', 'no member', 'bad'],
};

function formatMembers(members: readonly EtcdMemberStatus[], style: TextStyle): readonly string[] {
  if (members.length === 0) return [];
  const voters = members.filter(({ role }) => role === 'voter');
  const well = voters.filter(({ state }) => state === 'well').length;
  const head = voters.length === 0 ? 'nobody answers' : `${well} of ${plural(voters.length, 'voter')} well`;
  const rows = members.map((member) => memberRow(member, style));
  return ['', ...wrap(`etcd · ${head}`, style.columns, '  '), ...layoutRows(rows, style)];
}

function memberRow({ name, state, role, why, fix }: EtcdMemberStatus, { isPlain }: TextStyle): Row {
  const [sign, word, as] = memberSigns[state];
  const text = [why, fix].filter((part) => part !== null).join('; ');
  const cells = [role ?? '', ...(isPlain ? [] : [word])];
  return { sign, word, paint: as, name, cells, ...(text === '' ? {} : { text }) };
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
