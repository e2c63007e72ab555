// Looks at names and connections from this computer, as a client in the house would: for `exposures` and `why`.
import { createSocket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { connect } from 'node:net';
import { type Ipv4, parseIpv4 } from '@labwright/core/addresses/ipv4';
import type { Clock } from '@labwright/core/ports/clock';
import { patienceMs } from '@labwright/drivers/pfsense/entries/balancer-entry';
import type { Exposure } from '../exposures/exposure.ts';
import { type ConnectionPlace, explainBarred, formatPlace, type OwnAddresses, placesOf } from './hop.ts';
import type { Connection, NameAnswer, WhyFacts } from './why-facts.ts';

const answerMs = 2_000;
/** A balancer without servers takes the connection, and ends it when none came. */
const settleMs = patienceMs + 200;
/** Never more at once, however much is exposed. */
const atOnce = 32;
/** A datagram socket needs some port to be connected to; nothing is sent there. */
const discardPort = 9;

/** What a name server says. Never throws. */
export async function lookUpName(name: string, server: string): Promise<NameAnswer> {
  const resolver = new Resolver({ timeout: answerMs, tries: 2 });
  resolver.setServers([server]);
  const [four, six] = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
  return nameAnswer([four, six]);
}

/** From what was asked of one name: that there is none is said only when every question was answered so. */
export function nameAnswer(answers: readonly PromiseSettledResult<readonly string[]>[]): NameAnswer {
  const addresses = answers.flatMap((each) => (each.status === 'fulfilled' ? each.value : []));
  if (addresses.length > 0) return { kind: 'addresses', addresses: addresses.toSorted() };
  const codes = answers.flatMap((each) => (each.status === 'rejected' ? codeOf(each.reason) : []));
  const unclear = codes.find((code) => code !== 'ENOTFOUND' && code !== 'ENODATA');
  if (unclear === undefined) return { kind: 'no-name' };
  return { kind: 'silent', why: unclear === 'ETIMEOUT' ? 'no answer within seconds' : unclear };
}

/** Tries what is exposed, as far as this computer may connect, and `others` with it. */
export async function tryExposures(
  exposures: readonly Exposure[],
  others: readonly ConnectionPlace[],
  asking: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<Pick<WhyFacts, 'connections' | 'from'>> {
  const limited = exposures.filter(({ sourceRanges }) => sourceRanges !== undefined);
  const from = await findOwnAddresses(limited.flatMap(({ addresses }) => addresses));
  const open = exposures.filter((exposure) => explainBarred(exposure, from) === undefined);
  return { from, connections: await tryConnections([...open.flatMap(placesOf), ...others], asking) };
}

/** Which address this computer connects from, by the one that it connects to; absent where no way leads. */
export async function findOwnAddresses(targets: readonly string[]): Promise<OwnAddresses> {
  const found = new Map<string, Ipv4>();
  for (const target of new Set(targets.flatMap((text) => parseIpv4(text) ?? []))) {
    const own = await findOwnAddress(target);
    if (own !== undefined) found.set(target, own);
  }
  return found;
}

/** As the kernel chooses it. A datagram socket that is connected sends nothing. */
async function findOwnAddress(target: Ipv4): Promise<Ipv4 | undefined> {
  const socket = createSocket('udp4');
  return await new Promise((resolve) => {
    const decide = (own?: Ipv4): void => {
      socket.close();
      resolve(own);
    };
    socket.once('connect', () => {
      decide(parseIpv4(socket.address().address));
    });
    socket.once('error', () => {
      decide();
    });
    socket.connect(discardPort, target);
  });
}

/** Tries each place once; by "address:port". */
export async function tryConnections(
  places: readonly ConnectionPlace[],
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<ReadonlyMap<string, Connection>> {
  const left = [...new Map(places.map((place) => [formatPlace(place.address, place.port), place]))];
  const seen = new Map<string, Connection>();
  const work = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const [key, place] = next;
      seen.set(key, await tryConnection(place, clock, signal));
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  signal.throwIfAborted();
  return seen;
}

async function tryConnection(
  { address, port }: ConnectionPlace,
  clock: Clock,
  signal: AbortSignal,
): Promise<Connection> {
  if (signal.aborted) return 'silent';
  return await new Promise((resolve) => {
    const socket = connect({ host: address, port, signal });
    const decided = new AbortController();
    const decide = (answer: Connection): void => {
      decided.abort(new Error('decided'));
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(answerMs, () => {
      decide('silent');
    });
    socket.once('connect', () => {
      clock.sleep(settleMs, AbortSignal.any([signal, decided.signal])).then(
        () => {
          decide('answers');
        },
        () => undefined, // Decided otherwise meanwhile.
      );
    });
    socket.once('data', () => {
      decide('answers');
    });
    socket.once('end', () => {
      decide('refused');
    });
    socket.once('error', (error) => {
      decide(codeOf(error) === 'ECONNREFUSED' || codeOf(error) === 'ECONNRESET' ? 'refused' : 'silent');
    });
  });
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
