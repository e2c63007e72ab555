// Records of the cluster's zone as they go out: with their times to live, and what says how long nothing may be remembered.
import type { DnsRecord } from '@labwright/wire/dns/record';
import type { ZoneRecord } from './cluster-zone.ts';

const recordSeconds = 5;

export function formatRecord(record: ZoneRecord): DnsRecord {
  const common = { name: record.name, ttlSeconds: recordSeconds } as const;
  switch (record.type) {
    case 'A':
    case 'PTR': {
      return { ...common, type: record.type, data: record.data };
    }
    case 'TXT': {
      return { ...common, type: 'TXT', data: [record.data] };
    }
    case 'SRV': {
      return { ...common, type: 'SRV', data: { ...record.data, priority: 0, weight: 100 } };
    }
  }
}

/** Goes with every "there is no such thing", and says for how long that may be remembered (RFC 2308). */
export function startOfAuthority(zone: string): DnsRecord {
  const times = { refreshSeconds: 7200, retrySeconds: 1800, expireSeconds: 86_400, minimumSeconds: recordSeconds };
  return {
    type: 'SOA',
    name: zone,
    ttlSeconds: recordSeconds,
    data: { primary: `ns.dns.${zone}`, contact: `hostmaster.${zone}`, serial: 1, ...times },
  };
}

export function formatAlias(name: string, target: string): DnsRecord {
  return { type: 'CNAME', name, ttlSeconds: recordSeconds, data: target };
}
