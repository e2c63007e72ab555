// The parts of a lab file about what runs in the cluster and beside it: charts, Secrets, exports of the NAS, services outside.
import { z } from 'zod';
import type { Json } from '../plan/step.ts';
import { about } from './about.ts';
import { ipv4Value, nameValue, secretRefValue, type SecretRef } from './lab-values.ts';

/**
 * What a chart is given: any JSON. A map with the only key `secret` stands for the secret it names, as in
 * `adminPassword: {secret: {env: GITEA_PASSWORD}}`.
 */
export type ChartValues = Readonly<Record<string, Json>>;

/** The secret that a part of chart values stands for; undefined for any other value. */
export function secretOfValue(value: Json): SecretRef | undefined {
  if (!isMap(value) || Object.keys(value).join() !== 'secret') return undefined;
  const reference = secretRefValue.safeParse(value['secret']);
  return reference.success ? reference.data : undefined;
}

function isMap(value: unknown): value is Readonly<Record<string, Json>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

interface ValueProblem {
  readonly path: readonly (string | number)[];
  readonly message: string;
  readonly fix: string;
}

/** What cannot be handed to Helm: numbers that JSON has no word for, and a `secret` that names none. */
function valueProblems(value: unknown, path: readonly (string | number)[]): ValueProblem[] {
  if (value === null || ['string', 'boolean'].includes(typeof value)) return [];
  if (typeof value === 'number' && Number.isFinite(value)) return [];
  if (Array.isArray(value)) return value.flatMap((item, index) => valueProblems(item, [...path, index]));
  if (typeof value !== 'object') {
    return [{ path, message: 'a chart cannot be given this value', fix: 'quote it, if it is meant as text' }];
  }
  const keys = Object.keys(value);
  if (keys.join() === 'secret') {
    const inner = (value as { readonly secret: unknown }).secret;
    // A chart may have a map with this only key for itself; what looks like a reference has to be one.
    const looksLikeReference = isMap(inner) && Object.keys(inner).some((key) => ['env', 'file', 'age'].includes(key));
    if (!looksLikeReference || secretRefValue.safeParse(inner).success) {
      return looksLikeReference ? [] : valueProblems(inner, [...path, 'secret']);
    }
    const message = 'a secret is named by exactly one of env, file and age';
    return [{ path: [...path, 'secret'], message, fix: 'write one, like secret: {env: GITEA_PASSWORD}' }];
  }
  return Object.entries(value).flatMap(([key, item]) => valueProblems(item, [...path, key]));
}

const chartValues = z
  .record(z.string(), z.unknown())
  .transform((values, context): ChartValues => {
    for (const { path, message, fix } of valueProblems(values, [])) {
      context.issues.push({ code: 'custom', message, input: values, path: [...path], params: { fix } });
    }
    return values as ChartValues;
  })
  .prefault({});

/** Helm takes 53 characters for the name of a release. */
const releaseName = nameValue.refine((text) => text.length <= 53, {
  message: 'the name of a release has at most 53 characters',
  params: { fix: 'choose a shorter name' },
});

const chartVersion = z
  .string()
  .regex(/^v?\d+\.\d+\.\d+([-+][0-9A-Za-z.+-]+)?$/, 'this is not the version of a chart')
  .meta(about('Version of the chart, instead of the one Labwright was tested with.', '"41.3.0"'));

const valuesKey = chartValues.meta(
  about('Values on top of Labwright’s own. {secret: {env: NAME}} stands for a secret.', '{replicas: 2}'),
);

const chartSettings = z.strictObject({ version: chartVersion.optional(), values: valuesKey });

/** true, false, or settings (which switch it on). */
const baseChart = (description: string) =>
  z.union([z.boolean(), chartSettings]).optional().meta(about(description, 'true'));

const whenSource = 'In a rehearsal only with chartMirror, unless it is stated.';

/** The services that most clusters at home need, by charts that Labwright knows. */
export const baseCharts = z.strictObject({
  metallb: baseChart(
    `Addresses for Services of type LoadBalancer, from the range services of the network. Default: on when there is one. ${whenSource}`,
  ),
  traefik: baseChart(`HTTP and TLS from the house to Services, by Ingress. Default: on. ${whenSource}`),
  'csi-driver-nfs': baseChart(
    `Volumes on the NAS, as the default storage class. Default: on when a NAS has an export for volumes. ${whenSource}`,
  ),
  'metrics-server': baseChart(`CPU and memory of pods and nodes, for kubectl top. Default: on. ${whenSource}`),
  flannel: chartSettings.optional().meta(about('Settings of the pod network, when podNetwork is flannel.')),
});

export type BaseChartName = keyof z.output<typeof baseCharts>;

