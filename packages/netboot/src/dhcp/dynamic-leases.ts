// Addresses for clients that are not in the lab file, from the range it gives. In memory; a store can keep them.
import { ipv4FromNumber, ipv4ToNumber, type Ipv4, type Ipv4Range } from '@labwright/core/addresses/ipv4';
import type { Mac } from '@labwright/core/addresses/mac';

export interface Lease {
  readonly mac: Mac;
  readonly address: Ipv4;
  /** Wall time in milliseconds since 1970 UTC. */
  readonly expiresAt: number;
}

/** Where leases outlive the process. Both are called while a client waits, so they must not block. */
export interface LeaseStore {
  load(): readonly Lease[];
  save(lease: Lease): void;
}

/** An offered address is kept for the client this long. */
const offerMs = 30_000;
/** An address that somebody else was found to use is left alone this long. */
const declinedMs = 60 * 60 * 1000;

export class DynamicLeases {
  readonly #first: number;
  readonly #last: number;
  readonly #store: LeaseStore | undefined;
  readonly #byMac = new Map<Mac, Lease>();
  readonly #holders = new Map<Ipv4, Mac>();
  readonly #declinedUntil = new Map<Ipv4, number>();
  /** Where the search for a free address goes on: freed ones rest as long as there are others. */
  #next: number;

  constructor(range: Ipv4Range, store?: LeaseStore) {
    this.#first = ipv4ToNumber(range.first);
    this.#last = ipv4ToNumber(range.last);
    this.#next = this.#first;
    this.#store = store;
    for (const lease of store?.load() ?? []) if (this.#contains(lease.address)) this.#keep(lease);
  }

  /** The client's address, the same as last time where it is still free; undefined when the range is full. */
  offer(mac: Mac, now: number): Ipv4 | undefined {
    const known = this.#byMac.get(mac);
    if (known !== undefined && !this.#isDeclined(known.address, now)) {
      if (known.expiresAt < now + offerMs) this.#keep({ ...known, expiresAt: now + offerMs });
      return known.address;
    }
    const address = this.#findFree(now);
    if (address !== undefined) this.#keep({ mac, address, expiresAt: now + offerMs });
    return address;
  }

  /** Whether the client may have the address it asks for. Unknown: we have no record of it, and stay silent. */
  judge(mac: Mac, address: string): 'yes' | 'no' | 'unknown' {
    const known = this.#byMac.get(mac);
    return known === undefined ? 'unknown' : known.address === address ? 'yes' : 'no';
  }

  confirm(mac: Mac, expiresAt: number): void {
    const known = this.#byMac.get(mac);
    if (known === undefined) return;
    const lease = { ...known, expiresAt };
    this.#keep(lease);
    this.#store?.save(lease);
  }

  release(mac: Mac, address: string, now: number): void {
    const known = this.#byMac.get(mac);
    if (known?.address !== address) return;
    const lease = { ...known, expiresAt: now };
    this.#keep(lease);
    this.#store?.save(lease);
  }

  decline(mac: Mac, address: string, now: number): void {
    const known = this.#byMac.get(mac);
    if (known?.address !== address) return;
    this.#byMac.delete(mac);
    this.#holders.delete(known.address);
    this.#declinedUntil.set(known.address, now + declinedMs);
  }

  #keep(lease: Lease): void {
    this.#byMac.set(lease.mac, lease);
    this.#holders.set(lease.address, lease.mac);
  }

  #findFree(now: number): Ipv4 | undefined {
    const size = this.#last - this.#first + 1;
    for (let tried = 0; tried < size; tried += 1) {
      const address = ipv4FromNumber(this.#next);
      this.#next = this.#next === this.#last ? this.#first : this.#next + 1;
      if (this.#isDeclined(address, now)) continue;
      const holder = this.#holders.get(address);
      if (holder === undefined) return address;
      if ((this.#byMac.get(holder)?.expiresAt ?? 0) > now) continue;
      this.#byMac.delete(holder);
      this.#holders.delete(address);
      return address;
    }
    return undefined;
  }

  #isDeclined(address: Ipv4, now: number): boolean {
    return (this.#declinedUntil.get(address) ?? 0) > now;
  }

  #contains(address: Ipv4): boolean {
    const value = ipv4ToNumber(address);
    return this.#first <= value && value <= this.#last;
  }
}
