// From the state of the cluster to what should be reachable from the house, and under which names and addresses. Pure: the same state
// gives the same answer, in whatever order it is told.
//
//   objects ─► drafts, oldest first ─► addresses ─► ports ─► names ─► routes ─► exposures
//                       └─────────────────┴───────────┴────────┴─────────┴────► refusals
import { type Ipv4, parseIpv4 } from '@labwright/core/addresses/ipv4';
import { serviceOfSlice, type ExposedService, type ExposedSlice } from '../cluster/exposed-kinds.ts';
import { type AddressWish, type GivenAddress, planAddresses } from './address-plan.ts';
import { byAge, type Draft, type DraftContext, refuse } from './draft.ts';
import { draftIngress } from './draft-ingress.ts';
import { draftService } from './draft-service.ts';
import { compareText, eligibleNodes, knownNodes } from './eligible-nodes.ts';
import type {
  ExposedPort,
  Exposure,
  ExposureDecision,
  ExposureFacts,
  ExposureKey,
  ExposureSettings,
  HttpRoute,
  Refusal,
} from './exposure.ts';
import { refuseName } from './names.ts';

/** All that the router routes by host and path shares one address, which is held under this key. */
export const routerIngressKey: ExposureKey = 'Ingress *';

export function decideExposures(facts: ExposureFacts, settings: ExposureSettings): ExposureDecision {
  const context = prepare(facts);
  const drafted = [
    ...facts.services.map((service) => draftService(service, settings, context)),
    ...facts.ingresses.map((ingress) => draftIngress(ingress, settings, context)),
  ];
  const drafts = drafted.flatMap(({ draft }) => (draft === undefined ? [] : [draft])).toSorted(byAge);
  const refusals = drafted.flatMap((each) => each.refusals);

  const addressed = giveAddresses(drafts, facts, settings, refusals);
  const reachable = keepPorts(addressed, settings, refusals);
  const names = giveNames(drafts, new Set(reachable.map(({ draft }) => draft.key)), settings, refusals);
  const routes = giveRoutes(reachable, refusals);
  const exposures = reachable.map(({ draft, addresses, ports }): Exposure => {
    const { key, source, balancer, loadBalancerClass, sourceRanges, affinity } = draft;
    return {
      key,
      source,
      names: names.get(key) ?? [],
      addresses,
      balancer,
      ...(loadBalancerClass === undefined ? {} : { loadBalancerClass }),
      ports,
      routes: routes.get(key) ?? [],
      ...(sourceRanges === undefined ? {} : { sourceRanges }),
      affinity,
    };
  });
  return { exposures: exposures.toSorted(byKey), refusals: refusals.toSorted(byKey) };
}

const byKey = (one: { readonly key: string }, other: { readonly key: string }): number =>
  compareText(one.key, other.key);

function prepare({ services, slices, nodes, power }: ExposureFacts): DraftContext {
  const owned = new Map<string, ExposedSlice[]>();
  for (const slice of slices) {
    const owner = serviceOfSlice(slice);
    if (owner === undefined) continue;
    const key = `${slice.metadata.namespace ?? 'default'}/${owner}`;
    const known = owned.get(key);
    if (known === undefined) owned.set(key, [slice]);
    else known.push(slice);
  }
  const named = (service: ExposedService) =>
    [`${service.metadata.namespace ?? 'default'}/${service.metadata.name}`, service] as const;
  return {
    nodes: eligibleNodes(nodes, power),
    knownNodes: knownNodes(nodes),
    services: new Map(services.map(named)),
    slices: owned,
  };
}

interface Addressed {
  readonly draft: Draft;
  readonly addresses: readonly string[];
}

interface Reachable extends Addressed {
  readonly ports: readonly ExposedPort[];
}

