// The log of a service as lines on its error stream, for the journal: time, level, sentence, fields.
import type { Clock } from '@labwright/core/ports/clock';
import type { Log, LogFields } from '@labwright/core/ports/log';
import type { Terminal } from './terminal.ts';

const levels = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof levels)[number];

export function makeLineLog(terminal: Pick<Terminal, 'err'>, clock: Clock, lowest: LogLevel): Log {
  const write =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}) => {
      if (levels.indexOf(level) < levels.indexOf(lowest)) return;
      const rest = Object.entries(fields).map(([name, value]) => ` ${name}=${JSON.stringify(value)}`);
      terminal.err(`${new Date(clock.now()).toISOString()} ${level} ${message}${rest.join('')}\n`);
    };
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
}