/** Nothing is on the way to a repository on loopback. */
const chartRepository =
  /^(?:(?:https|oci):\/\/\S+|http:\/\/(?:localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3})(?::\d+)?(?:\/\S*)?)$/;

export const ownChart = z.strictObject({
  chart: z
    .string()
    .min(1)
    .meta(about('Name in the repository; without one a folder or .tgz, relative to the lab file.', 'gitea')),
  repository: z
    .string()
    .regex(chartRepository, {
      error: ({ input }) =>
        /^http:/i.test(String(input))
          ? 'over http:// anybody on the way could change the chart'
          : 'this is not the address of a chart repository',
    })
    .optional()
    .meta(
      about('Where the chart is: https:// or oci://; http:// on this computer only.', 'https://dl.gitea.com/charts'),
    ),
  version: chartVersion.optional().meta(about('Version of the chart; needed with a repository.', '"12.4.0"')),
  namespace: nameValue.optional().meta(about('Namespace it is installed in. Default: its name.')),
  values: valuesKey,
});

export const releaseNames = (value: typeof ownChart) => z.record(releaseName, value).default({});

export const clusterSecret = z.strictObject({
  namespace: nameValue.default('default').meta(about('Namespace it is in; made when it is not there.')),
  type: z.string().min(1).default('Opaque').meta(about('Type of the Secret.')),
  data: z
    .record(z.string().regex(/^[-._a-zA-Z0-9]{1,253}$/, 'this is not a key of a Secret'), secretRefValue)
    .meta(about('Its values, each by where the secret is.', '{password: {env: DB_PASSWORD}}')),
});

const absolutePath = z
  .string()
  .refine((text) => text.startsWith('/') && !text.split('/').some((part) => part === '..' || part === '.'), {
    message: 'this is not the whole path of a folder',
    params: { fix: 'write it from the top, like /volume1/kubernetes' },
  })
  .refine((text) => !/[\s"'\\#]/.test(text), {
    message: 'this path has a space, quote, backslash or #, which exports do not take everywhere',
    params: { fix: 'rename the folder' },
  })
  .transform((text) => (text === '/' ? text : text.replace(/\/+$/, '')));

export const nasExport = z.strictObject({
  path: absolutePath.meta(about('Folder as the NAS exports it by NFS.', '/volume1/kubernetes')),
  for: z
    .enum(['volumes', 'snapshots', 'data'])
    .meta(
      about(
        'volumes: of pods, the default storage class. snapshots: of etcd, taken only while kubernetes.snapshots.to is on a mount. data: anything else.',
      ),
    ),
});

export const nasSsh = z.strictObject({
  user: z
    .string()
    .regex(/^[a-z_][a-z0-9_.-]{0,31}$/, 'this is not the name of a Unix user')
    .default('root')
    .meta(about('User that knows Labwright’s key; another one than root needs sudo.')),
  port: z.int().min(1).max(65_535).default(22).meta(about('Port of its SSH server.')),
  hostKey: z
    .string()
    .regex(
      /^(SHA256:[A-Za-z0-9+/]{43}=?|(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp\d+) [A-Za-z0-9+/]+={0,3}.*)$/,
      'this is not an SSH host key',
    )
    .meta(about('Its host key, or the fingerprint that ssh-keygen -l prints.', 'SHA256:…')),
});

const serviceKinds = ['mariadb', 'postgres', 'redis', 'other'] as const;
export type ServiceKind = (typeof serviceKinds)[number];

export const outsideService = z.strictObject({
  kind: z
    .enum(serviceKinds)
    .default('other')
    .meta(about('What it is: gives its image, port and folder, and how it is asked whether it is well.')),
  nas: nameValue.optional().meta(about('The NAS it runs on, in a container. Either this or address.', 'nas1')),
  address: ipv4Value.optional().meta(about('Where it runs, when that is no NAS of this file.', '10.1.0.21')),
  port: z.int().min(1).max(65_535).optional().meta(about('Port it answers on. Default: its kind’s.', '3306')),
  image: z.string().min(1).optional().meta(about('Image of its container. Default: its kind’s.', 'mariadb:11.8')),
  volume: absolutePath.optional().meta(about('Folder on the NAS for its data.', '/volume1/docker/mariadb')),
  mount: absolutePath
    .optional()
    .meta(about('Where the container has that folder. Default: its kind’s.', '/var/lib/mysql')),
  environment: z
    .record(
      z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'this is not the name of an environment variable'),
      z.union([z.string(), secretRefValue]),
    )
    .default({})
    .meta(about('Environment of its container; a secret stays out of the compose file.', '{MARIADB_DATABASE: gitea}')),
});
