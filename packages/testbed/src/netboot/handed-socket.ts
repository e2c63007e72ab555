// A program that serves network boot from a DHCP socket it was started with, as descriptor 3, as systemd hands one over.
//   node handed-socket.ts ADDRESS NETWORK MAC MACHINE-ADDRESS
import { cidr, ipv4 } from '@labwright/core/addresses/ipv4';
import { mac } from '@labwright/core/addresses/mac';
import { hostName, labId } from '@labwright/core/addresses/names';
import { silentLog } from '@labwright/core/ports/log';
import { systemClock, systemRandom } from '@labwright/core/ports/system';
import { startNetboot } from '@labwright/netboot/netboot';

const [address = '', network = '', machineMac = '', machineAddress = ''] = process.argv.slice(2);
const stop = new AbortController();
process.on('SIGTERM', () => stop.abort());
const machine = {
  name: hostName('node101'),
  mac: mac(machineMac),
  address: ipv4(machineAddress),
  firmware: 'uefi',
  image: 'debian',
  generation: 1,
  lab: labId('home'),
} as const;
await startNetboot(
  {
    network: {
      address: ipv4(address),
      cidr: cidr(network),
      gateway: ipv4(address),
      resolvers: [],
      domain: 'home.arpa',
      httpPort: 8080,
      mode: 'serve',
    },
    directory: {
      findByMac: (asking) => (asking === machine.mac ? machine : undefined),
      findByAddress: () => undefined,
    },
    images: { get: () => Promise.resolve(undefined) },
    loaders: {},
    renderIgnition: () => ({ status: 503, contentType: 'text/plain', body: '' }),
    phoneHome: () => Promise.resolve({ status: 403 }),
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    emit: () => undefined,
    dhcpReceiveFd: 3,
  },
  stop.signal,
);
console.log('ready');
