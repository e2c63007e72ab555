// A small emulated cluster for tests: hosts on loopback addresses with stand-in guests, and a plain client that believes nothing.
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmulatedHost, type EmulatedHost } from './emulated-host.ts';
import type { Fault } from './fault.ts';
import { ensureCertificates } from './tls.ts';
import { parseTopology, type Topology, type TopologyInput } from './topology.ts';

export const fixtureSecret = '11111111-2222-3333-4444-555555555555';
export const fixtureToken = 'labwright@pve!test';
const fixturePassword = 'correct horse';

/** Of the user that the token belongs to. */
export const fixturePrivileges: readonly string[] = [
  ...['Allocate', 'Audit', 'Console', 'PowerMgmt', 'Snapshot'].map((name) => `VM.${name}`),
  ...['CDROM', 'CPU', 'Cloudinit', 'Disk', 'HWType', 'Memory', 'Network', 'Options'].map((name) => `VM.Config.${name}`),
  'Datastore.Audit',
  'Datastore.AllocateSpace',
  'SDN.Use',
  'Sys.Audit',
  'Pool.Audit',
];

interface FixtureAnswer {
  readonly status: number;
  readonly reason: string;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** Of the JSON body. */
  readonly data: unknown;
  readonly message: string | undefined;
  readonly errors: Readonly<Record<string, string>> | undefined;
}

interface CallOptions {
  readonly host?: string;
  /** Instead of the host's own. */
  readonly port?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface ClusterFixture {
  readonly topology: Topology;
  readonly hosts: ReadonlyMap<string, EmulatedHost>;
  call(
    method: string,
    path: string,
    parameters?: Readonly<Record<string, string | number>>,
    options?: CallOptions,
  ): Promise<FixtureAnswer>;
  /** The result of a task once it has ended. */
  awaitTask(upid: unknown, options?: CallOptions): Promise<string>;
  /** Makes the call and awaits its task; throws when there is none. */
  callTask(method: string, path: string, parameters?: Readonly<Record<string, string | number>>): Promise<string>;
  fault(host: string, fault: Fault | { readonly kind: Fault['kind'] }): Promise<{ readonly id?: number }>;
  close(): Promise<void>;
}

export interface FixtureOptions {
  readonly hostNames?: readonly string[];
  /** One for each host; loopback addresses when absent. */
  readonly addresses?: readonly string[];
  readonly port?: number;
  readonly topology?: Partial<TopologyInput>;
}

export async function startClusterFixture(options: FixtureOptions = {}): Promise<ClusterFixture> {
  const directory = await mkdtemp(join(tmpdir(), 'pve-'));
  const names = options.hostNames ?? ['pve1', 'pve2', 'pve3'];
  const port = options.port ?? (await findFreePort());
  const described = names.map((name, index) => ({
    name,
    address: options.addresses?.[index] ?? `127.0.0.${index + 1}`,
  }));
  const certificates = await ensureCertificates(join(directory, 'tls'), described);
  const topology = parseTopology({
    cluster: 'home',
    profile: '9.2',
    stateDirectory: join(directory, 'state'),
    hosts: described.map((host) => ({ ...host, port, cores: 12, memoryMiB: 24576, tls: certificates.host(host.name) })),
    certificateAuthorityFile: certificates.authorityFile,
    storages: [
      { id: 'local', type: 'dir', content: ['images', 'iso'] },
      { id: 'local-lvm', type: 'lvmthin' },
    ],
    users: [
      { id: 'labwright@pve', acl: [{ path: '/', privileges: [...fixturePrivileges] }] },
      { id: 'root@pam', password: { sha256: sha256(fixturePassword) }, acl: [] },
    ],
    tokens: [{ id: fixtureToken, secret: { sha256: sha256(fixtureSecret) }, privilegeSeparation: false }],
    guests: { kind: 'stand-in' },
    timeScale: 0.02,
    unauthorizedDelayMs: 0,
    ...options.topology,
  });
  const hosts = new Map<string, EmulatedHost>();
  const failures: string[] = [];
  for (const name of names)
    hosts.set(name, await startEmulatedHost(topology, name, { onFailure: (text) => failures.push(text) }));
  const authority = await readFile(certificates.authorityFile, 'utf8');

  const call: ClusterFixture['call'] = (
    method,
    path,
    parameters = {},
    { host = names[0] ?? '', port: otherPort, headers } = {},
  ) => {
    const target = topology.hosts.find((candidate) => candidate.name === host);
    if (target === undefined) throw new RangeError(`no host ${host}`);
    const form = new URLSearchParams(
      Object.entries(parameters).map(([key, value]): [string, string] => [key, String(value)]),
    ).toString();
    const hasBody = method === 'POST' || method === 'PUT';
    return new Promise((resolve, reject) => {
      const outgoing = httpsRequest(
        {
          host: target.address,
          port: otherPort ?? target.port,
          servername: host,
          ca: authority,
          agent: false,
          method,
          path: `/api2/json${path}${hasBody || form === '' ? '' : `?${form}`}`,
          headers: {
            ...(headers ?? { authorization: `PVEAPIToken=${fixtureToken}=${fixtureSecret}` }),
            ...(hasBody
              ? { 'content-type': 'application/x-www-form-urlencoded', 'content-length': Buffer.byteLength(form) }
              : {}),
          },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () => {
            const text = Buffer.concat(chunks).toString('utf8');
            const body = text.startsWith('{') ? (JSON.parse(text) as Partial<FixtureAnswer>) : {};
            resolve({
              status: response.statusCode ?? 0,
              reason: response.statusMessage ?? '',
              headers: response.headers,
              text,
              data: body.data,
              message: body.message,
              errors: body.errors,
            });
          });
        },
      );
      outgoing.on('error', reject);
      outgoing.end(hasBody ? form : undefined);
    });
  };

  const awaitTask: ClusterFixture['awaitTask'] = async (upid, callOptions) => {
    const text = String(upid);
    const node = text.split(':')[1] ?? '';
    for (let attempt = 0; attempt < 2_000; attempt += 1) {
      const { data } = await call('GET', `/nodes/${node}/tasks/${encodeURIComponent(text)}/status`, {}, callOptions);
      const { status, exitstatus } = data as { readonly status: string; readonly exitstatus?: string };
      if (status === 'stopped') return exitstatus ?? '';
    }
    throw new Error(`${text} did not end`);
  };

  return {
    topology,
    hosts,
    call,
    awaitTask,
    callTask: async (method, path, parameters) => {
      const answer = await call(method, path, parameters);
      if (answer.status !== 200) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
      return awaitTask(answer.data);
    },
    fault: (host, fault) =>
      sendControl(hosts.get(host)?.controlSocket ?? '', 'POST', '/faults', fault) as Promise<{ readonly id?: number }>,
    close: async () => {
      for (const host of hosts.values()) await host.close();
      await rm(directory, { recursive: true, force: true });
      if (failures.length > 0) throw new Error(`the emulator met what it did not expect:\n${failures.join('\n')}`);
    },
  };
}

/** A call of a host's control socket; throws with the reason it gives. */
export function sendControl(socketPath: string, method: string, path: string, body?: unknown): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({ socketPath, method, path, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        const value = JSON.parse(Buffer.concat(chunks).toString('utf8')) as { readonly error?: string };
        if (response.statusCode === 200) resolve(value);
        else reject(new Error(value.error));
      });
    });
    outgoing.on('error', reject);
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** Free on every loopback address, as far as one can know. */
async function findFreePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '0.0.0.0');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}
