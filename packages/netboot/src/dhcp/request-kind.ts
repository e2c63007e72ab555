// What a DHCPREQUEST asks, which only its combination of fields tells. RFC 2131 §4.3.2 table 4
//
//   state        server id   requested ip   ciaddr
//   selecting    set         set            zero
//   init-reboot  -           set            zero
//   renewing     -           -              set
import { unsetAddress, type DhcpMessage } from '@labwright/wire/dhcp4/message';

export type AddressRequest =
  | { readonly kind: 'chose-us'; readonly address: string }
  | { readonly kind: 'chose-other'; readonly server: string }
  | { readonly kind: 'remembers'; readonly address: string }
  | { readonly kind: 'renews'; readonly address: string }
  | { readonly kind: 'unclear' };

export function addressRequestOf(message: DhcpMessage, ourAddress: string): AddressRequest {
  const { serverId, requestedAddress } = message.options;
  if (serverId !== undefined) {
    if (serverId !== ourAddress) return { kind: 'chose-other', server: serverId };
    return { kind: 'chose-us', address: requestedAddress ?? message.ciaddr };
  }
  if (message.ciaddr !== unsetAddress) return { kind: 'renews', address: message.ciaddr };
  if (requestedAddress !== undefined) return { kind: 'remembers', address: requestedAddress };
  return { kind: 'unclear' };
}
