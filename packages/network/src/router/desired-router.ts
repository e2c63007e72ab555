// All that should be on the router: what follows from the lab file and what from the cluster, as one. Pure.
import type { Ipv4 } from '@labwright/core/addresses/ipv4';
import type { Blueprint, RouterPart } from '@labwright/core/blueprint/blueprint';
import type { Owner } from '@labwright/drivers/pfsense/config/mark';
import { formatPlace, leasesOf, places, type Place } from '@labwright/drivers/pfsense/config/place';
import type { NetworkBoot } from '@labwright/drivers/pfsense/entries/lease-entry';
import type { DesiredRouter } from '@labwright/drivers/pfsense/keeper/desired';
import { interfaceFor, type RouterSetup } from '@labwright/drivers/pfsense/router-setup';
import type { NetworkState } from '../controller/network-end.ts';
import { exposedPrefix, labPrefix, ownerOf } from './entry-names.ts';
import { exposureEntries, type ExposureEntries, type ExposureParts } from './exposure-entries.ts';
import { labEntries, type LabPart } from './lab-entries.ts';

/**
 * 'kept': what is there of it stays as it is, because what should be is not known yet. 'gone': the lab was destroyed, and with
 * it whatever its cluster exposed.
 */
export interface RouterWish {
  readonly lab: LabPart | 'kept' | 'none' | 'gone';
  readonly exposures: NetworkState | 'kept' | 'none';
}

/** What follows from the lab file and does not change with what is wanted. */
export interface RouterTerms {
  readonly owner: Owner;
  readonly manage: readonly RouterPart[];
  /** Names of what is exposed are told by a name server of our own, not by the router. */
  readonly hasNameServer: boolean;
  /** An address in the network of the machines. */
  readonly machineNetwork: Ipv4;
}

export interface RouterDesire {
  readonly desired: DesiredRouter;
  readonly exposed: Pick<ExposureEntries, 'subjects' | 'problems'>;
  /** Of the lab file. */
  readonly problems: readonly string[];
}

export function desireRouter(terms: RouterTerms, wish: RouterWish, setup: RouterSetup): RouterDesire {
  const { owner, manage } = terms;
  const nothing = { entries: [], problems: [] };
  // While HAProxy is off, what is there for it stays, and nothing is added. What goes whole still goes from one that is there.
  const isIdle =
    manage.includes('haproxy') && (setup.balancer === 'absent' || (setup.balancer === 'off' && wish.lab !== 'gone'));
  const idle = new Set(isIdle ? placesOf(['haproxy'], setup).map(formatPlace) : []);
  const lab = typeof wish.lab === 'string' ? nothing : labEntries(owner, wish.lab, setup);
  const exposures = wish.lab === 'gone' ? 'none' : wish.exposures;
  const exposed =
    typeof exposures === 'string'
      ? { ...nothing, subjects: new Map() }
      : exposureEntries(owner, exposures, setup, exposureParts(terms, isIdle));
  const keeps = [...(wish.lab === 'kept' ? [labPrefix] : []), ...(exposures === 'kept' ? [exposedPrefix] : [])];
  const boot = wish.lab === 'kept' ? undefined : sectionBoot(terms, wish.lab, setup);
  return {
    desired: {
      owner,
      entries: [...lab.entries, ...exposed.entries].filter(({ place }) => !idle.has(formatPlace(place))),
      managed: placesOf(manage, setup).filter((place) => !idle.has(formatPlace(place))),
      // A plan shows what goes before it goes: until one was applied it stays.
      released: wish.lab === 'kept' ? [] : placesOf(releasedParts(manage), setup),
      keeps,
      ...(boot === undefined ? {} : { boot }),
    },
    exposed,
    problems: lab.problems,
  };
}

function exposureParts({ manage, hasNameServer }: RouterTerms, isIdle: boolean): ExposureParts {
  const balancers = isIdle ? 'idle' : manage.includes('haproxy');
  return { names: manage.includes('dns') && !hasNameServer, balancers };
}

export function routerTerms(blueprint: Blueprint): RouterTerms {
  return {
    owner: ownerOf(blueprint.lab),
    manage: blueprint.router?.manage ?? [],
    hasNameServer: blueprint.exposures.nameServer !== undefined,
    machineNetwork: blueprint.network.gateway,
  };
}

const allParts: readonly RouterPart[] = ['dhcp', 'dns', 'haproxy'];

/** What of the router is its owner's alone, and may still have entries of ours from when it was not. */
export function releasedParts(manage: readonly RouterPart[]): readonly RouterPart[] {
  return allParts.filter((part) => !manage.includes(part));
}

/** Everywhere where entries of ours may lie, managed or not. */
export function allPlaces(setup: RouterSetup): readonly Place[] {
  return placesOf(allParts, setup);
}

/** Both name servers: what the other one still has of ours from before goes. */
function placesOf(parts: readonly RouterPart[], { interfaces }: RouterSetup): readonly Place[] {
  return [
    ...(parts.includes('dhcp') ? interfaces.map(({ name }) => leasesOf(name)) : []),
    ...(parts.includes('dns')
      ? [places.resolverHosts, places.forwarderHosts, places.resolverDomains, places.forwarderDomains]
      : []),
    ...(parts.includes('haproxy') ? [places.virtualIps, places.backEnds, places.frontEnds] : []),
  ];
}

/** pfSense hands Kea boot files for a whole network only; with ISC they stand in each lease. Ours go where DHCP is not managed any more. */
function sectionBoot(
  { manage, machineNetwork }: RouterTerms,
  lab: Exclude<RouterWish['lab'], 'kept'>,
  setup: RouterSetup,
): ReadonlyMap<string, NetworkBoot | undefined> | undefined {
  if (!manage.includes('dhcp')) return new Map(setup.interfaces.map(({ name }) => [name, undefined]));
  const at = interfaceFor(setup, machineNetwork);
  if (at === undefined) return undefined;
  return new Map([[at.name, typeof lab === 'string' || setup.dhcpBackEnd === 'isc' ? undefined : lab.boot]]);
}
