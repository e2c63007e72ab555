// Offers of other DHCP servers, overheard on the clients' port: they explain many a boot that stops.
import type { DhcpMessage } from '@labwright/wire/dhcp4/message';
import { unsetAddress } from '@labwright/wire/dhcp4/message';
import { messageType } from '@labwright/wire/dhcp4/options';
import type { BootDirectory } from '../boot-network.ts';
import type { OtherOffer } from '../session/boot-session.ts';
import type { BootSessions } from '../session/boot-sessions.ts';
import { macOf } from './boot-client.ts';

/** Takes note of another server's offer to a machine that boots. */
export function overhear(
  message: DhcpMessage,
  context: { readonly ourAddress: string; readonly directory: BootDirectory; readonly sessions: BootSessions },
): void {
  const offer = otherOfferOf(message, context.ourAddress);
  const mac = macOf(message);
  if (offer === undefined || mac === undefined || context.directory.findByMac(mac) === undefined) return;
  const session = context.sessions.current(mac);
  if (session !== undefined) context.sessions.see(session, { type: 'other-offer', offer });
}

function otherOfferOf(message: DhcpMessage, ourAddress: string): OtherOffer | undefined {
  const { messageType: type, serverId, vendorClass, vendorSpecific } = message.options;
  if (message.op !== 'reply' || type !== messageType.offer || serverId === undefined || serverId === ourAddress) {
    return undefined;
  }
  const file = message.options.bootFile ?? message.file;
  return {
    server: serverId,
    givesAddress: message.yiaddr !== unsetAddress,
    saysPxe: vendorClass?.startsWith('PXEClient') === true,
    hasVendorOptions: vendorSpecific !== undefined,
    ...(file === '' ? {} : { boot: { nextServer: message.siaddr, isOurs: message.siaddr === ourAddress, file } }),
  };
}
