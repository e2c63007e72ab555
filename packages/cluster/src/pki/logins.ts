// Logins that our own authorities sign: for Labwright itself, for people, and for looking at etcd.
import { issueLeaf, type KeyAndCertificate } from './authority.ts';
import type { ClusterPki } from './pki.ts';

export interface ClientLogin {
  readonly user: string;
  readonly groups: readonly string[];
  readonly validForMs: number;
}

const hourMs = 3600_000;

/** A client certificate of the cluster's authority: the user's name and groups are in it. */
export async function issueClientLogin(pki: ClusterPki, login: ClientLogin, now: number): Promise<KeyAndCertificate> {
  const { user, groups, validForMs } = login;
  return await issueLeaf(
    pki.ca,
    { commonName: user, organizations: groups, usages: ['client'], notAfter: now + validForMs },
    now,
  );
}

/** May do everything without asking RBAC, which a new cluster does not have yet. Lives in memory, so hours are enough. */
export const ownLogin: ClientLogin = { user: 'labwright', groups: ['system:masters'], validForMs: 12 * hourMs };

/**
 * A certificate cannot be taken back, but the rights of this group can: they hang on a ClusterRoleBinding of ours
 * (formation/cluster-objects.ts), where system:masters would be for good.
 */
export const adminGroup = 'labwright:admins';

/** For the kubeconfig of a person. */
export const personLogin: ClientLogin = {
  user: 'labwright-admin',
  groups: [adminGroup],
  validForMs: 365 * 24 * hourMs,
};

/** etcd asks for no name, only for a certificate of its own authority. */
export async function issueEtcdClient(pki: ClusterPki, now: number): Promise<KeyAndCertificate> {
  return await issueLeaf(
    pki.etcdCa,
    { commonName: 'labwright', usages: ['client'], notAfter: now + ownLogin.validForMs },
    now,
  );
}
