// One member of etcd as a plain process on loopback, with TLS both ways as kubeadm sets it up.
import { mkdir, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { join } from 'node:path';
import { issueCertificate, type KeyPair, readKeyPair } from './authority.ts';
import type { ControlPlanePrograms } from './binaries.ts';
import { freePorts, type ServerProcess, startProcess, waitFor } from './process.ts';

export interface EtcdMemberOptions {
  readonly programs: Pick<ControlPlanePrograms, 'etcd'>;
  /** Holds certificates and data; what is there is used again. */
  readonly directory: string;
  readonly name: string;
  /** The etcd authority. */
  readonly authority: KeyPair;
  /** Names and peer URLs of the members that are there already, without this one. */
  readonly others?: readonly { readonly name: string; readonly peerUrl: string }[];
  /** 'existing' for a member that was added to a running cluster by `member add`. */
  readonly state?: 'new' | 'existing';
  /** Chosen by the kernel when absent; `member add` needs to know the peer's before. */
  readonly ports?: { readonly client: number; readonly peer: number };
  /** 'healthy' (the default) needs a quorum, so the first of several members is only awaited until it listens. */
  readonly until?: 'healthy' | 'listening';
  /** More flags: `['--force-new-cluster']`. */
  readonly flags?: readonly string[];
}

export interface EtcdMember {
  readonly name: string;
  readonly clientUrl: string;
  readonly peerUrl: string;
  readonly dataDirectory: string;
  /** A login to etcd; its certificate files are in the member's directory. */
  readonly client: KeyPair;
  readonly process: ServerProcess;
  /** undefined when healthy, that is, part of a quorum with a leader. */
  fetchUnhealth(): Promise<string | undefined>;
  waitUntilHealthy(timeoutMs?: number): Promise<void>;
}

export async function startEtcdMember(options: EtcdMemberOptions): Promise<EtcdMember> {
  const { programs, directory, name, authority, others = [], state = 'new', until = 'healthy', flags = [] } = options;
  const [clientPort = 0, peerPort = 0] = options.ports
    ? [options.ports.client, options.ports.peer]
    : await freePorts(2);
  const [clientUrl, peerUrl] = [`https://127.0.0.1:${clientPort}`, `https://127.0.0.1:${peerPort}`];
  const dataDirectory = join(directory, 'data');
  await mkdir(directory, { recursive: true });
  const caFile = join(directory, 'etcd-ca.crt');
  await writeFile(caFile, authority.certificate);
  const server = await issueCertificate(directory, 'server', authority, {
    kind: 'server',
    names: ['127.0.0.1', 'localhost'],
  });
  const client = await readKeyPair(
    await issueCertificate(directory, 'client', authority, {
      kind: 'client',
      user: 'root',
      groups: ['system:masters'],
    }),
  );
  const cluster = [...others, { name, peerUrl }].map((member) => `${member.name}=${member.peerUrl}`).join(',');
  const trust = (prefix: string): string[] => [
    `--${prefix}cert-file=${server.certificateFile}`,
    `--${prefix}key-file=${server.keyFile}`,
    `--${prefix}trusted-ca-file=${caFile}`,
    `--${prefix}client-cert-auth=true`,
  ];
  const child = await startProcess(`etcd ${name}`, [
    programs.etcd,
    `--name=${name}`,
    `--data-dir=${dataDirectory}`,
    `--listen-client-urls=${clientUrl}`,
    `--advertise-client-urls=${clientUrl}`,
    `--listen-peer-urls=${peerUrl}`,
    `--initial-advertise-peer-urls=${peerUrl}`,
    `--initial-cluster=${cluster}`,
    `--initial-cluster-state=${state}`,
    // Tests throw it away; waiting for a disk shared with others only makes elections.
    '--unsafe-no-fsync',
    ...trust(''),
    ...trust('peer-'),
    ...flags,
  ]);
  const fetchUnhealth = async (): Promise<string | undefined> =>
    await fetchHealth(clientPort, authority.certificate, client);
  const member: EtcdMember = {
    name,
    clientUrl,
    peerUrl,
    dataDirectory,
    client,
    process: child,
    fetchUnhealth,
    async waitUntilHealthy(timeoutMs = 20_000) {
      await waitFor(`etcd ${name} healthy`, async () => (await fetchUnhealth()) ?? true, { timeoutMs, of: child });
    },
  };
  const isListening = async (): Promise<true | string> => {
    const why = await fetchUnhealth();
    return why === undefined || why.startsWith('health') ? true : why;
  };
  if (until === 'healthy') await member.waitUntilHealthy();
  else await waitFor(`etcd ${name} listening`, isListening, { timeoutMs: 20_000, of: child });
  return member;
}

/** undefined when healthy; starts with "health" when it answers and is not. */
async function fetchHealth(port: number, ca: string, client: KeyPair): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const asked = request({
    host: '127.0.0.1',
    port,
    path: '/health',
    ca,
    cert: client.certificate,
    key: client.key,
    timeout: 3_000,
  });
  asked.on('error', (error) => resolve(error.message));
  asked.on('timeout', () => asked.destroy(new Error('no answer within 3 s')));
  asked.on('response', (response) => {
    let body = '';
    response.setEncoding('utf8').on('data', (text: string) => (body += text));
    response.on('error', (error) => resolve(error.message));
    response.on('end', () => resolve(body.includes('"true"') ? undefined : `health: ${body}`));
  });
  asked.end();
  return await promise;
}
