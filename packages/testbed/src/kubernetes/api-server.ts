// An API server, and the controllers and scheduler beside it, as plain processes on loopback; no kubelet, no containers.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { minorOf } from '@labwright/core/addresses/kubernetes-version';
import { silentLog } from '@labwright/core/ports/log';
import { Secret } from '@labwright/core/ports/secret';
import { systemClock } from '@labwright/core/ports/system';
import { type ClusterLogin, connectCluster } from '@labwright/drivers/kubernetes/connection';
import { issueCertificate, type KeyPair, readKeyPair } from './authority.ts';
import type { ControlPlanePrograms } from './binaries.ts';
import type { EtcdMember } from './etcd-member.ts';
import { freePorts, type ServerProcess, startProcess, waitFor } from './process.ts';

/** What all API servers of one cluster share. */
export interface ClusterKeys {
  readonly authority: KeyPair;
  readonly etcdAuthority: KeyPair;
  readonly serviceAccount: { readonly publicFile: string; readonly privateFile: string };
}

export interface ApiServerOptions {
  readonly programs: ControlPlanePrograms;
  readonly directory: string;
  readonly keys: ClusterKeys;
  readonly etcd: readonly EtcdMember[];
  /** In its certificate, beside 127.0.0.1. The first one is what logins expect. */
  readonly names: readonly string[];
  readonly serviceNetwork: string;
  /** Where it listens; loopback, a port of the kernel's choice when absent. */
  readonly listen?: { readonly address?: string; readonly port?: number };
}

export interface ApiServer {
  readonly address: string;
  readonly port: number;
  readonly process: ServerProcess;
  login(user: string, groups?: readonly string[]): Promise<ClusterLogin>;
  /** A kubeconfig file for the user, with paths of certificate files. */
  writeKubeconfig(user: string, groups?: readonly string[]): Promise<string>;
  /** Kills it. With a watch open, SIGTERM would take a minute. */
  kill(): Promise<void>;
  /** Starts again what was killed, on the same port. */
  start(): Promise<void>;
}

export async function startApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const { programs, directory, keys, etcd, names, serviceNetwork } = options;
  const address = options.listen?.address ?? '127.0.0.1';
  const port = options.listen?.port ?? (await freePorts(1))[0] ?? 0;
  await mkdir(directory, { recursive: true });
  const file = async (name: string, text: string): Promise<string> => {
    const path = join(directory, name);
    await writeFile(path, text, { mode: 0o600 });
    return path;
  };
  const [caFile, etcdCaFile] = await Promise.all([
    file('ca.crt', keys.authority.certificate),
    file('etcd-ca.crt', keys.etcdAuthority.certificate),
  ]);
  const server = await issueCertificate(directory, 'apiserver', keys.authority, {
    kind: 'server',
    names: [...new Set([...names, address, '127.0.0.1', 'localhost', 'kubernetes.default.svc'])],
  });
  const etcdClient = await issueCertificate(directory, 'apiserver-etcd-client', keys.etcdAuthority, {
    kind: 'client',
    user: 'kube-apiserver-etcd-client',
    groups: ['system:masters'],
  });
  const command = [
    programs.kubernetes['kube-apiserver'],
    `--etcd-servers=${etcd.map((member) => member.clientUrl).join(',')}`,
    `--etcd-cafile=${etcdCaFile}`,
    `--etcd-certfile=${etcdClient.certificateFile}`,
    `--etcd-keyfile=${etcdClient.keyFile}`,
    `--bind-address=${address}`,
    `--advertise-address=${address}`,
    `--secure-port=${port}`,
    `--cert-dir=${join(directory, 'made')}`,
    `--tls-cert-file=${server.certificateFile}`,
    `--tls-private-key-file=${server.keyFile}`,
    `--client-ca-file=${caFile}`,
    '--enable-bootstrap-token-auth=true',
    '--authorization-mode=Node,RBAC',
    `--service-cluster-ip-range=${serviceNetwork}`,
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-signing-key-file=${keys.serviceAccount.privateFile}`,
    `--service-account-key-file=${keys.serviceAccount.publicFile}`,
    // Pods are made right away, not when a controller has made their namespace's account.
    '--disable-admission-plugins=ServiceAccount',
    '--endpoint-reconciler-type=none',
  ];
  let child = await startProcess(`API server ${port}`, command);
  const login = async (user: string, groups: readonly string[] = []): Promise<ClusterLogin> => {
    const pair = await readKeyPair(
      await issueCertificate(directory, `login-${fileName(user)}`, keys.authority, { kind: 'client', user, groups }),
    );
    return {
      endpoint: { address, port, serverName: names[0] ?? 'localhost' },
      ca: keys.authority.certificate,
      certificate: pair.certificate,
      privateKey: new Secret(pair.key),
    };
  };
  const probe = connectCluster(await login('probe', ['system:masters']), { clock: systemClock, log: silentLog });
  const waitUntilReady = async (): Promise<void> => {
    // An API server that just started may take a request and be silent for long.
    const isReady = async (): Promise<true | string> =>
      await probe
        .fetchUnreadiness({ signal: AbortSignal.timeout(3_000) })
        .then((why) => why ?? true)
        .catch((error: unknown) => String(error));
    await waitFor(`API server on port ${port} ready`, isReady, { timeoutMs: 60_000, everyMs: 100, of: child });
  };
  await waitUntilReady();
  return {
    address,
    port,
    get process() {
      return child;
    },
    login,
    async writeKubeconfig(user, groups = []) {
      const use = { kind: 'client', user, groups } as const;
      const pair = await issueCertificate(directory, `kubeconfig-${fileName(user)}`, keys.authority, use);
      return await file(`${fileName(user)}.kubeconfig`, formatKubeconfig(`https://${address}:${port}`, caFile, pair));
    },
    async kill() {
      await child.end('SIGKILL');
    },
    async start() {
      child = await startProcess(`API server ${port}`, command);
      await waitUntilReady();
    },
  };
}

