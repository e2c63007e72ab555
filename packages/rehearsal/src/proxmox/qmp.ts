// QEMU's control protocol over its Unix socket: one JSON object a line. One command a connection, as Proxmox uses it, because
// the socket serves one client at a time. The guest agent speaks the same without a greeting.
import { createConnection } from 'node:net';
import { createInterface } from 'node:readline';

export interface MonitorCommand {
  readonly execute: string;
  readonly arguments?: Readonly<Record<string, unknown>>;
}

/** The answer's "return". Throws when the monitor refuses, does not answer in time or is not there. */
export function runMonitorCommand(socket: string, command: MonitorCommand, timeoutMs: number): Promise<unknown> {
  return converse(socket, [{ execute: 'qmp_capabilities' }, command], timeoutMs);
}

export function runAgentCommand(socket: string, command: MonitorCommand, timeoutMs: number): Promise<unknown> {
  return converse(socket, [command], timeoutMs);
}

function converse(path: string, commands: readonly MonitorCommand[], timeoutMs: number): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ path });
    const last = commands.length - 1;
    let answered = -1;
    const end = (finish: () => void): void => {
      socket.destroy();
      finish();
    };
    socket.setTimeout(timeoutMs, () => end(() => reject(new Error(`got timeout after ${timeoutMs} ms`))));
    socket.on('error', (error) => end(() => reject(error)));
    socket.on('close', () => reject(new Error('the monitor closed the connection')));
    socket.on('connect', () => {
      for (const [id, command] of commands.entries()) socket.write(`${JSON.stringify({ ...command, id })}\n`);
    });
    createInterface({ input: socket }).on('line', (line) => {
      const message = parseLine(line);
      if (message?.['id'] !== answered + 1) return;
      answered += 1;
      if ('error' in message) {
        const { desc } = message['error'] as { readonly desc: string };
        end(() => reject(new Error(desc)));
      } else if (answered === last) end(() => resolve(message['return']));
    });
  });
}

function parseLine(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
