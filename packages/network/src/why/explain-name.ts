// Why does a name not answer? Hop by hop, from the record to the pod, over what is known. Pure.
//
//   record ─► resolver ─► balancer ─► node port ─► endpoint ─► pod
//
// The first hop that fails is what a client meets. Those after it are told as well: the cause often lies there.
import { normalName } from '../exposures/annotations.ts';
import type { Exposure } from '../exposures/exposure.ts';
import { clusterHops } from './cluster-hops.ts';
import { backendsOf, explainBarred, formatPlace, type Hop, placesOf } from './hop.ts';
import type { NameLook, WhyFacts } from './why-facts.ts';

export interface WhyReport {
  readonly name: string;
  /** Of all six, in their order; only the record when nothing has the name. */
  readonly hops: readonly Hop[];
  /** The first that fails. */
  readonly failing?: Hop;
  /** "web.svc fails at the node port: …" */
  readonly verdict: string;
}

export function explainName(asked: string, facts: WhyFacts): WhyReport {
  const name = normalName(asked);
  const exposures = facts.decision.exposures.filter(({ names }) => names.includes(name));
  const hops =
    exposures.length === 0
      ? [explainMissing(name, facts)]
      : [
          explainRecord(name, exposures, facts.records),
          explainResolver(name, exposures, facts.resolvers),
          explainBalancer(exposures, facts),
          ...clusterHops(exposures, facts),
        ];
  const failing = hops.find(({ state }) => state === 'fails');
  return { name, hops, ...(failing === undefined ? {} : { failing }), verdict: verdictOf(name, hops, failing) };
}

function verdictOf(name: string, hops: readonly Hop[], failing: Hop | undefined): string {
  if (failing !== undefined) return `${name} fails at the ${failing.hop}: ${failing.words}`;
  const unseen = hops.filter(({ state }) => state === 'unknown').map(({ hop }) => hop);
  if (unseen.length === 0) return `${name} answers, and so does every hop`;
  return `no hop of ${name} is seen to fail; not known: ${unseen.join(', ')}`;
}

/** Refused, or asked for by nothing. */
function explainMissing(name: string, { decision, cluster }: WhyFacts): Hop {
  const refusal = decision.refusals.find(({ subject }) => subject === name);
  if (refusal !== undefined) {
    return { hop: 'record', state: 'fails', words: `${refusal.key} may not have it: ${refusal.why}`, fix: refusal.fix };
  }
  const asking = [
    ...cluster.services.map((object) => ({ kind: 'Service', object })),
    ...cluster.ingresses.map((object) => ({ kind: 'Ingress', object })),
  ].find(({ object }) =>
    JSON.stringify([object.metadata.annotations, object.spec]).toLowerCase().includes(`"${name}"`),
  );
  const key =
    asking === undefined
      ? undefined
      : `${asking.kind} ${asking.object.metadata.namespace ?? 'default'}/${asking.object.metadata.name}`;
  const own = decision.refusals.find((each) => each.key === key);
  if (key !== undefined && own !== undefined) {
    return { hop: 'record', state: 'fails', words: `${key} has it and is not exposed: ${own.why}`, fix: own.fix };
  }
  return {
    hop: 'record',
    state: 'fails',
    words: `no Service of type LoadBalancer and no Ingress asks for ${name}`,
    fix: `annotate the Service with labwright.dev/hostname: ${name}`,
  };
}

const addressesOf = (exposures: readonly Exposure[]): readonly string[] =>
  [...new Set(exposures.flatMap(({ addresses }) => addresses))].toSorted();

function explainRecord(name: string, exposures: readonly Exposure[], looks: readonly NameLook[]): Hop {
  const wanted = addressesOf(exposures);
  const [first] = exposures;
  if (wanted.length === 0 && first !== undefined) {
    const giver = first.balancer === 'metallb' ? 'MetalLB' : 'its controller';
    return {
      hop: 'record',
      state: 'fails',
      words: `${first.key} has no address yet, which ${giver} gives`,
      fix: `kubectl describe ${first.source.kind.toLowerCase()} --namespace ${first.source.namespace} ${first.source.name}`,
    };
  }
  return explainLooks('record', name, wanted, looks, 'holds', 'labwright router diff');
}

function explainResolver(name: string, exposures: readonly Exposure[], looks: readonly NameLook[]): Hop {
  const domain = name.slice(name.indexOf('.') + 1);
  const fix = `give the resolver a domain override for ${domain} that leads to the name server, or ask again in 5 s`;
  return explainLooks('resolver', name, addressesOf(exposures), looks, 'answers', fix);
}

function explainLooks(
  hop: 'record' | 'resolver',
  name: string,
  wanted: readonly string[],
  looks: readonly NameLook[],
  verb: string,
  fix: string,
): Hop {
  if (looks.length === 0) return { hop, state: 'unknown', words: `nobody was asked for ${name}` };
  for (const { by, answer } of looks) {
    if (answer.kind === 'silent') return { hop, state: 'fails', words: `${by} does not answer: ${answer.why}` };
    if (answer.kind === 'no-name') return { hop, state: 'fails', words: `${by} knows no ${name}`, fix };
    const given = answer.addresses.toSorted();
    if (given.join() === wanted.join()) continue;
    const words = `${by} ${verb} ${given.join(', ') || 'no address'} for ${name}, and it is ${wanted.join(', ') || 'none'}`;
    return { hop, state: 'fails', words, fix };
  }
  const all = looks.map(({ by }) => by).join(', ');
  return { hop, state: 'ok', words: `${name} is ${wanted.join(', ')}, ${all} ${looks.length === 1 ? 'says' : 'say'}` };
}

function explainBalancer(
  exposures: readonly Exposure[],
  { connections, from }: Pick<WhyFacts, 'connections' | 'from'>,
): Hop {
  const hop = 'balancer';
  const empty = exposures.find((exposure) => exposure.balancer === 'router' && backendsOf(exposure).length === 0);
  if (empty !== undefined) {
    const words = `the router has nowhere to send connections for ${empty.key}`;
    return { hop, state: 'fails', words, fix: 'look at the endpoint and the nodes below' };
  }
  const barred = exposures.flatMap((exposure) => explainBarred(exposure, from) ?? []);
  const [first] = barred;
  if (first !== undefined && barred.length === exposures.length) return { hop, state: 'unknown', words: first };
  const open = exposures.filter((exposure) => explainBarred(exposure, from) === undefined);
  const places = open.flatMap(placesOf).map(({ address, port }) => formatPlace(address, port));
  const tried = places.filter((place) => connections.has(place));
  const broken = tried.find((place) => connections.get(place) !== 'answers');
  const who =
    exposures[0]?.balancer === 'router' ? 'the router' : exposures[0]?.balancer === 'metallb' ? 'MetalLB' : 'it';
  if (broken !== undefined) {
    const how = connections.get(broken) === 'refused' ? 'refuses connections' : 'does not answer';
    const fix = who === 'MetalLB' ? 'kubectl --namespace metallb-system get pods' : 'labwright router diff';
    return { hop, state: 'fails', words: `${broken} (${who}) ${how}`, fix };
  }
  if (tried.length === 0) return { hop, state: 'unknown', words: `no connection to ${places.join(', ')} was tried` };
  return { hop, state: 'ok', words: `${tried.join(', ')} (${who}) takes connections` };
}
