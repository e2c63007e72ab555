// Entry: `node main.ts TOPOLOGY.json HOST` is one emulated Proxmox host, run in the network namespace that has its bridge.
// SIGTERM ends it with its guests; with --keep-guests, and when it is killed, they go on and the next start takes them up.
import { parseArgs } from 'node:util';
import { EmulatorError, messageOf } from './error.ts';
import { startEmulatedHost } from './emulated-host.ts';
import { readTopology } from './topology.ts';

const { values, positionals } = parseArgs({
  options: { 'keep-guests': { type: 'boolean', default: false } },
  allowPositionals: true,
});

const write = (text: string): void => void process.stderr.write(`${text}\n`);

async function run(): Promise<void> {
  const [file, hostName] = positionals;
  if (file === undefined || hostName === undefined)
    throw new EmulatorError('no topology or no host given', 'run: node main.ts TOPOLOGY.json HOST [--keep-guests]');
  const host = await startEmulatedHost(await readTopology(file), hostName, { onFailure: write });
  write(`${hostName} answers on https://${host.context.host.address}:${host.context.host.port}`);
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
  });
  await host.close({ guests: values['keep-guests'] ? 'keep' : 'end' });
}

run().catch((error: unknown) => {
  write(
    error instanceof EmulatorError
      ? `${messageOf(error)}\nfix: ${error.fix}`
      : String(error instanceof Error ? (error.stack ?? error.message) : error),
  );
  process.exitCode = 1;
});
