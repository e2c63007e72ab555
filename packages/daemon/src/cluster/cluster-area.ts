// The cluster as one area of the running lab: its keys, its connection, its shells, and with them its observer, planner, steps
// and what people ask about it.
import type { Ipv4 } from '@labwright/core/addresses/ipv4';
import { isRehearsal, type HostName } from '@labwright/core/addresses/names';
import type { Blueprint, ClusterBlueprint, MachineBlueprint } from '@labwright/core/blueprint/blueprint';
import { clusterNotFormed } from '@labwright/core/blueprint/missing-section';
import { controlPlanesOf, type ClusterDns } from '@labwright/cluster/formation/kubeadm-jobs';
import { planCluster, type ClusterPlanInput } from '@labwright/cluster/formation/cluster-plan';
import { fetchCertificates, listAuthorities } from '@labwright/cluster/formation/certificates';
import { makeFormationExecutors } from '@labwright/cluster/formation/executors';
import { keepLogin } from '@labwright/cluster/formation/login-keeper';
import { observeCluster } from '@labwright/cluster/formation/observe';
import type { OpenShell } from '@labwright/cluster/formation/shell';
import { getExpiry } from '@labwright/cluster/pki/authority';
import { issueClientLogin, personLogin } from '@labwright/cluster/pki/logins';
import type { ClusterPki } from '@labwright/cluster/pki/pki';
import { openPkiVault, type PkiPlace, type PkiVault } from '@labwright/cluster/pki/pki-vault';
import type { CertificatesStatus, ClusterLoginAnswer, ClusterStatus } from '@labwright/core/contract/contract';
import type { Executor } from '@labwright/core/engine/engine';
import { asLabwrightError, LabwrightError, type ErrorJson } from '@labwright/core/errors/error';
import type { ClusterFacts } from '@labwright/core/facts/cluster';
import type { HypervisorFacts } from '@labwright/core/facts/hypervisors';
import type { MachineReport } from '@labwright/core/facts/machines';
import type { AreaPlan } from '@labwright/core/plan/plan';
import type { Clock } from '@labwright/core/ports/clock';
import type { Log } from '@labwright/core/ports/log';
import type { Random } from '@labwright/core/ports/random';
import { allMachines, withReplacements } from '@labwright/machines/replacements';
import { formatClusterStatus } from './cluster-status.ts';
import { listEtcdMembers, openEtcd } from './etcd-access.ts';
import type { ClusterConnection } from '@labwright/drivers/kubernetes/connection';
import type { AppliedObject } from '@labwright/drivers/kubernetes/kind';
import type { SshIdentity } from '@labwright/drivers/ssh/identity';
import { runOverSsh } from '@labwright/drivers/ssh/run';
import { assertImagesToBeHad } from '@labwright/images/kubernetes/image-check';
import { makeClusterResolver } from './cluster-resolver.ts';

