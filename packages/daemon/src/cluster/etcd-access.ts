// The way to the lab's etcd: where its members answer, and with which certificate.
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import { LabwrightError } from '@labwright/core/errors/error';
import type { EtcdMemberFacts } from '@labwright/core/facts/cluster';
import type { Clock } from '@labwright/core/ports/clock';
import { fetchEtcdGroup, type EtcdGroup } from '@labwright/cluster/etcd/etcd-group';
import { issueEtcdClient } from '@labwright/cluster/pki/logins';
import type { ClusterPki } from '@labwright/cluster/pki/pki';

const clientPort = 2379;
const peerPort = 2380;
/** A machine that is off answers nothing at all. */
const lookMs = 3_000;

/** The blueprint's control planes; etcd itself tells of others. The login is made for hours, and in memory. */
export async function openEtcd({ machines }: Blueprint, pki: ClusterPki, clock: Clock): Promise<EtcdGroup> {
  const { certificate, privateKey } = await issueEtcdClient(pki, clock.now());
  return {
    login: { ca: pki.etcdCa.certificate, certificate, privateKey },
    addresses: machines
      .filter(({ role }) => role === 'control-plane')
      .map(({ name, address }) => ({
        name,
        host: address,
        port: clientPort,
        peerUrl: `https://${address}:${peerPort}`,
      })),
  };
}

/** Undefined when nobody answers. */
export async function listEtcdMembers(
  blueprint: Blueprint,
  pki: ClusterPki,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<readonly EtcdMemberFacts[] | undefined> {
  try {
    const facts = await fetchEtcdGroup(await openEtcd(blueprint, pki, clock), { signal, timeoutMs: lookMs });
    return facts.members.map(({ id, name, learner, healthy, problems }) => ({
      ...{ id, name, learner, healthy },
      ...(problems === undefined ? {} : { problems }),
    }));
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof LabwrightError && (error.code === 'LW6031' || error.code === 'LW6032')) return undefined;
    throw error;
  }
}
