// ISC's load generator against our server: complete exchanges of many clients at a given rate.
import { peersRoot } from '../roots.ts';
import type { Peer } from '../network/lan.ts';

interface ExchangeCounts {
  readonly sent: number;
  readonly received: number;
  readonly drops: number;
}

export interface PerfdhcpReport {
  readonly ratePerSecond: number;
  readonly discoverOffer: ExchangeCounts;
  readonly requestAck: ExchangeCounts;
  readonly output: string;
}

/** The peer needs an address: perfdhcp plays a relay agent at it. */
export async function runPerfdhcp(options: {
  readonly peer: Peer;
  readonly server: string;
  readonly ratePerSecond: number;
  readonly seconds: number;
  readonly clients: number;
}): Promise<PerfdhcpReport> {
  const { peer, server, ratePerSecond, seconds, clients } = options;
  const { stdout, stderr } = await peer.exec(
    ['perfdhcp', '-4', '-r', String(ratePerSecond), '-p', String(seconds), '-R', String(clients), '-l', 'eth0', server],
    { root: await peersRoot(), timeoutMs: (seconds + 20) * 1000 },
  );
  const output = stdout + stderr;
  const [discoverOffer, requestAck] = [
    ...output.matchAll(/sent packets: (\d+)\nreceived packets: (\d+)\ndrops: (\d+)/g),
  ].map(([, sent, received, drops]) => ({ sent: Number(sent), received: Number(received), drops: Number(drops) }));
  if (discoverOffer === undefined || requestAck === undefined) throw new Error(output);
  return { ratePerSecond: Number(/Rate: ([\d.]+)/.exec(output)?.[1]), discoverOffer, requestAck, output };
}
