// An emulated pfSense beside our network boot, and the product's own driver that writes what its DHCP and DNS should say of the
// machines.
import { hostName, labId } from '@labwright/core/addresses/names';
import { systemClock } from '@labwright/core/ports/system';
import { leasesOf, places } from '@labwright/drivers/pfsense/config/place';
import { parseXml } from '@labwright/drivers/pfsense/config/xml-tree';
import { leaseEntry, type DhcpBackEnd } from '@labwright/drivers/pfsense/entries/lease-entry';
import { hostEntries } from '@labwright/drivers/pfsense/entries/name-entry';
import { planRouter, type DesiredRouter } from '@labwright/drivers/pfsense/keeper/desired';
import { RouterKeeper } from '@labwright/drivers/pfsense/keeper/router-keeper';
import type { BootMode } from '@labwright/netboot/boot-network';
import { networkBootOf } from '@labwright/network/router/network-boot';
import { connectRouter } from '../pfsense/router-connection.ts';
import { addRouterPeer, type RouterPeer } from '../pfsense/router-peer.ts';
import { waitFor } from '../rehearsal/running-topology.ts';
import type { BootLan } from './boot-lan.ts';

export interface RouterDhcp {
  readonly router: RouterPeer;
  /** Its DHCP is of this kind, and says of the machines what it should in the mode; network boot is in that mode, too. */
  set(backEnd: DhcpBackEnd, mode: BootMode): Promise<void>;
  stop(): Promise<void>;
}

export async function addRouterDhcp(boot: BootLan): Promise<RouterDhcp> {
  const address = boot.network.gateway;
  const router = await addRouterPeer(boot.lan, address, {
    profile: '2.8.0',
    dhcp: { isOn: true, from: address.replace(/\d+$/, '100'), to: address.replace(/\d+$/, '150') },
  });
  const connection = connectRouter(router);
  const keeper = new RouterKeeper({
    connection,
    clock: systemClock,
    log: { debug: () => undefined, info: () => undefined, warn: console.log, error: console.log },
    holder: 'test',
    probe: async () => new Map(),
    limits: { quietMs: 100, longestMs: 500, verifyMs: 300, writesPerHour: 100 },
    lookEveryMs: 500,
  });
  const stop = new AbortController();
  const kept = keeper.run(stop.signal).catch((error: unknown) => {
    if (!stop.signal.aborted) console.error(error);
  });
  return {
    router,
    set: async (backEnd, mode) => {
      const page = await router.control.openPage();
      await page.save({
        edits: [
          { kind: 'set', path: ['dhcpbackend'], value: backEnd },
          // Nobody else is on this LAN; without it each first lease waits for an echo.
          { kind: 'set', path: ['dhcpd', 'lan', 'disablepingcheck'], value: '' },
        ],
        apply: ['dhcpd'],
      });
      await boot.restart(mode);
      const desired = desire(boot, backEnd);
      keeper.want(desired);
      await waitFor(`the router says what it should (${backEnd}, ${mode})`, 90_000, async () => {
        const plan = planRouter(parseXml(await router.control.fetchConfig()), desired);
        if (plan.conflicts.length > 0) throw new Error(JSON.stringify(plan.conflicts));
        return plan.changes.length === 0 && keeper.standing.kind === 'settled';
      });
    },
    stop: async () => {
      stop.abort();
      await kept;
      await connection.close();
      await router.stop();
    },
  };
}

/** In every mode leases and names; boot files in 'router' mode only, where the back end takes them. */
function desire({ machines, network }: BootLan, backEnd: DhcpBackEnd): DesiredRouter {
  const owner = { lab: labId('home+rehearsal'), cluster: hostName('lab') };
  const boot = networkBootOf(network);
  const entries = machines.flatMap(({ name, mac, address }) => {
    const mark = { ...owner, key: `lab.machine.${name}` };
    return [
      leaseEntry(mark, { interface: 'lan', mac, address, name, ...(boot === undefined ? {} : { boot }) }, backEnd),
      ...hostEntries(mark, { name: `${name}.${network.domain}`, addresses: [address] }, 'unbound'),
    ];
  });
  return {
    owner,
    entries,
    managed: [leasesOf('lan'), places.resolverHosts],
    boot: new Map([['lan', backEnd === 'kea' ? boot : undefined]]),
  };
}
