// Entry: `node serve-child.ts` is a Labwright to be killed. It waits, with everything imported, for one line of JSON that says
// which lab to serve, serves it, prints "serving", and ends in order when its input ends.
import { createInterface } from 'node:readline';
import { resolveBlueprint } from '@labwright/core/blueprint/resolve-blueprint';
import { readLab } from '@labwright/core/lab/read-lab';
import type { Log } from '@labwright/core/ports/log';
import { Secret } from '@labwright/core/ports/secret';
import { systemClock, systemRandom } from '@labwright/core/ports/system';
import { serveLab } from '@labwright/daemon/serve';
import type { ServeOptions } from '@labwright/daemon/serve-options';

/** What the line says. It comes by a pipe, so that the secret stands in no list of processes. */
export interface ServeOrder {
  readonly labFile: string;
  readonly stateDirectory: string;
  readonly cacheDirectory: string;
  readonly socket: string;
  readonly tokenId: string;
  readonly tokenSecret: string;
}

const write = (text: string): void => void process.stderr.write(`${text}\n`);
const log: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: (message, fields) => write(`warn ${message} ${JSON.stringify(fields ?? {})}`),
  error: (message, fields) => write(`error ${message} ${JSON.stringify(fields ?? {})}`),
};

const lines = createInterface({ input: process.stdin });
for await (const line of lines) {
  const order = JSON.parse(line) as ServeOrder;
  const readOptions = async (): Promise<ServeOptions> => {
    const { lab, digest } = await readLab(order.labFile);
    return {
      blueprint: resolveBlueprint(lab, { rehearsal: true }),
      labDigest: digest,
      reread: readOptions,
      credentials: { kind: 'token', id: order.tokenId, secret: new Secret(order.tokenSecret) },
      expect: 'rehearsal',
      stateDirectory: order.stateDirectory,
      cacheDirectory: order.cacheDirectory,
      socket: order.socket,
      waitsForHosts: true,
      boot: true,
      clock: systemClock,
      random: systemRandom,
      log,
    };
  };
  const stop = new AbortController();
  const serving = await serveLab(await readOptions(), stop.signal);
  process.stdout.write('serving\n');
  await new Promise<void>((resolve) => lines.once('close', resolve));
  await serving.close();
}
