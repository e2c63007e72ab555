// How slow the emulated appliance is. What a call and a write really take here counts towards these times.

export interface Latency {
  /** From the request to the first line of the method: PHP's includes, the configuration parsed, the login checked. */
  readonly callMs: number;
  /** A write of the configuration with its backup, on flash, lock included. */
  readonly writeMs: number;
}

export const latencyNames = ['none', 'small-appliance', 'slow-appliance'] as const;

export type LatencyName = (typeof latencyNames)[number];

/**
 * Nobody publishes such figures and none was measured on hardware: "small-appliance" is our estimate of a fanless box with four x86
 * cores and eMMC, "slow-appliance" of one with two ARM cores.
 */
export const latencyProfiles: Readonly<Record<LatencyName, Latency>> = {
  none: { callMs: 0, writeMs: 0 },
  'small-appliance': { callMs: 60, writeMs: 180 },
  'slow-appliance': { callMs: 350, writeMs: 900 },
};
