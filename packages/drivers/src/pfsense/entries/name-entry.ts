// Names as the router's resolver and forwarder keep them: host overrides with aliases, and domain overrides.
import { isIPv4, isIPv6 } from 'node:net';
import { parseHostName } from '@labwright/core/addresses/names';
import { LabwrightError } from '@labwright/core/errors/error';
import type { ConfigMap } from '../config/config-value.ts';
import { type Mark, formatMark } from '../config/mark.ts';
import { places } from '../config/place.ts';
import type { OwnedEntry } from '../edits/plan-edits.ts';

/** Which program answers names on the router: Unbound (DNS Resolver) or dnsmasq (DNS Forwarder). */
export type NameServer = 'unbound' | 'dnsmasq';

export interface HostName {
  /** "web.svc"; at least two labels, since the router keeps host and domain apart. */
  readonly name: string;
  /** IPv4 and IPv6. */
  readonly addresses: readonly string[];
  readonly aliases?: readonly string[];
}

/** Unbound takes all addresses in one entry; dnsmasq one address an entry, so there the marks are counted on. */
export function hostEntries(mark: Mark, host: HostName, server: NameServer): readonly OwnedEntry[] {
  const aliases = (host.aliases ?? []).map((alias) => ({ ...splitName(alias), description: '' }));
  const entry = (at: Mark, ip: string): ConfigMap => ({
    ...splitName(host.name),
    ip,
    descr: formatMark(at),
    aliases: aliases.length === 0 ? '' : { item: aliases },
  });
  const addresses = host.addresses.map(checkAddress);
  if (server === 'unbound') {
    return [{ place: places.resolverHosts, mark, value: entry(mark, addresses.join(',')) }];
  }
  return addresses.map((address, index) => {
    const at = index === 0 ? mark : { ...mark, key: `${mark.key}~${index + 1}` };
    return { place: places.forwarderHosts, mark: at, value: entry(at, address) };
  });
}

export interface DomainOverride {
  readonly domain: string;
  readonly address: string;
  /** Port of the name server there; 53 unless given. */
  readonly port?: number;
}

/** Hands a domain to another name server. A port is written "address@port" by Unbound, "address#port" by dnsmasq. */
export function domainEntry(mark: Mark, override: DomainOverride, server: NameServer): OwnedEntry {
  for (const label of override.domain.split('.')) checkLabel(label, override.domain);
  const sign = server === 'unbound' ? '@' : '#';
  const port = override.port === undefined || override.port === 53 ? '' : `${sign}${override.port}`;
  return {
    place: server === 'unbound' ? places.resolverDomains : places.forwarderDomains,
    mark,
    value: { domain: override.domain, ip: checkAddress(override.address) + port, descr: formatMark(mark) },
  };
}

function splitName(name: string): { readonly host: string; readonly domain: string } {
  const labels = name.split('.');
  for (const label of labels) checkLabel(label, name);
  const [host = '', ...domain] = labels;
  if (domain.length === 0 || name.length > 253)
    throw badName(name, 'it needs a domain, and has at most 253 characters');
  return { host, domain: domain.join('.') };
}

function checkLabel(label: string, name: string): void {
  if (parseHostName(label) !== undefined) return;
  throw badName(name, label === '*' ? 'the router has no wildcards' : `"${label}" is no part of a DNS name`);
}

function badName(name: string, why: string): LabwrightError {
  return new LabwrightError('LW8009', {
    what: `the name "${name}" cannot be given on the router`,
    why,
    fix: ['use lower-case letters, digits and dashes, like web.svc'],
  });
}

function checkAddress(address: string): string {
  if (isIPv4(address) || isIPv6(address)) return address;
  throw new LabwrightError('LW8009', { what: `"${address}" is no address`, fix: ['write an IPv4 or IPv6 address'] });
}
