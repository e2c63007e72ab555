// The embedded name server as an end: it takes the names, and leaves addresses and balancers to others. After a restart it answers
// what it answered last, until the cluster is known: an API server that is away withdraws nothing, whoever was started anew meanwhile.
import type { Ipv4, Ipv4Range } from '@labwright/core/addresses/ipv4';
import type { Clock } from '@labwright/core/ports/clock';
import type { NameRecord, NetworkEnd } from '../controller/network-end.ts';
import { makeExposureZone } from './exposure-zone.ts';
import { type NameMemory, recallNames, type RememberedName } from './name-memory.ts';
import type { NameServer } from './name-server.ts';

export interface DnsEndOptions {
  readonly server: Pick<NameServer, 'address' | 'setZone'>;
  readonly domains: readonly string[];
  readonly range?: Ipv4Range;
  /**
   * Names of the lab itself under these domains: whoever leads a whole domain here must not lose them. What is exposed comes
   * after them.
   */
  readonly fixedNames: readonly { readonly name: string; readonly address: Ipv4 }[];
  readonly memory: NameMemory;
  readonly clock: Clock;
}

export function makeDnsEnd({ server, domains, range, fixedNames, memory, clock }: DnsEndOptions): NetworkEnd {
  let serial = 0;
  let known: string | undefined;
  const fixed = fixedNames.map(({ name, address }) => ({ name, addresses: [address] }));
  const fixedSet = new Set(fixed.map(({ name }) => name));
  const answer = (exposed: readonly RememberedName[]): void => {
    const names = [...fixed, ...exposed.filter(({ name }) => !fixedSet.has(name))];
    const text = JSON.stringify(names.map(({ name, addresses }) => [name, addresses]));
    if (text === known) return;
    // Also after a restart it is higher than what secondaries and people have seen.
    serial = Math.max(serial + 1, Math.floor(clock.now() / 1000)) % 2 ** 32;
    server.setZone(
      makeExposureZone({
        domains,
        ...(range === undefined ? {} : { range }),
        address: server.address,
        names,
        serial,
      }),
    );
    known = text;
  };
  const remembered = recallNames(memory, clock.now());
  if (remembered !== undefined) answer(remembered);
  return {
    name: 'the embedded name server',
    put(state) {
      answer(state.names);
      // Also what is as before: it is told again every few minutes, and with it how old it is.
      const names = state.names.map(({ name, addresses }) => ({ name, addresses }));
      memory.remember({ at: clock.now(), names });
      return Promise.resolve(problemsOf(state.names.filter(({ name }) => fixedSet.has(name))));
    },
  };
}

const problemsOf = (names: readonly NameRecord[]) =>
  names.flatMap(({ name, owners }) =>
    owners.map((owner) => ({
      owner,
      subject: name,
      why: `${name} is a name of the lab itself`,
      fix: 'choose another name',
    })),
  );
