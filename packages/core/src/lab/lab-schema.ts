// The shape of a lab file: every key with its default and a description, from which the JSON Schema and the reference are made.
import { z } from 'zod';
import { about } from './about.ts';
import {
  cidrValue,
  diskSizeValue,
  domainValue,
  durationValue,
  hostMemoryValue,
  ipv4Value,
  kubernetesVersionValue,
  macPrefixValue,
  macValue,
  memoryValue,
  nameValue,
  publicKeyValue,
  rangeOrAddressValue,
  rangeValue,
  secretRefValue,
  type GiB,
} from './lab-values.ts';
import {
  baseCharts,
  clusterSecret,
  nasExport,
  nasSsh,
  outsideService,
  ownChart,
  releaseNames,
} from './service-schema.ts';

/** One pool can hold this many machines; the identity rule and the VM IDs set tighter limits. */
const maxPoolCount = 10_000;

const network = z.strictObject({
  cidr: cidrValue.meta(about('The whole network.', '10.1.0.0/22')),
  gateway: ipv4Value.meta(about('Address of the router in this network.', '10.1.0.1')),
  vlan: z
    .int()
    .min(1)
    .max(4094)
    .optional()
    .meta(about('VLAN tag of this network on the bridge; none if untagged.', '10')),
  bridge: z
    .string()
    .regex(/^[a-zA-Z][a-zA-Z0-9_.]{0,14}$/, 'this is not the name of a bridge')
    .default('vmbr0')
    .meta(about('Bridge on the hosts that leads into this network.')),
  machines: cidrValue
    .optional()
    .meta(
      about(
        'Block the machines get their addresses from. The first and last stay unused. One network has it.',
        '10.1.1.0/28',
      ),
    ),
  services: rangeValue
    .optional()
    .meta(about('Addresses for services of the cluster (type LoadBalancer).', '10.1.3.100-10.1.3.200')),
  reserved: z
    .array(rangeOrAddressValue)
    .prefault([])
    .meta(
      about(
        'Addresses others use, such as the DHCP range of the router. Labwright keeps off them.',
        '[10.1.2.0-10.1.2.255]',
      ),
    ),
  resolvers: z
    .array(ipv4Value)
    .min(1)
    .optional()
    .meta(about('DNS servers the machines ask. Default: the gateway.', '[10.1.0.1]')),
});

const host = z.strictObject({
  address: ipv4Value.meta(about('Address of its Proxmox API.', '10.1.0.11')),
  cores: z
    .int()
    .min(1)
    .max(1024)
    .meta(about('Cores machines may use in all. Higher than the hardware has means that machines share.', '12')),
  memory: hostMemoryValue.meta(about('Memory machines may use in all; leave out what Proxmox itself needs.', '24GiB')),
  mac: macValue.optional().meta(about('Its Ethernet address, so that no machine is given the same.')),
  maintenance: z.boolean().default(false).meta(about('Keeps new machines off this host.')),
});

/** As Proxmox has them; anything else would be read as an option of the disk. */
const storageName = z.string().regex(/^[a-zA-Z](?:[a-zA-Z0-9_.-]*[a-zA-Z0-9])?$/, 'this is not the name of a storage');

const proxmox = z.strictObject({
  port: z.int().min(1).max(65_535).default(8006).meta(about('Port of the API.')),
  token: secretRefValue
    .optional()
    .meta(about('API token as USER@REALM!TOKENID=UUID. Either this, or user and password.', '{env: PROXMOX_TOKEN}')),
  user: z
    .string()
    .regex(/^[^\s@]+@[^\s@]+$/, 'this is not a Proxmox user')
    .optional()
    .meta(about('User with its realm, to log in with a password.', 'labwright@pve')),
  password: secretRefValue.optional().meta(about('Password of the user.', '{env: PROXMOX_PASSWORD}')),
  tls: z
    .union([
      z.literal('pinned'),
      z.strictObject({ ca: z.string().min(1).meta(about('PEM file of the certificate authority.')) }),
    ])
    .default('pinned')
    .meta(about('pinned: fingerprints are recorded on first contact. {ca: FILE}: certificates of this authority.')),
  storage: storageName.default('local-lvm').meta(about('Storage for disks, where a pool does not name another.')),
  storages: z.array(storageName).prefault([]).meta(about('Further storages that pools may name.', '[tank]')),
});