export interface ControllerOptions {
  readonly programs: ControlPlanePrograms;
  readonly directory: string;
  readonly keys: ClusterKeys;
  readonly apiServer: ApiServer;
  readonly podNetwork: string;
  readonly serviceNetwork: string;
  /** Without heartbeat for this long a node counts as gone. */
  readonly nodeGraceSeconds: number;
  /** Whether nodes get pod ranges: makes every controller wait ten seconds for that one at the start. */
  readonly podRanges: boolean;
}

export async function startControllers(options: ControllerOptions): Promise<ServerProcess> {
  const { programs, directory, keys, apiServer, podNetwork, serviceNetwork, nodeGraceSeconds, podRanges } = options;
  const caFile = join(directory, 'controllers-ca.crt');
  const caKeyFile = join(directory, 'controllers-ca.key');
  await writeFile(caFile, keys.authority.certificate);
  await writeFile(caKeyFile, keys.authority.key, { mode: 0o600 });
  const [port = 0] = await freePorts(1);
  const child = await startProcess('controllers', [
    programs.kubernetes['kube-controller-manager'],
    `--kubeconfig=${await apiServer.writeKubeconfig('system:kube-controller-manager', ['system:masters'])}`,
    '--leader-elect=false',
    '--bind-address=127.0.0.1',
    `--secure-port=${port}`,
    ...insecurePortFlag(programs),
    `--cert-dir=${join(directory, 'controllers')}`,
    `--controllers=*,bootstrapsigner,tokencleaner${podRanges ? '' : ',-nodeipam'}`,
    `--cluster-signing-cert-file=${caFile}`,
    `--cluster-signing-key-file=${caKeyFile}`,
    `--service-account-private-key-file=${keys.serviceAccount.privateFile}`,
    `--root-ca-file=${caFile}`,
    `--allocate-node-cidrs=${podRanges}`,
    `--cluster-cidr=${podNetwork}`,
    `--service-cluster-ip-range=${serviceNetwork}`,
    '--kube-api-qps=500',
    '--kube-api-burst=1000',
    `--node-monitor-grace-period=${nodeGraceSeconds}s`,
  ]);
  return child;
}

export async function startScheduler(
  options: Pick<ControllerOptions, 'programs' | 'directory' | 'apiServer'>,
): Promise<ServerProcess> {
  const { programs, directory, apiServer } = options;
  const [port = 0] = await freePorts(1);
  return await startProcess('scheduler', [
    programs.kubernetes['kube-scheduler'],
    `--kubeconfig=${await apiServer.writeKubeconfig('system:kube-scheduler', ['system:masters'])}`,
    '--leader-elect=false',
    '--bind-address=127.0.0.1',
    `--secure-port=${port}`,
    ...insecurePortFlag(programs),
    `--cert-dir=${join(directory, 'scheduler')}`,
  ]);
}

/** Up to 1.22 both also listen on all addresses in clear, unless told not to; the flag went with 1.24. */
function insecurePortFlag({ version }: ControlPlanePrograms): readonly string[] {
  return minorOf(version) < 23 ? ['--port=0'] : [];
}

function formatKubeconfig(server: string, caFile: string, pair: { certificateFile: string; keyFile: string }): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server, 'certificate-authority': caFile } }],
    users: [{ name: 'test', user: { 'client-certificate': pair.certificateFile, 'client-key': pair.keyFile } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
    'current-context': 'test',
  });
}

const fileName = (user: string): string => user.replaceAll(/[^a-z0-9-]/gi, '-');
