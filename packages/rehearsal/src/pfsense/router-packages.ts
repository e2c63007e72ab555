// Programs of the emulated router, for a Debian root of its own in the cache: PHP for what clients send, the servers that pfSense has,
// and the tools its users and our clients reach for on it.

export const routerPackages = [
  ...['php8.2-cli', 'php8.2-xml', 'php8.2-mbstring'],
  ...['unbound', 'dnsmasq-base', 'haproxy', 'isc-dhcp-server', 'kea-dhcp4-server'],
  ...['iproute2', 'procps', 'openssl', 'ldnsutils', 'bind9-dnsutils', 'curl', 'netcat-openbsd'],
] as const;
