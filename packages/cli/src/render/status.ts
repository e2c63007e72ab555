// The lab in one screen: hosts, then machines; what is not as it should be is never lost among what is.
import type { LabStatus, MachineStatus } from '@labwright/core/contract/contract';
import { formatClusterHead } from './cluster.ts';
import { outsideServiceRow } from './outside-service.ts';
import { routerRow } from './router.ts';
import { formatNames, groupNeighbours, layoutRows, longList, stemOf, type Row } from './rows.ts';
import { plural, wrap, type Paint, type TextStyle } from './text.ts';

const signs: Readonly<Record<MachineStatus['state'], readonly [sign: string, as: Paint]>> = {
  ready: ['●', 'good'],
  starting: ['◐', 'warning'],
  stopped: ['–', 'faint'],
  absent: ['○', 'faint'],
  unknown: ['▲', 'warning'],
  foreign: ['■', 'bad'],
};

export interface StatusView extends TextStyle {
  readonly isFull: boolean;
  /** For the time of day. */
  readonly timeZone?: string;
}

export function formatStatus(status: LabStatus, view: StatusView): string {
  const ready = status.machines.filter((machine) => machine.state === 'ready').length;
  const time = new Intl.DateTimeFormat('en-GB', {
    timeStyle: 'medium',
    ...(view.timeZone === undefined ? {} : { timeZone: view.timeZone }),
  }).format(status.asOf);
  const { services = [], waits = [] } = status;
  const isFine =
    ready === status.machines.length &&
    status.hosts.every((host) => host.online) &&
    services.every(({ state }) => state === 'well') &&
    !['failing', 'away'].includes(status.router?.standing ?? '') &&
    waits.length === 0;
  const all = plural(status.machines.length, 'machine');
  const head = `${isFine ? 'fine' : 'not all is up'} · ${ready} of ${all} ready · as of ${time}`;
  return [
    ...wrap(head, view.columns),
    ...layoutRows(status.hosts.map(hostRow), view),
    ...(status.router === undefined ? [] : layoutRows([routerRow(status.router, view)], view)),
    ...(status.machines.length > 0 ? [''] : []),
    ...layoutRows(machineRows(status.machines, view), view),
    ...(status.cluster === undefined ? [] : ['', ...formatClusterHead(status.cluster, view)]),
    ...(services.length > 0 ? [''] : []),
    ...layoutRows(
      services.map((service) => outsideServiceRow(service, view)),
      view,
    ),
    ...(waits.length > 0 ? [''] : []),
    ...waits.flatMap((words) => wrap(`waits for you: ${words}`, view.columns)),
    '',
  ].join('\n');
}

function hostRow(host: LabStatus['hosts'][number]): Row {
  const share = Math.round((host.memoryUsedMiB / Math.max(1, host.memoryMiB)) * 100);
  return host.online
    ? {
        sign: '●',
        word: 'up',
        paint: 'good',
        name: host.name,
        cells: [`${share} % memory`, `Proxmox VE ${host.version}`],
      }
    : { sign: '■', word: 'down', paint: 'bad', name: host.name, cells: ['down'] };
}

function machineRows(machines: readonly MachineStatus[], { isFull, isPlain }: StatusView): readonly Row[] {
  const keyOf = ({ pool, state, name }: MachineStatus): string => [pool, state, stemOf(name)].join('\n');
  const groups =
    isFull || machines.length <= longList ? machines.map((each) => [each]) : groupNeighbours(machines, keyOf);
  return groups.flatMap((group): Row[] => {
    const [first] = group;
    if (first === undefined) return [];
    const [sign, as] = signs[first.state];
    const hosts = new Set(group.map((machine) => machine.host ?? ''));
    const place = hosts.size === 1 ? (first.host ?? '') : `${hosts.size} hosts`;
    const address = group.length === 1 ? first.address : `${first.address}-${group.at(-1)?.address ?? ''}`;
    const name = formatNames(group.map((machine) => machine.name));
    return [{ sign, word: first.state, paint: as, name, cells: [address, place, ...(isPlain ? [] : [first.state])] }];
  });
}
