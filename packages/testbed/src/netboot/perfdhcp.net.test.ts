import { expect, test } from 'vitest';
import { ipv4 } from '@labwright/core/addresses/ipv4';
import { makeBootLan } from './boot-lan.ts';
import { runPerfdhcp } from './perfdhcp.ts';

test('every exchange of a hundred clients completes', async () => {
  const boot = await makeBootLan({
    bridge: 'perf-lan',
    subnet: 11,
    dynamic: { first: ipv4('10.77.11.100'), last: ipv4('10.77.11.220') },
  });
  try {
    const peer = await boot.lan.addPeer('load', '02:00:00:0b:00:50', '10.77.11.50/24');
    const report = await runPerfdhcp({ peer, server: '10.77.11.9', ratePerSecond: 100, seconds: 3, clients: 100 });
    console.log(report.output);
    expect(report.discoverOffer.sent).toBeGreaterThan(200);
    expect(report.discoverOffer.drops).toBe(0);
    expect(report.requestAck.drops).toBe(0);
  } finally {
    await boot.close();
  }
});
