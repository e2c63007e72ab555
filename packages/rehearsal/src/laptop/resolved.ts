// Names on the laptop: Debian's systemd-resolved, as on the laptops of many, between its programs and the resolver of the LAN. It keeps
// answers, also that a name does not exist, for as long as the resolver says.

/** Where it answers programs of the laptop. */
export const stubAddress = '127.0.0.53';

/** resolved.conf: it asks the LAN's resolver and nobody else. */
export function formatResolvedConfig(resolver: string, domain: string): string {
  return [
    '[Resolve]',
    `DNS=${resolver}`,
    `Domains=${domain}`,
    // Without this line, servers on the Internet.
    'FallbackDNS=',
    'LLMNR=no',
    'MulticastDNS=no',
    'DNSSEC=no',
    'DNSOverTLS=no',
    '',
  ].join('\n');
}