const router = z.strictObject({
  name: nameValue.default('router').meta(about('Its name.')),
  kind: z.enum(['pfsense']).meta(about('What it is.')),
  address: ipv4Value.meta(about('Its address.', '10.1.0.1')),
  port: z.int().min(1).max(65_535).default(443).meta(about('Port of its web page: System > Advanced > TCP port.')),
  user: z.string().min(1).default('admin').meta(about('User to log in with.')),
  password: secretRefValue.optional().meta(about('Password of the user.', '{env: PFSENSE_PASSWORD}')),
  manage: z
    .array(z.enum(['dhcp', 'dns', 'haproxy']))
    .prefault([])
    .meta(
      about(
        'What Labwright sets up on it: leases of the machines, names, balancers. It changes its own entries only, and `up` takes them away when their part is taken out of this list (also the last one, while the password is still there).',
        '[dhcp, dns, haproxy]',
      ),
    ),
});

const exposures = z.strictObject({
  domains: z
    .array(domainValue)
    .min(1)
    .optional()
    .meta(
      about('Domains that Services and Ingresses may have names in. Default: svc and the domain of the lab.', '[svc]'),
    ),
  balancer: z
    .enum(['metallb', 'router'])
    .default('metallb')
    .meta(
      about(
        'Who balances Services of type LoadBalancer. router: each gets an address of the range services on the router, and HAProxy there leads to the machines.',
      ),
    ),
  ingress: z
    .enum(['traefik', 'router'])
    .default('traefik')
    .meta(
      about(
        'Who routes Ingresses without a class. router: HAProxy on the router, by host and path. Ingresses of the class labwright, which labwright serve makes, always go there.',
      ),
    ),
  nameServer: z
    .strictObject({
      port: z.int().min(1).max(65_535).default(53).meta(about('Its port, UDP and TCP, on netboot.address.')),
    })
    .optional()
    .meta(
      about(
        'Runs a name server for those domains. One domain override on any router that leads to it is then enough, and names never change the router. A name asked for too early is then remembered as not there for 3 s, and not for as long as the root of the Internet says.',
        '{port: 53}',
      ),
    ),
});

const nas = z.strictObject({
  kind: z.enum(['synology', 'linux']).meta(about('What it is.')),
  address: ipv4Value.meta(about('Its address.', '10.1.0.20')),
  bays: z.int().min(1).max(512).optional().meta(about('Disk bays.', '8')),
  exports: z.array(nasExport).prefault([]).meta(about('Folders that machines mount by NFS, version 4.')),
  ssh: nasSsh
    .optional()
    .meta(about('How Labwright writes the exports of a linux NAS; without it they are only checked.')),
});

const networkSwitch = z.strictObject({
  address: ipv4Value.optional().meta(about('Its address; none if it is not managed.', '10.1.0.2')),
  ports: z.int().min(1).max(512).meta(about('Number of ports.', '24')),
});

const accessPoint = z.strictObject({ address: ipv4Value.meta(about('Its address.', '10.1.0.31')) });

const ups = z.strictObject({
  server: ipv4Value.meta(about('Where its NUT server runs; a NAS with the UPS on its USB port is one.', '10.1.0.20')),
  ups: z.string().min(1).default('ups').meta(about('Name the NUT server has for it.')),
});

const netboot = z.strictObject({
  mode: z
    .enum(['serve', 'proxy', 'router'])
    .default('serve')
    .meta(
      about(
        'serve: our DHCP server answers the machines of this file. proxy: another DHCP server gives addresses, we add the boot file. router: the router’s DHCP server does both, and names our boot files; Labwright sets it up where router.manage has dhcp, and `labwright doctor` lists what to set up by hand where it has not.',
      ),
    ),
  address: ipv4Value.meta(
    about('Address of the computer Labwright runs on, in the network of the machines.', '10.1.0.9'),
  ),
  httpPort: z.int().min(1).max(65_535).default(8080).meta(about('Port that kernels and images are served on.')),
  dynamic: rangeValue
    .optional()
    .meta(
      about(
        'Leases for machines that are not in this file, in mode serve. Without it they get no answer.',
        '10.1.2.0-10.1.2.99',
      ),
    ),
});

const ssh = z.strictObject({
  user: z
    .string()
    .regex(/^[a-z_][a-z0-9_-]{0,31}$/, 'this is not the name of a Unix user')
    .default('admin')
    .meta(about('User made on each machine; may use sudo.')),
  authorizedKeys: z
    .array(publicKeyValue)
    .prefault([])
    .meta(about('Public keys of people. Labwright’s own comes on top.', '["ssh-ed25519 AAAA… you@laptop"]')),
  identityFile: z
    .string()
    .min(1)
    .optional()
    .meta(about('Private key your ssh uses, for ssh-config.', '~/.ssh/id_ed25519')),
});

/** Of snapshots, beside the lab file: what `kubernetes.snapshots.to` is when nobody says otherwise. */
export const defaultSnapshotFolder = 'snapshots';

