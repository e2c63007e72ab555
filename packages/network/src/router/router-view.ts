// What a router says of itself that decisions about exposures go by: its own ports, and who has addresses on it. Pure.
import { type Ipv4Range, parseIpv4 } from '@labwright/core/addresses/ipv4';
import type { Owner } from '@labwright/drivers/pfsense/config/mark';
import { addressUses, findRangeUse, usesOfOthers } from '@labwright/drivers/pfsense/edits/address-use';
import { ownPorts } from '@labwright/drivers/pfsense/edits/router-use';
import type { RouterState } from '@labwright/drivers/pfsense/router-state';
import type { RouterView } from '../exposures/exposure.ts';

export function viewRouter({ document }: Pick<RouterState, 'document'>, owner: Owner): RouterView {
  const uses = addressUses(document);
  const others = usesOfOthers(uses, owner);
  const ours = uses.filter((use) => use.kind === 'virtual address' && !others.includes(use));
  return {
    ports: ownPorts(document)
      .filter(({ isShared }) => !isShared)
      .map(({ port, holder }) => ({ port: Number(port), purpose: holder })),
    used: others.map(({ range, what }) => ({ range, what })),
    placed: ours.flatMap(({ range }) => parseIpv4(range.first) ?? []),
  };
}

/** What others have of the range for services, one phrase each. */
export function findServicesUse(
  { document }: Pick<RouterState, 'document'>,
  owner: Owner,
  range: Ipv4Range,
): readonly string[] {
  return findRangeUse(usesOfOthers(addressUses(document), owner), range);
}
