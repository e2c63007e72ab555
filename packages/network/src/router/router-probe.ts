// Whether what was written to the router works: names resolve there, front ends take connections. Only a clear no counts: an
// answer that does not come may have been lost on its way here.
import { Resolver } from 'node:dns/promises';
import { connect } from 'node:net';
import { type ConfigMap, listAt, textAt } from '@labwright/drivers/pfsense/config/config-value';
import { formatPlace, places } from '@labwright/drivers/pfsense/config/place';
import type { Change } from '@labwright/drivers/pfsense/edits/change';

const answerMs = 2_000;

export interface ProbedRouter {
  /** Its own, where its resolver is asked. */
  readonly address: string;
  /** Of its name server; another one may answer at 53, and knows nothing of its names. */
  readonly nameServerPort: number;
  /** HAProxy is switched off, so no front end is asked. */
  readonly isIdle: boolean;
}

/** The keys of the marks of what does not work, each with what was seen. */
export async function probeChanges(
  changes: readonly Change[],
  { address, nameServerPort, isIdle }: ProbedRouter,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  // Of several changes of one entry the last one holds.
  const last = new Map<string, Promise<string | undefined>>();
  const keys = new Map<string, string>();
  for (const change of changes) {
    if (change.kind !== 'entry') continue;
    const { place, mark, after } = change;
    const name = formatPlace(place);
    const id = `${name} ${mark.key}`;
    last.delete(id);
    if (after === undefined) continue;
    keys.set(id, mark.key);
    if (name === formatPlace(places.resolverHosts)) last.set(id, probeName(after, `${address}:${nameServerPort}`));
    if (name === formatPlace(places.frontEnds) && !isIdle) last.set(id, probeFrontEnd(after, signal));
  }
  const seen = new Map<string, string>();
  for (const [id, probing] of last) {
    const words = await probing;
    if (words !== undefined) seen.set(keys.get(id) ?? id, words);
  }
  signal.throwIfAborted();
  return seen;
}

async function probeName(host: ConfigMap, server: string): Promise<string | undefined> {
  const name = `${textAt(host, 'host')}.${textAt(host, 'domain')}`;
  const wanted = textAt(host, 'ip')
    .split(',')
    .filter((ip) => !ip.includes(':'));
  const resolver = new Resolver({ timeout: answerMs, tries: 2 });
  resolver.setServers([server]);
  try {
    const answer = await resolver.resolve4(name);
    const isThere = wanted.every((ip) => answer.includes(ip));
    return isThere ? undefined : `${name} is ${answer.join(', ')} there, and not ${wanted.join(', ')}`;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    return wanted.length > 0 && (code === 'ENOTFOUND' || code === 'ENODATA')
      ? `${name} has no answer there`
      : undefined;
  }
}

async function probeFrontEnd(frontEnd: ConfigMap, signal: AbortSignal): Promise<string | undefined> {
  const [bind] = listAt(frontEnd, 'a_extaddr', 'item');
  const [host, port] = [textAt(bind, 'extaddr_custom'), Number(textAt(bind, 'extaddr_port'))];
  if (host === '' || signal.aborted) return undefined;
  return await new Promise((resolve) => {
    const socket = connect({ host, port, signal });
    const decide = (words?: string): void => {
      socket.destroy();
      resolve(words);
    };
    socket.setTimeout(answerMs, () => {
      decide();
    });
    socket.once('connect', () => {
      decide();
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      decide(error.code === 'ECONNREFUSED' ? `${host}:${port} refuses connections` : undefined);
    });
  });
}
