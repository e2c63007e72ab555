// How many DHCP exchanges a second complete without a drop, by ISC's perfdhcp from a namespace of its own:
//   tools/in-testbed node packages/testbed/src/netboot/dhcp.bench.ts [RATE...]
import { ipv4 } from '@labwright/core/addresses/ipv4';
import { makeBootLan } from './boot-lan.ts';
import { runPerfdhcp } from './perfdhcp.ts';

const rates = process.argv.slice(2).map(Number);
const boot = await makeBootLan({
  bridge: 'bench-lan',
  subnet: 12,
  dynamic: { first: ipv4('10.77.12.60'), last: ipv4('10.77.12.250') },
});
try {
  const peer = await boot.lan.addPeer('bench', '02:00:00:0c:00:50', '10.77.12.50/24');
  console.log(
    'asked/s   done/s   exchanges   drops   delay of an offer and of an acknowledgement (average, largest), ms',
  );
  for (const ratePerSecond of rates.length > 0 ? rates : [500]) {
    const report = await runPerfdhcp({ peer, server: '10.77.12.9', ratePerSecond, seconds: 10, clients: 150 });
    const { discoverOffer, requestAck, output } = report;
    const delays = [...output.matchAll(/(?:avg|max) delay: ([\d.]+)/g)].map(([, delay]) => delay).join(' ');
    const drops = discoverOffer.drops + requestAck.drops;
    console.log(
      `${String(ratePerSecond).padStart(7)} ${report.ratePerSecond.toFixed(1).padStart(8)} ` +
        `${String(requestAck.received).padStart(11)} ${String(drops).padStart(7)}   ${delays}`,
    );
  }
} finally {
  await boot.close();
}