export interface ClusterAreaOptions {
  /** As the lab file has it. */
  readonly blueprint: Blueprint;
  /** As it held with replacements when the hypervisors were last looked at. */
  readonly currentBlueprint: () => Blueprint;
  readonly cluster: ClusterBlueprint;
  readonly keys: Omit<PkiPlace, 'lab'>;
  readonly identity: SshIdentity;
  /** What machines said of themselves since they were last started. */
  readonly currentReports: () => readonly MachineReport[];
  /** Ours in the lab's network. */
  readonly address: Ipv4;
  readonly cacheDirectory: string;
  /** Ends what goes on beside steps. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** What was seen, and whether the cluster's keys can be used to change anything. */
export interface ClusterView {
  readonly facts: ClusterFacts;
  readonly keys: { readonly kind: 'usable' } | { readonly kind: 'unusable'; readonly error: ErrorJson };
}

export type PlannedMachines = Pick<ClusterPlanInput, 'others' | 'absent'>;

export interface ClusterArea {
  /** Takes up what a running cluster needs of this process: the resolver of its pods, where it is ours. */
  attend(): Promise<void>;
  readonly executors: ReadonlyMap<string, Executor>;
  /** Never throws for keys that cannot be used: the view says so. */
  observe(hypervisors: HypervisorFacts, signal: AbortSignal): Promise<ClusterView>;
  /** By the blueprint as it holds with replacements. */
  plan(view: ClusterView, machines: PlannedMachines, blueprint: Blueprint): AreaPlan;
  /**
   * Whether what is put onto machines of the cluster is to be had, asked where nobody has looked before. Throws LW4003 and LW4004 for
   * a version and a container image that are not.
   */
  assertImages(signal: AbortSignal): Promise<void>;
  /** For what else is done to the cluster and its machines. */
  readonly reach: ClusterReach;
  status(hypervisors: HypervisorFacts, signal: AbortSignal): Promise<ClusterStatus>;
  /** A new login for a person. Throws LW1003 and LW6010 for keys that cannot be used, LW6014 when there is none yet. */
  makeLogin(signal: AbortSignal): Promise<ClusterLoginAnswer>;
  /** Asks the control planes that there were when the hypervisors were last looked at. Throws as `makeLogin` does. */
  certificates(signal: AbortSignal): Promise<CertificatesStatus>;
  close(): Promise<void>;
}

/** The ways into the cluster. */
export interface ClusterReach {
  readonly vault: PkiVault;
  readonly openShell: OpenShell;
  connect(pki: ClusterPki): Promise<ClusterConnection>;
  /** For what follows the cluster for as long as this process runs. */
  connectLasting(pki: ClusterPki): Promise<ClusterConnection>;
}

const shellMs = 20_000;

export function makeClusterArea(options: ClusterAreaOptions): ClusterArea {
  const { blueprint, cluster, clock, random, log } = options;
  const vault = openPkiVault({ ...options.keys, lab: blueprint.lab }, clock);
  const login = keepLogin(cluster, { clock, log });
  const openShell = makeOpenShell(options);
  const resolver = makeClusterResolver({ ...options, lab: blueprint.lab, resolvers: blueprint.network.resolvers });
  const ensureResolver = async (dns: ClusterDns, pki: ClusterPki): Promise<readonly AppliedObject[]> =>
    await resolver.ensure(dns, async () => await login.connectLasting(pki));
  const connect = async (pki: ClusterPki): Promise<ClusterConnection> => await login.connect(pki);
  const shared = { blueprint, cluster, vault, openShell, connect, clock } as const;

  // A replacement is of the lab as soon as its VM runs.
  const known = { ...blueprint, machines: allMachines(blueprint) };

  const settled = new Set<string>();
  const observe: ClusterArea['observe'] = async (hypervisors, signal) => {
    try {
      const reachable = findReachable(options, hypervisors);
      const effective = withReplacements(blueprint, hypervisors);
      const listMembers = async (pki: ClusterPki, call: AbortSignal) =>
        await listEtcdMembers(effective, pki, { clock, signal: call });
      const facts = await observeCluster({ ...shared, blueprint: known, reachable, settled, listMembers, signal });
      if (facts.kind === 'silent') await vault.assertUsable(signal);
      return { facts, keys: { kind: 'usable' } };
    } catch (thrown) {
      const error = asLabwrightError(thrown);
      if (error.code !== 'LW1003' && error.code !== 'LW6010') throw error;
      const facts: ClusterFacts = { kind: 'silent', why: error.message, hasKeys: true, disks: [], asOf: clock.now() };
      return { facts, keys: { kind: 'unusable', error: error.toJSON() } };
    }
  };

  return {
    attend: async () => {
      const pki = await vault.read(options.signal);
      // Without keys there is no cluster yet; its formation begins with the resolver.
      if (pki !== undefined) await ensureResolver(await resolver.choose(options.signal), pki);
    },
    executors: makeFormationExecutors({
      ...shared,
      openEtcd: async (pki) => await openEtcd(known, pki, clock),
      dns: async (signal) => await resolver.prepare(signal),
      ensureResolver,
      random,
      log,
    }),
    observe,
    plan: ({ facts, keys }, planned, effective) => planCluster(effective, { facts, keys, ...planned }),
    assertImages: async (signal) => {
      // A rehearsal has gathered them before it started.
      if (isRehearsal(blueprint.lab)) return;
      const { version, mirror } = cluster;
      const onProgress = (message: string): void => log.info('image', { message });
      const context = { cacheDir: options.cacheDirectory, signal, onProgress };
      await assertImagesToBeHad({ version, ...(mirror === undefined ? {} : { mirror }) }, context);
    },
    reach: { vault, openShell, connect, connectLasting: async (pki) => await login.connectLasting(pki) },
    status: async (hypervisors, signal) =>
      formatClusterStatus(
        withReplacements(blueprint, hypervisors),
        cluster,
        (await observe(hypervisors, signal)).facts,
      ),
    makeLogin: async (signal) => {
      const pki = await vault.read(signal);
      if (pki === undefined) throw clusterNotFormed();
      const { certificate, privateKey } = await issueClientLogin(pki, personLogin, clock.now());
      return {
        cluster: blueprint.lab,
        endpoint: `${cluster.endpoint.address}:${cluster.endpoint.port}`,
        serverName: cluster.endpoint.name,
        user: personLogin.user,
        ca: pki.ca.certificate,
        certificate,
        privateKey: privateKey.reveal(),
        expiresAt: getExpiry(certificate),
      };
    },
    certificates: async (signal) => {
      const pki = await vault.read(signal);
      if (pki === undefined) throw clusterNotFormed();
      const authorities = listAuthorities(pki).map((each) => ({
        ...each,
        place: 'the keys of the cluster',
        isAuthority: true,
      }));
      const asked = await Promise.all(
        controlPlanesOf(options.currentBlueprint()).map((machine) => askCertificates(openShell, machine, signal)),
      );
      return {
        asOf: clock.now(),
        certificates: [...authorities, ...asked.flatMap(({ certificates }) => certificates)],
        silent: asked.flatMap(({ silent }) => silent),
      };
    },
    close: async () => {
      await resolver.close();
      await login.close();
    },
  };
}

/** Over a connection pinned to the key that the machine phoned home with; there is no other. */
function makeOpenShell({ blueprint, identity, currentReports }: ClusterAreaOptions): OpenShell {
  return (name) => async (command, call) => {
    const machine = allMachines(blueprint).find((each) => each.name === name);
    const report = currentReports().find((each) => each.name === name);
    if (machine === undefined || report === undefined) throw unknownKey(name);
    const { timeoutMs, signal, ...streams } = call;
    const target = {
      host: machine.address,
      port: 22,
      user: blueprint.ssh.user,
      privateKey: identity.privateKey,
      hostKey: report.sshHostKey,
      timeoutMs,
      signal,
    };
    return await runOverSsh(target, command, streams);
  };
}

function unknownKey(name: HostName): LabwrightError {
  return new LabwrightError('LW3004', {
    what: `nothing is sent to ${name}: its SSH host key is not known`,
    where: { machine: name },
    why: 'it has not phoned home since it was started, so another computer could answer in its place',
    fix: ['labwright up   starts it and waits for its call'],
  });
}

/** Members that run and have told their key since. */
function findReachable(
  { blueprint, currentReports }: ClusterAreaOptions,
  facts: HypervisorFacts,
): ReadonlySet<HostName> {
  const running = new Set(facts.vms.filter(({ status }) => status === 'running').map(({ vmId }) => vmId));
  const told = new Set(currentReports().map(({ name }) => name));
  const members = allMachines(blueprint).filter(({ name, vmId }) => running.has(vmId) && told.has(name));
  return new Set(members.map(({ name }) => name));
}

async function askCertificates(openShell: OpenShell, { name }: MachineBlueprint, signal: AbortSignal) {
  try {
    const found = await fetchCertificates(openShell, name, { timeoutMs: shellMs, signal });
    return { certificates: found.map((each) => ({ ...each, place: name, isAuthority: false })), silent: [] };
  } catch (thrown) {
    signal.throwIfAborted();
    const error = asLabwrightError(thrown);
    if (error.code !== 'LW3003' && error.code !== 'LW3004' && error.code !== 'LW6036') throw error;
    return { certificates: [], silent: [{ name, why: error.why ?? error.message }] };
  }
}