/** The router's get theirs from us; all others have what their status says. */
function giveAddresses(
  drafts: readonly Draft[],
  { held }: ExposureFacts,
  { range, takenAddresses, usedAddresses, unseen }: ExposureSettings,
  refusals: Refusal[],
): readonly Addressed[] {
  const taken = new Map(takenAddresses);
  for (const { balancer, statusAddresses, key } of drafts) {
    if (balancer === 'router') continue;
    for (const address of statusAddresses.flatMap((text) => parseIpv4(text) ?? [])) {
      if (!taken.has(address)) taken.set(address, key);
    }
  }
  const wishes = new Map<ExposureKey, AddressWish>();
  for (const draft of drafts) {
    if (draft.balancer !== 'router') continue;
    const key = wishKey(draft);
    const current = [...(held.has(key) ? [held.get(key) ?? ''] : []), ...draft.statusAddresses];
    const earlier = wishes.get(key);
    // Of those that share one the oldest says which.
    const wanted = earlier?.wanted ?? draft.wantedAddress;
    wishes.set(key, {
      key,
      ...(wanted === undefined ? {} : { wanted }),
      current: [...(earlier?.current ?? []), ...current],
    });
  }
  const plan = () => planAddresses([...wishes.values()], { range, taken, usedAddresses, unseen });
  let given = plan();
  const shared = wishes.get(routerIngressKey);
  const refused = given.get(routerIngressKey);
  if (shared?.wanted !== undefined && refused !== undefined && isAboutWish(refused)) {
    // One Ingress asked for what it cannot have: that withdraws none of the others.
    const { wanted, ...without } = shared;
    const asking = drafts.filter((draft) => wishKey(draft) === routerIngressKey && draft.wantedAddress === wanted);
    refusals.push(...asking.map((draft) => refuseAddress(draft, refused)));
    wishes.set(routerIngressKey, without);
    given = plan();
  }
  return drafts.flatMap((draft): Addressed[] => {
    if (draft.balancer !== 'router') return [{ draft, addresses: draft.statusAddresses }];
    const answer = given.get(wishKey(draft));
    if (answer?.kind === 'given') {
      const { address } = answer;
      const isShared = draft.source.kind === 'Ingress' && draft.wantedAddress !== address;
      if (isShared && draft.wantedAddress !== shared?.wanted) refusals.push(...refuseShared(draft, address));
      return [{ draft, addresses: [address] }];
    }
    if (answer !== undefined) refusals.push(refuseAddress(draft, answer));
    return [];
  });
}

/** Whether the very address that was asked for is in the way. */
function isAboutWish(answer: GivenAddress): answer is Exclude<GivenAddress, { readonly kind: 'given' }> {
  return ['no-address', 'outside', 'taken', 'used'].includes(answer.kind);
}

function refuseShared({ source, wantedAddress: wanted }: Draft, address: Ipv4): readonly Refusal[] {
  if (wanted === undefined) return [];
  const why = `Ingress ${source.name} asks for the address ${wanted.slice(0, 60)}, and all that the router routes by host and path shares ${address}`;
  return [
    refuse(source, 'address', { subject: wanted, why, fix: 'remove labwright.dev/address, or ask for the same' }),
  ];
}

const wishKey = ({ source, key }: Draft): ExposureKey => (source.kind === 'Ingress' ? routerIngressKey : key);

function refuseAddress({ source }: Draft, answer: Exclude<GivenAddress, { readonly kind: 'given' }>): Refusal {
  const other = 'ask for another one, or for none and take what is free';
  switch (answer.kind) {
    case 'no-range':
      return refuse(source, 'no-range', {
        subject: source.name,
        why: `${source.kind} ${source.name} gets no address: the network has no range for services`,
        fix: 'add services: FIRST-LAST to the network of the machines in the lab file',
      });
    case 'full': {
      const { range, used } = answer;
      const others = [...new Set(used.map(({ what }) => what))].slice(0, 3).join(', ');
      const words = others === '' ? '' : `, some of them on the router: ${others}`;
      return refuse(source, 'range-full', {
        subject: source.name,
        why: `${source.kind} ${source.name} gets no address: all of ${range.first}-${range.last} are in use${words}`,
        fix: 'widen services of the network in the lab file, or delete a Service of type LoadBalancer',
      });
    }
    case 'no-address':
      return refuse(source, 'address', {
        subject: answer.wanted,
        why: `"${answer.wanted.slice(0, 60)}" is not an IPv4 address`,
        fix: other,
      });
    case 'outside': {
      const { wanted, range } = answer;
      const why = `${wanted} is not in the range for services, ${range.first}-${range.last}`;
      return refuse(source, 'address', { subject: wanted, why, fix: other });
    }
    case 'taken': {
      const why = `${answer.wanted} is the address of ${answer.owner}`;
      return refuse(source, 'address-taken', { subject: answer.wanted, why, fix: other });
    }
    case 'used': {
      const { wanted, what } = answer;
      return refuse(source, 'address-used', { subject: wanted, why: `${wanted} is ${what}`, fix: other });
    }
    case 'unseen':
      return refuse(source, 'router-unseen', {
        subject: source.name,
        why: `${source.kind} ${source.name} gets no address yet: ${answer.why}, and which addresses and ports are free is not known`,
        fix: 'it goes on by itself when the router answers (labwright doctor says what it misses)',
      });
  }
}