const kubernetes = z.strictObject({
  version: kubernetesVersionValue.meta(about('Version the cluster runs; raise it to upgrade.', '1.35.4')),
  endpoint: z
    .strictObject({
      address: ipv4Value.meta(about('An address of its own in the network of the machines.', '10.1.0.10')),
      name: nameValue.default('kube').meta(about('Its name under the domain of the lab.')),
    })
    .meta(about('Where the API of the cluster answers, whichever control plane is up.')),
  podNetwork: z
    .enum(['routed', 'flannel'])
    .default('routed')
    .meta(
      about(
        'routed: each machine keeps a route to the pods of the others; for machines in one network. flannel: an overlay, by its Helm chart.',
      ),
    ),
  pods: cidrValue.prefault('10.244.0.0/16').meta(about('Network that pods get their addresses from, a /24 a machine.')),
  services: cidrValue
    .prefault('10.96.0.0/16')
    .meta(about('Network that Services get their addresses from inside the cluster.')),
  mirror: z
    .string()
    .min(1)
    .optional()
    .meta(
      about(
        'Asked first: folder (images in “images”) or URL laid out like dl.k8s.io. Then dl.k8s.io, then Debian’s source.',
        'mirror',
      ),
    ),
  snapshots: z
    .strictObject({
      to: z
        .string()
        .min(1)
        .default(defaultSnapshotFolder)
        .meta(
          about(
            'Folder they are kept in, relative to the lab file; best one where you mount a NAS. Refused when that mount is gone.',
            '/mnt/nas/etcd',
          ),
        ),
      every: durationValue.prefault('6h').meta(about('How often one is taken while `labwright serve` runs.', '6h')),
      keep: z
        .int()
        .min(1)
        .max(10_000)
        .default(28)
        .meta(
          about(
            'How many of those are kept; of the ones you asked for, and those before upgrades, it is the newest 10 each.',
          ),
        ),
    })
    .prefault({})
    .meta(about('Snapshots of etcd, the database of the cluster: encrypted, and checked when they are taken.')),
  charts: baseCharts.prefault({}).meta(about('The base services, each switched on or off.')),
  ownCharts: releaseNames(ownChart).meta(about('Your own charts, by the name of the release.')),
  secrets: z
    .record(nameValue, clusterSecret)
    .default({})
    .meta(about('Secrets of the cluster, by name, from where the lab’s secrets are.')),
  chartMirror: z
    .string()
    .min(1)
    .optional()
    .meta(
      about(
        'Folder with chart packages, or address of one chart repository, in place of those of the base services.',
        'charts',
      ),
    ),
  helmMirror: z
    .string()
    .min(1)
    .optional()
    .meta(about('Folder or URL laid out like get.helm.sh, asked when no fitting helm is installed.', 'mirror/helm')),
});

const disk = z
  .union([
    diskSizeValue.transform((size): { size: GiB; storage?: string | undefined } => ({ size })),
    z.strictObject({
      size: diskSizeValue.meta(about('Size of the disk.', '20GiB')),
      storage: storageName.optional().meta(about('Storage it is made on. Default: proxmox.storage.')),
    }),
  ])
  .meta(about('Size of the disk, or {size, storage} for another storage than proxmox.storage.', '20GiB'));

const machineOverride = z.strictObject({
  name: nameValue.optional().meta(about('Its name, instead of the rule’s.', 'gitlab')),
  mac: macValue.optional().meta(about('Its Ethernet address, instead of the rule’s.', '02:1a:b0:00:01:01')),
  address: ipv4Value.optional().meta(about('Its address, instead of the rule’s.', '10.1.1.14')),
});

const pool = z.strictObject({
  count: z.int().min(0).max(maxPoolCount).default(1).meta(about('Number of machines.')),
  cores: z.int().min(1).max(1024).default(2).meta(about('Cores of each machine.')),
  memory: memoryValue.prefault('2GiB').meta(about('Memory of each machine.', '2GiB')),
  disk: disk.prefault('20GiB'),
  firmware: z.enum(['bios', 'uefi']).default('bios').meta(about('How each machine starts.')),
  image: z.enum(['debian']).default('debian').meta(about('Operating system each machine boots.')),
  hosts: z
    .array(z.string())
    .min(1)
    .optional()
    .meta(about('Hosts its machines may be placed on. Default: all.', '[pve1, pve2]')),
  spread: z
    .enum(['host', 'even', 'none'])
    .default('even')
    .meta(about('host: never two machines on one host. even: as even as there is room. none: where there is room.')),
  firstVmId: z
    .int()
    .min(100)
    .max(999_999_999)
    .default(101)
    .meta(about('VM ID of its first machine; the others follow. Name, MAC and address are made from it.')),
  role: z
    .enum(['control-plane', 'worker', 'none'])
    .default('none')
    .meta(about('What its machines are in the Kubernetes cluster.')),
  heal: z
    .enum(['restart', 'replace'])
    .default('restart')
    .meta(
      about(
        'restart: a machine that stopped by itself is started again. replace: one whose disk or host is gone is also made anew, with the next VM ID of its pool.',
      ),
    ),
  startOrder: z.int().min(0).max(100_000).optional().meta(about('Lower starts first and stops last.', '1')),
  name: z
    .string()
    .min(1)
    .max(120)
    .optional()
    .meta(about('Template for the names in this pool. Default: identity.name.', 'worker-{index}')),
  machines: z
    .record(z.string().regex(/^[1-9][0-9]{2,8}$/, 'this is not a VM ID'), machineOverride)
    .default({})
    .meta(about('Exceptions for single machines, by VM ID.', '{102: {name: gitlab}}')),
});

