// Which servers of running back ends take no new connections any more, or do so again. HAProxy is told at once, and the
// configuration follows: a node that is drained gets nothing new in the seconds before it is written, and one that a pod came to
// is used before it is. Pure.
import type { Owner } from '@labwright/drivers/pfsense/config/mark';
import type { ServerCommand } from '@labwright/drivers/pfsense/server-commands';
import type { NetworkState } from '../controller/network-end.ts';
import type { Backend } from '../exposures/exposure.ts';
import { httpBackEndName, tcpBackEndName } from './exposure-entries.ts';

/**
 * A back end that loses its last server is left alone: its connections would find nobody sooner, and nothing is won. A node
 * that is new is not in the running configuration and not known there, and HAProxy says so without harm.
 *
 * Where no server stays, those that come are believed to answer: clients would be refused until their first check. Where one
 * stays, a node that failed its check is waited for: what the cluster says of it may be true there a moment later.
 */
export function serverMoves(owner: Owner, before: NetworkState, after: NetworkState): readonly ServerCommand[] {
  const old = backEndsOf(owner, before);
  return [...backEndsOf(owner, after)].flatMap(([backEnd, servers]): readonly ServerCommand[] => {
    const had = old.get(backEnd);
    if (had === undefined || servers.size === 0) return [];
    const left = [...had].filter((server) => !servers.has(server));
    const came = [...servers].filter((server) => !had.has(server));
    const isBelieved = came.length === servers.size;
    return [
      ...came.flatMap((server): readonly ServerCommand[] => [
        { backEnd, server, state: 'ready' },
        ...(isBelieved ? [{ backEnd, server, state: 'healthy' as const }] : []),
      ]),
      ...left.map((server) => ({ backEnd, server, state: 'drain' as const })),
    ];
  });
}

/**
 * All of it, for when it is not known what HAProxy was told: who told it may have ended before it was written, and a person's
 * "Apply" on the router makes it forget. What is so already changes nothing there. Back ends without a server are left alone as
 * above.
 */
export function serverStates(owner: Owner, state: NetworkState): readonly ServerCommand[] {
  return [...placesOf(owner, state)].flatMap(([backEnd, { backends, standby }]): readonly ServerCommand[] =>
    backends.length === 0
      ? []
      : [
          ...backends.map(({ node }): ServerCommand => ({ backEnd, server: node, state: 'ready' })),
          ...standby.map(({ node }): ServerCommand => ({ backEnd, server: node, state: 'maint' })),
        ],
  );
}

function backEndsOf(owner: Owner, state: NetworkState): ReadonlyMap<string, ReadonlySet<string>> {
  const places = [...placesOf(owner, state)];
  return new Map(places.map(([name, { backends }]) => [name, new Set(backends.map(({ node }) => node))]));
}

interface Servers {
  readonly backends: readonly Backend[];
  readonly standby: readonly Backend[];
}

function placesOf(owner: Owner, { balancers }: NetworkState): ReadonlyMap<string, Servers> {
  return new Map(
    balancers.flatMap((balancer): readonly (readonly [string, Servers])[] =>
      balancer.kind === 'tcp'
        ? [[tcpBackEndName(owner, balancer), balancer]]
        : balancer.routes.map((route) => [httpBackEndName(owner, balancer, route), route]),
    ),
  );
}
