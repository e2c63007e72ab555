// `status`: the lab in one screen.
import type { LabStatus, MachineStatus } from '@labwright/core/contract/contract';
import type { Command } from '../command.ts';
import { withLab } from '../lab-session.ts';
import { exitCodes } from '../program.ts';
import { paint, type Style } from '../render/text.ts';

export const statusCommand: Command = {
  name: 'status',
  summary: 'the lab in one screen',
  examples: ['labwright status', 'labwright status --json'],
  run: async (program) => {
    const status = await withLab(program, { boot: false }, ({ client }) => client.status(program.interrupt));
    const { terminal, options } = program;
    terminal.out(options.json ? `${JSON.stringify(status, undefined, 2)}\n` : formatStatus(status, terminal.hasColour));
    return exitCodes.done;
  },
};

const signs: Readonly<Record<MachineStatus['state'], readonly [string, Style]>> = {
  ready: ['●', 'good'],
  starting: ['◐', 'warning'],
  stopped: ['–', 'faint'],
  absent: ['○', 'faint'],
  unknown: ['▲', 'warning'],
  foreign: ['■', 'bad'],
};

export function formatStatus(status: LabStatus, hasColour: boolean): string {
  const hosts = status.hosts.map((host) => {
    const share = Math.round((host.memoryUsedMiB / Math.max(1, host.memoryMiB)) * 100);
    return host.online
      ? `${host.name} ${paint('good', '●', hasColour)} ${share} %`
      : `${host.name} ${paint('bad', '■', hasColour)} down`;
  });
  const width = Math.max(7, ...status.machines.map((machine) => machine.name.length));
  const machines = status.machines.map((machine) => {
    const [sign, style] = signs[machine.state];
    const place = machine.host ?? '';
    return `  ${paint(style, sign, hasColour)} ${machine.name.padEnd(width)}  ${machine.address.padEnd(15)} ${place.padEnd(8)} ${machine.state}`;
  });
  return [`  hosts  ${hosts.join('   ')}`, ...machines, ''].join('\n');
}