const identity = z.strictObject({
  macPrefix: macPrefixValue
    .prefault('02:1a:b0')
    .meta(about('First half of every MAC. The second half is the VM ID in six decimal digits: VM ID 101 is 00:01:01.')),
  name: z
    .string()
    .min(1)
    .max(120)
    .default('node{vmId}')
    .meta(about('Template for the names of machines. It may hold {vmId}, {pool} and {index} (from 1).')),
  baseVmId: z
    .int()
    .min(100)
    .max(999_999_999)
    .optional()
    .meta(
      about(
        'VM ID that gets the first usable address of the block. Default: the lowest firstVmId of the pools.',
        '101',
      ),
    ),
});

/** The key itself by mistake, where its file should stand. */
const keyFile = z
  .string()
  .min(1)
  .regex(
    /^(?!\s*AGE-SECRET-KEY-|-----BEGIN )/i,
    'this is the identity itself; put it into a file of mode 0600 and name that',
  );

const secrets = z.strictObject({
  file: z
    .string()
    .min(1)
    .default('secrets.age')
    .meta(about('age-encrypted YAML or JSON file with the secrets named by {age: KEY}.')),
  identityFile: keyFile
    .optional()
    .meta(
      about('File with the age identity that opens it (mode 0600). Default: the systemd credential labwright-age.'),
    ),
});

const byName = <Value extends z.ZodType>(value: Value) => z.record(nameValue, value);

export const labSchema = z.strictObject({
  version: z.literal(1).meta(about('Version of this format.', '1')),
  lab: nameValue.meta(about('Name of the lab. Marks on appliances carry it; do not change it later.', 'home')),
  domain: domainValue.default('home.arpa').meta(about('Domain of the machines: node101.home.arpa.')),
  networks: byName(network).meta(about('Networks, by name. Exactly one has a block for machines.')),
  // That there is one is a check of its own: an empty map is no typo that what else is wrong could stem from.
  hosts: byName(host).meta({ ...about('Proxmox hosts, by their name in the Proxmox cluster.'), minProperties: 1 }),
  proxmox: proxmox.meta(about('Access to Proxmox.')),
  router: router.optional().meta(about('The router.')),
  exposures: exposures
    .prefault({})
    .meta(about('How what runs in the cluster is reached from the house: names, addresses, balancers.')),
  nas: byName(nas).default({}).meta(about('Network storage, by name.')),
  switches: byName(networkSwitch).default({}).meta(about('Switches, by name.')),
  accessPoints: byName(accessPoint).default({}).meta(about('Wireless access points, by name.')),
  ups: byName(ups).default({}).meta(about('Uninterruptible power supplies, by name.')),
  netboot: netboot.meta(about('How machines boot over the network.')),
  ssh: ssh.prefault({}).meta(about('How people reach the machines.')),
  serve: ipv4Value
    .optional()
    .meta(
      about(
        'Address of the computer where `labwright serve` runs all the time. Then only it changes the lab.',
        '10.1.0.9',
      ),
    ),
  identity: identity.prefault({}).meta(about('The rule that gives each machine its name, MAC and address.')),
  services: byName(outsideService)
    .default({})
    .meta(about('Services outside the cluster, such as a database on the NAS. Each gets a name under the domain.')),
  kubernetes: kubernetes.optional().meta(about('The Kubernetes cluster, made of the pools that have a role in it.')),
  secrets: secrets.prefault({}).meta(about('The encrypted file for secrets named by {age: KEY}.')),
  pools: byName(pool).meta(about('Pools of machines alike, by name.')),
});

/** A lab file after parsing: defaults filled in, addresses and sizes as values. Same keys as in the file. */
export type Lab = z.output<typeof labSchema>;
export type LabNetwork = Lab['networks'][string];
export type LabHost = Lab['hosts'][string];
export type LabPool = Lab['pools'][string];
export type LabKubernetes = NonNullable<Lab['kubernetes']>;
export type LabNas = Lab['nas'][string];
export type LabService = Lab['services'][string];
export type LabIdentity = Lab['identity'];
