// A group of etcd members on loopback, real processes with TLS: members join, die, start again and are replaced.
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { EtcdLogin, EtcdPeer } from '@labwright/cluster/etcd/etcd-call';
import type { EtcdGroup } from '@labwright/cluster/etcd/etcd-group';
import { Secret } from '@labwright/core/ports/secret';
import { issueCertificate, makeAuthority, readKeyPair, type KeyPair } from '../kubernetes/authority.ts';
import type { ControlPlanePrograms } from '../kubernetes/binaries.ts';
import { startEtcdMember, type EtcdMember } from '../kubernetes/etcd-member.ts';
import { freePorts } from '../kubernetes/process.ts';

export interface EtcdProcesses {
  readonly folder: string;
  readonly authority: KeyPair;
  readonly login: EtcdLogin;
  /** Of every member that was ever made and not forgotten, also dead ones: a planner knows no better. */
  readonly group: () => EtcdGroup;
  readonly names: () => readonly string[];
  readonly peer: (name: string) => EtcdPeer;
  /** What `member add` is told. */
  readonly peerUrl: (name: string) => string;
  readonly clientUrl: (name: string) => string;
  readonly dataDirectory: (name: string) => string;
  /** Ports for a member that is not started yet. */
  readonly prepare: (name: string) => Promise<void>;
  /** Resolves when it decides with the others; of founders started together, all at once. */
  readonly start: (
    name: string,
    options?: { readonly state?: 'new' | 'existing'; readonly with?: readonly string[] },
  ) => Promise<EtcdMember>;
  readonly kill: (name: string) => Promise<void>;
  readonly forget: (name: string) => void;
  readonly etcdctl: (argv: readonly string[], name?: string) => Promise<string>;
  readonly close: () => Promise<void>;
}

interface Place {
  readonly ports: { readonly client: number; readonly peer: number };
  running: EtcdMember | undefined;
}

/** Without names nobody is started yet; without an authority, one is made. */
export async function startEtcd(
  programs: ControlPlanePrograms,
  names: readonly string[],
  given?: KeyPair,
): Promise<EtcdProcesses> {
  const folder = await mkdtemp(join(tmpdir(), 'etcd-'));
  const authority = given ?? (await makeAuthority(folder, 'etcd-ca'));
  if (given !== undefined) await writeFile(join(folder, 'etcd-ca.crt'), given.certificate);
  const files = await issueCertificate(folder, 'client', authority, { kind: 'client', user: 'test' });
  const pair = await readKeyPair(files);
  const login = { ca: authority.certificate, certificate: pair.certificate, privateKey: new Secret(pair.key) };
  const places = new Map<string, Place>();
  const place = (name: string): Place => {
    const found = places.get(name);
    if (found === undefined) throw new Error(`there is no etcd ${name}`);
    return found;
  };
  const url = (port: number): string => `https://127.0.0.1:${port}`;
  const made: EtcdProcesses = {
    folder,
    authority,
    login,
    names: () => [...places.keys()],
    group: () => ({ login, addresses: [...places.keys()].map((name) => made.peer(name).address) }),
    peer: (name) => ({
      address: { name, host: '127.0.0.1', port: place(name).ports.client, peerUrl: made.peerUrl(name) },
      login,
    }),
    peerUrl: (name) => url(place(name).ports.peer),
    clientUrl: (name) => url(place(name).ports.client),
    dataDirectory: (name) => join(folder, name, 'data'),
    prepare: async (name) => {
      const [client = 0, peer = 0] = await freePorts(2);
      places.set(name, { ports: { client, peer }, running: undefined });
    },
    start: async (name, { state = 'existing', with: others = [...places.keys()] } = {}) => {
      const known = others
        .filter((other) => other !== name)
        .map((other) => ({ name: other, peerUrl: made.peerUrl(other) }));
      const directory = join(folder, name);
      const { ports } = place(name);
      const member = await startEtcdMember({ programs, directory, name, authority, others: known, state, ports });
      place(name).running = member;
      return member;
    },
    kill: async (name) => await place(name).running?.process.end(),
    forget: (name) => void places.delete(name),
    etcdctl: async (argv, name = [...places.keys()][0] ?? '') => {
      const tls = ['--cacert', join(folder, 'etcd-ca.crt'), '--cert', files.certificateFile, '--key', files.keyFile];
      const { stdout } = await promisify(execFile)(
        programs.etcdctl,
        ['--endpoints', made.clientUrl(name), ...tls, ...argv],
        {
          env: { ETCDCTL_API: '3' },
          timeout: 20_000,
          maxBuffer: 64 * 1024 * 1024,
        },
      );
      return stdout;
    },
    close: async () => {
      await Promise.all([...places.values()].map(async ({ running }) => await running?.process.end()));
      await rm(folder, { recursive: true, force: true });
    },
  };
  for (const name of names) await made.prepare(name);
  await Promise.all(names.map(async (name) => await made.start(name, { state: 'new' })));
  return made;
}