/** Without those that the router has itself; what has none left is not exposed. */
function keepPorts(
  addressed: readonly Addressed[],
  { routerPorts }: ExposureSettings,
  refusals: Refusal[],
): readonly Reachable[] {
  return addressed.flatMap(({ draft, addresses }): Reachable[] => {
    if (draft.balancer !== 'router') return [{ draft, addresses, ports: draft.ports }];
    const ports = draft.ports.filter(({ port, protocol }) => {
      const own = routerPorts.find(
        (each) => each.port === port && (each.address === undefined || addresses.includes(each.address)),
      );
      if (own === undefined) return true;
      refusals.push(
        refuse(draft.source, 'port-reserved', {
          subject: `${port}/${protocol}`,
          why: `port ${port} is used by ${own.purpose} on the router, on this address too`,
          fix: 'choose another port, or let the router use it on its own address only',
        }),
      );
      return false;
    });
    return ports.length === 0 ? [] : [{ draft, addresses, ports }];
  });
}

/**
 * A name goes to the oldest that wants it, also while that one lacks an address: it would take the name back later. Ingresses
 * of one class end in one place and share, up to one that is younger than somebody else who waits for the name.
 */
function giveNames(
  drafts: readonly Draft[],
  reachable: ReadonlySet<ExposureKey>,
  settings: ExposureSettings,
  refusals: Refusal[],
): ReadonlyMap<ExposureKey, readonly string[]> {
  /** Who has the name, or is the first to wait for it. */
  const claims = new Map<string, { readonly owner: Draft; next?: Draft }>();
  const given = new Map<ExposureKey, readonly string[]>();
  for (const draft of drafts) {
    const tell = (refusal: Refusal): false => {
      if (reachable.has(draft.key)) refusals.push(refusal);
      return false;
    };
    const own = draft.wantedNames.filter((name) => {
      const refused = refuseName(name, settings);
      if (refused !== undefined) return tell(refuse(draft.source, refused.reason, refused));
      const claim = claims.get(name);
      if (claim === undefined) {
        claims.set(name, { owner: draft });
        return true;
      }
      const before = endTogether(claim.owner, draft) ? claim.next : claim.owner;
      if (before !== undefined) {
        claim.next ??= draft;
        const why = `${name} ${before === claim.owner ? 'is the name of' : 'is wanted by'} ${before.key}, which is older`;
        return tell(refuse(draft.source, 'name-taken', { subject: name, why, fix: 'choose another name' }));
      }
      return true;
    });
    given.set(draft.key, own);
  }
  return given;
}

function endTogether(one: Draft, other: Draft): boolean {
  const isIngress = one.source.kind === 'Ingress' && other.source.kind === 'Ingress';
  return isIngress && one.balancer === other.balancer && one.loadBalancerClass === other.loadBalancerClass;
}

/** A host and path goes to the oldest that wants it. */
function giveRoutes(
  reachable: readonly Reachable[],
  refusals: Refusal[],
): ReadonlyMap<ExposureKey, readonly HttpRoute[]> {
  const owners = new Map<string, ExposureKey>();
  const given = new Map<ExposureKey, readonly HttpRoute[]>();
  for (const { draft } of reachable) {
    const own = draft.routes.filter(({ host, path, match }) => {
      const place = `${match} ${host}${path}`;
      const owner = owners.get(place);
      if (owner === undefined) {
        owners.set(place, draft.key);
        return true;
      }
      const subject = `${host}${path}`;
      const why =
        owner === draft.key ? `${subject} stands in it twice` : `${subject} leads where ${owner} says, which is older`;
      refusals.push(refuse(draft.source, 'route-taken', { subject, why, fix: 'choose another host or path' }));
      return false;
    });
    given.set(draft.key, own);
  }
  return given;
}

/** For the `held` of the next decision: what must not move, though its status may not be written yet. */
export function heldAddresses({ exposures }: ExposureDecision): ReadonlyMap<ExposureKey, Ipv4> {
  const held = new Map<ExposureKey, Ipv4>();
  for (const { balancer, source, key, addresses } of exposures) {
    const [address] = addresses.flatMap((text) => parseIpv4(text) ?? []);
    if (balancer !== 'router' || address === undefined) continue;
    held.set(source.kind === 'Ingress' ? routerIngressKey : key, address);
  }
  return held;
}
