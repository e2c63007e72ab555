// Why a boot stopped, in a person's words, from what was seen of it and what was not.
import { staticBootFiles } from '@labwright/core/blueprint/static-boot-files';
import { platformName } from '../dhcp/boot-client.ts';
import type { BootSession } from './boot-session.ts';

/** One sentence of where it stopped and the likely reason. */
export function explainStall(session: BootSession, now: number): string {
  return `${where(session)} and then nothing came for ${seconds(now - session.seenAt)}: ${likelyReason(session)}`;
}

function where(session: BootSession): string {
  const { seen } = session;
  switch (session.stage) {
    case 'offered':
      if (seen.noBootFile !== undefined) return 'it asked for something to boot';
      if (seen.acknowledged) return 'it took an address';
      return session.mode === 'router' ? 'it asked for an address' : 'it was offered an address and a file to boot';
    case 'loader':
      return `it asked for ${seen.tftp?.file ?? 'its boot loader'}`;
    case 'script':
      return 'iPXE fetched its script';
    case 'kernel':
      return `it was fetching ${transferText(session) ?? 'the kernel'}`;
    case 'started':
      return 'the installer started';
    case 'installing':
      return 'the installer was writing the disk';
    case 'installed':
      return 'the disk was finished';
    case 'ready':
    case 'refused':
      return 'it ended';
  }
}

function likelyReason(session: BootSession): string {
  switch (session.stage) {
    case 'offered':
      return reasonBeforeLoader(session);
    case 'loader':
      return reasonInLoader(session);
    case 'script':
      return 'iPXE does not reach our HTTP port, or it cannot resolve its route; look at the console';
    case 'kernel':
      return session.seen.transfer !== undefined && session.seen.transfer.sentBytes < session.seen.transfer.sizeBytes
        ? 'the transfer broke off; the network or the machine went away'
        : 'the kernel did not start or has no driver for its network card; look at the console';
    case 'started':
    case 'installing':
      return 'the installer hangs or lost the network; look at the console';
    case 'installed':
      return 'the installed system did not start or does not reach us; look at the console';
    case 'ready':
    case 'refused':
      return 'nothing more was expected';
  }
}

function reasonBeforeLoader(session: BootSession): string {
  const { seen, mode } = session;
  if (seen.noBootFile !== undefined) return seen.noBootFile;
  // UEFI takes an offer that says PXEClient without option 43 as a promise that somebody answers on port 4011 of
  // that server (edk2, PxeBcDhcp4: "BINL").
  const binl = [...seen.otherOffers.values()].find((offer) => offer.saysPxe && !offer.hasVendorOptions);
  if (binl !== undefined && !seen.askedPort4011) {
    return (
      `the DHCP server ${binl.server} sends option 60 "PXEClient" without option 43, so the firmware waits for an ` +
      `answer on UDP port 4011 of ${binl.server}; remove option 60 there`
    );
  }
  const addressServer = [...seen.otherOffers.values()].find((offer) => offer.givesAddress)?.server;
  if (mode === 'serve' && seen.tookAddressFrom !== undefined) return rival(seen.tookAddressFrom);
  if (mode === 'serve' && !seen.acknowledged) {
    if (addressServer !== undefined) return rival(addressServer);
    return 'it did not take the offer; our broadcast may not reach it (VLAN, firewall, a port still learning)';
  }
  if (mode !== 'serve' && !seen.acknowledged && addressServer === undefined) {
    return `no DHCP server was seen to give it an address, and netboot mode "${mode}" gives none`;
  }
  const misled = mode === 'router' ? reasonOfRouter(session) : undefined;
  if (misled !== undefined) return misled;
  const client = seen.client;
  if (mode !== 'router' && client?.kind === 'ipxe' && client.http)
    return 'iPXE did not reach our HTTP port; a firewall may block it';
  if (mode === 'proxy' && !seen.askedPort4011) {
    return (
      'it asked neither TFTP (UDP port 69) nor the boot server (UDP port 4011); a firewall may block them, ' +
      'or the firmware does not listen to proxy DHCP'
    );
  }
  const firmware = client !== undefined && client.kind !== 'system' ? platformName(client.platform) : 'the firmware';
  return `no TFTP request of ${firmware} arrived; UDP port 69 is blocked on the way to us`;
}

/** What another server told it, where that leads nowhere; undefined when it can have led to us. */
function reasonOfRouter({ seen, machine }: BootSession): string | undefined {
  const { lease, otherOffers } = seen;
  if (lease !== undefined && lease.address !== machine.address) {
    return (
      `${lease.server} leased it ${lease.address} and not its own address ${machine.address}, so the router has no ` +
      `static lease for ${machine.mac}; \`labwright up\` makes one where router.manage has dhcp`
    );
  }
  const offer = lease === undefined ? undefined : otherOffers.get(lease.server);
  if (offer !== undefined && offer.boot === undefined) {
    return `${offer.server} names no boot file; it must be ${fileNames} from our address`;
  }
  if (offer?.boot !== undefined && !isOurs(offer.boot.file)) {
    return `${offer.server} names the boot file ${JSON.stringify(offer.boot.file.slice(0, 100))}; it must be ${fileNames}`;
  }
  if (offer?.boot?.isOurs === false) {
    return `${offer.server} sends it for ${offer.boot.file} to ${offer.boot.nextServer}, which is not our address`;
  }
  if (offer !== undefined) return undefined;
  return (
    `it asked us for nothing: the DHCP server${lease === undefined ? '' : ` ${lease.server}`} names no boot file or another ` +
    `(it must be ${fileNames} from our address), or UDP port 69 is blocked on the way to us`
  );
}

const fileNames = `${staticBootFiles.bios} for BIOS and ${staticBootFiles.uefi} for UEFI`;

function isOurs(file: string): boolean {
  return Object.values(staticBootFiles).some((name) => name === file);
}

function rival(server: string): string {
  return `another DHCP server, ${server}, answered first; switch it off for this machine or use netboot mode "proxy"`;
}

function reasonInLoader(session: BootSession): string {
  const { tftp } = session.seen;
  if (tftp === undefined || tftp.outcome === 'running' || tftp.outcome === 'failed') {
    const why = tftp?.why === undefined ? '' : ` (${tftp.why})`;
    return `the TFTP transfer did not end${why}; a firewall may let port 69 through but not the ports the data comes from`;
  }
  return 'the loader did not start; with Secure Boot on, firmware refuses one that is not signed';
}

function transferText(session: BootSession): string | undefined {
  const { transfer } = session.seen;
  if (transfer === undefined) return undefined;
  const mib = (bytes: number): string => (bytes / 1024 / 1024).toFixed(1);
  return `the ${transfer.name} (${mib(transfer.sentBytes)} of ${mib(transfer.sizeBytes)} MiB)`;
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
}
