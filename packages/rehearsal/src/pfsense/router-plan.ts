// The emulated router as whoever starts it describes it, and where its files lie.
//
//   STATE/router.json           this plan
//   STATE/conf/config.xml       its configuration; kept over a power cut
//   STATE/conf/backup/          and the last ones
//   STATE/router.crt, .key      what it shows on HTTPS
//   STATE/control.sock          faults, and the hand on the router
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { RouterError } from './router-error.ts';
import { latencyNames } from './latency.ts';
import { versionNames } from './version.ts';

const path = z.string().startsWith('/');
const hostName = z.string().regex(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/i);
const domainName = z.string().regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i);
const address = z.ipv4();
const port = z.int().min(1).max(65_535);

/** The root zone, as router-root.ts lays it down. */
export const rootZoneFile = '/var/unbound/root.zone';

/**
 * Custom options of a resolver in a rehearsal: the Internet's root is an empty zone, so that a name nobody knows does not exist, and says
 * so at once. What is overridden or forwarded is asked for where it says.
 */
const withoutInternet = [
  'auth-zone:',
  'name: "."',
  'for-downstream: no',
  'for-upstream: yes',
  'fallback-enabled: no',
  `zonefile: "${rootZoneFile}"`,
].join('\n');

const userSchema = z.strictObject({
  name: z.string().regex(/^[a-z0-9._-]{1,32}$/i),
  /** The password is read from a file when the router is set up, so that neither the plan nor an argument carries it. */
  passwordFile: path,
  /** admin: user 0. sync: one with the single privilege that xmlrpc.php asks for. none: one that may not call it. */
  role: z.enum(['admin', 'sync', 'none']),
});

const balancerSchema = z.strictObject({
  address,
  port,
  /** What health checks ask for. */
  serverName: domainName,
  controlPlanes: z.array(z.strictObject({ name: hostName, address })),
});

export type OwnerBalancer = z.output<typeof balancerSchema>;

const planSchema = z.strictObject({
  version: z.literal(1),
  /** The rehearsal it belongs to, for its certificate. */
  lab: z.string(),
  hostname: hostName.default('router'),
  domain: domainName,
  profile: z.enum(versionNames).default('2.7.2'),
  latency: z.enum(latencyNames).default('small-appliance'),
  /** A Debian root with what router-packages.ts lists. */
  tree: path,
  stateDirectory: path,
  lan: z.strictObject({ device: z.string().default('eth0'), address, bits: z.int().min(8).max(30) }),
  /** Further addresses of its own there, such as the network's gateway: virtual addresses in its configuration. */
  aliases: z.array(address).default([]),
  port: port.default(443),
  users: z.array(userSchema).min(1),
  /** Only for a router that has no configuration yet, as are all below. */
  resolver: z.enum(['unbound', 'dnsmasq', 'none']).default('unbound'),
  /** The resolver's custom options. */
  resolverOptions: z.string().default(withoutInternet),
  dhcp: z.strictObject({
    isOn: z.boolean().default(true),
    backend: z.enum(['isc', 'kea']).default('isc'),
    /** Absent in a network that has no room for a range. */
    from: address.optional(),
    to: address.optional(),
    /** Static leases that its owner made. */
    leases: z.array(z.strictObject({ mac: z.string(), address, name: hostName })).default([]),
    /** Network boot, as its owner set it up for everybody. */
    boot: z.strictObject({ nextServer: address, bios: z.string(), uefi64: z.string() }).optional(),
  }),
  /** Host overrides that its owner made. */
  hosts: z.array(z.strictObject({ host: z.string(), domain: domainName, ip: z.string() })).default([]),
  /** What its owner set up in HAProxy for the cluster's API, with an address of its own. */
  balancer: balancerSchema.optional(),
  /** php-fpm's processes: the GUI's "Max Processes". */
  workers: z.int().min(1).max(16).default(2),
  loginProtection: z
    .strictObject({
      isOn: z.boolean().default(true),
      /** A failed login scores ten. */
      threshold: z.int().positive().default(30),
      /** The first time; each further time half as much again. */
      blockSeconds: z.number().positive().default(120),
      detectionSeconds: z.number().positive().default(1800),
    })
    .prefault({}),
});

export type RouterPlan = z.output<typeof planSchema>;
/** What has a default may be left out. */
export type RouterPlanInput = z.input<typeof planSchema>;

/** Throws RouterError with every problem at once. */
export function parseRouterPlan(value: unknown): RouterPlan {
  const result = planSchema.safeParse(value);
  if (result.success) return result.data;
  throw new RouterError(
    `the router's plan is not valid:\n${z.prettifyError(result.error)}`,
    'correct the router.json that its starter wrote',
  );
}

export async function readRouterPlan(file: string): Promise<RouterPlan> {
  return parseRouterPlan(JSON.parse(await readFile(file, 'utf8')));
}

export interface RouterFiles {
  readonly plan: string;
  readonly conf: string;
  readonly config: string;
  readonly backups: string;
  readonly certificate: string;
  readonly key: string;
  readonly control: string;
  readonly journal: string;
  readonly logs: string;
}

export function routerFiles(stateDirectory: string): RouterFiles {
  const inState = (name: string): string => join(stateDirectory, name);
  return {
    plan: inState('router.json'),
    conf: inState('conf'),
    config: inState('conf/config.xml'),
    backups: inState('conf/backup'),
    certificate: inState('router.crt'),
    key: inState('router.key'),
    control: inState('control.sock'),
    journal: inState('log/emulator.jsonl'),
    logs: inState('log'),
  };
}
