// A whole control plane for a test file: etcd, API servers, controllers and, if wanted, the scheduler. About four seconds.
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { silentLog } from '@labwright/core/ports/log';
import { systemClock } from '@labwright/core/ports/system';
import { type ClusterConnection, connectCluster } from '@labwright/drivers/kubernetes/connection';
import { type ApiServer, type ClusterKeys, startApiServer, startControllers, startScheduler } from './api-server.ts';
import { type KeyPair, makeAuthority, makeServiceAccountKey } from './authority.ts';
import type { ControlPlanePrograms } from './binaries.ts';
import { type EtcdMember, startEtcdMember } from './etcd-member.ts';
import { freePorts, type ServerProcess } from './process.ts';

export interface ControlPlaneOptions {
  readonly programs: ControlPlanePrograms;
  /** Default 1. */
  readonly etcdMembers?: number;
  /** All of them on all members of etcd; default 1. */
  readonly apiServers?: number;
  /** Without it, pods go only to the node they name. */
  readonly scheduler?: boolean;
  /** Made for the test unless given: so that logins of another PKI can be tried. */
  readonly authority?: KeyPair;
  readonly etcdAuthority?: KeyPair;
  readonly serviceNetwork?: string;
  readonly podNetwork?: string;
  /** In the certificates; the first one is what logins expect. */
  readonly names?: readonly string[];
  /** Addresses that API servers listen on, one each; loopback when absent. */
  readonly addresses?: readonly string[];
  /** A node that is silent for this long is gone; a day unless given, so that a test needs no heartbeats. */
  readonly nodeGraceSeconds?: number;
  /** Let the cluster give nodes their pod ranges, which takes ten seconds more; a fake node otherwise brings its own. */
  readonly podRanges?: boolean;
}

export interface ControlPlane {
  readonly directory: string;
  readonly keys: ClusterKeys;
  readonly etcd: readonly EtcdMember[];
  readonly apiServers: readonly [ApiServer, ...ApiServer[]];
  readonly controllers: ServerProcess;
  /** As cluster-admin; closed with the control plane. */
  readonly connection: ClusterConnection;
  /** Standard output of kubectl as cluster-admin. Throws for any other exit code than 0, with what it said. */
  kubectl(argv: readonly string[], input?: string): Promise<string>;
  stop(): Promise<void>;
}

export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { programs, serviceNetwork = '10.96.0.0/16', podNetwork = '10.128.0.0/12' } = options;
  const { names = ['kube.test'], nodeGraceSeconds = 86_400, addresses = [], podRanges = false } = options;
  // Inside tools/in-testbed /run is a file system of its own, which is gone with the namespace.
  const parent = process.env['LABWRIGHT_TESTBED'] === '1' ? '/run' : tmpdir();
  const directory = await mkdtemp(join(parent, 'control-plane-'));
  const processes: ServerProcess[] = [];
  const keep = <T extends { readonly process: ServerProcess }>(started: T): T => {
    processes.push(started.process);
    return started;
  };
  try {
    const [authority, etcdAuthority, serviceAccount] = await Promise.all([
      options.authority ?? makeAuthority(directory, 'kubernetes-ca'),
      options.etcdAuthority ?? makeAuthority(directory, 'etcd-ca'),
      makeServiceAccountKey(directory),
    ]);
    const keys: ClusterKeys = { authority, etcdAuthority, serviceAccount };

    const etcd = (await startEtcd(programs, directory, etcdAuthority, options.etcdMembers ?? 1)).map(keep);
    const apiServers = await Promise.all(
      Array.from({ length: options.apiServers ?? 1 }, async (_, index) => {
        const own = join(directory, `api-server-${index + 1}`);
        const address = addresses[index];
        const listen = address === undefined ? {} : { listen: { address } };
        return await startApiServer({ programs, directory: own, keys, etcd, names, serviceNetwork, ...listen });
      }),
    );
    const [first, ...others] = apiServers;
    if (first === undefined) throw new Error('a control plane has an API server');
    const network = { podNetwork, serviceNetwork, podRanges };
    const controlled = { programs, directory, keys, apiServer: first, nodeGraceSeconds, ...network };
    const controllers = await startControllers(controlled);
    processes.push(controllers);
    if (options.scheduler === true) processes.push(await startScheduler(controlled));

    const kubeconfig = await first.writeKubeconfig('admin', ['system:masters']);
    const connection = connectCluster(await first.login('admin', ['system:masters']), {
      clock: systemClock,
      log: silentLog,
    });
    return {
      directory,
      keys,
      etcd,
      apiServers: [first, ...others],
      controllers,
      connection,
      kubectl: async (argv, input = '') => await runKubectl(programs, kubeconfig, argv, input),
      async stop() {
        await connection.close();
        await Promise.all([...processes, ...apiServers.map((server) => server.process)].map((each) => each.end()));
        await rm(directory, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await Promise.all(processes.map((each) => each.end()));
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
}

/** Members that know of each other from the start. */
async function startEtcd(
  programs: ControlPlanePrograms,
  directory: string,
  authority: KeyPair,
  count: number,
): Promise<readonly EtcdMember[]> {
  const ports = await freePorts(2 * count);
  const members = Array.from({ length: count }, (_, index) => {
    const [client = 0, peer = 0] = ports.slice(2 * index);
    return { name: `etcd-${index + 1}`, ports: { client, peer }, peerUrl: `https://127.0.0.1:${peer}` };
  });
  return await Promise.all(
    members.map(async ({ name, ports }) => {
      const others = members.filter((member) => member.name !== name);
      return await startEtcdMember({ programs, directory: join(directory, name), name, authority, others, ports });
    }),
  );
}

async function runKubectl(
  programs: ControlPlanePrograms,
  kubeconfig: string,
  argv: readonly string[],
  input: string,
): Promise<string> {
  const running = promisify(execFile)(
    programs.kubernetes.kubectl,
    [`--kubeconfig=${kubeconfig}`, '--cache-dir=/nonexistent', ...argv],
    { timeout: 30_000, maxBuffer: 64 * 1024 * 1024 },
  );
  running.child.stdin?.end(input);
  return (await running).stdout;
}
