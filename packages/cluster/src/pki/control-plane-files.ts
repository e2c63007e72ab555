// Everything kubeadm would make in /etc/kubernetes of a control plane, made here: so that a machine generates no key, and adds
// no second authority to a cluster that has one. kubeadm takes what it finds and checks it (certificates and PKI in its docs).
import type { Ipv4 } from '@labwright/core/addresses/ipv4';
import { cidrRange, ipv4FromNumber, ipv4ToNumber } from '@labwright/core/addresses/ipv4';
import { minorOf } from '@labwright/core/addresses/kubernetes-version';
import type { HostName } from '@labwright/core/addresses/names';
import type { ClusterBlueprint } from '@labwright/core/blueprint/blueprint';
import { issueLeaf, type Authority, type KeyAndCertificate, type LeafSpec } from './authority.ts';
import { formatKubeconfig } from './kubeconfig.ts';
import type { ClusterPki } from './pki.ts';

/** A file for a machine, by its absolute path there; or a symbolic link. */
export type PushedFile =
  | { readonly path: string; readonly mode: number; readonly content: string }
  | { readonly path: string; readonly target: string };

export interface ControlPlaneIdentity {
  readonly name: HostName;
  readonly address: Ipv4;
}

const folder = '/etc/kubernetes';
const leafMs = 365 * 24 * 3600_000;
/** From 1.29 on admin.conf is of a group whose rights can be taken away (kubernetes/kubernetes#121305). */
const ownAdminGroupMinor = 29;

/** `machine` is this control plane, `members` all of them. */
export async function makeControlPlaneFiles(
  pki: ClusterPki,
  cluster: ClusterBlueprint,
  machine: ControlPlaneIdentity,
  members: readonly ControlPlaneIdentity[],
  now: number,
): Promise<readonly PushedFile[]> {
  const notAfter = now + leafMs;
  const admins = minorOf(cluster.version) >= ownAdminGroupMinor ? 'kubeadm:cluster-admins' : 'system:masters';
  const leaf = async (name: string, authority: Authority, spec: Omit<LeafSpec, 'notAfter'>) =>
    pairFiles(name, await issueLeaf(authority, { ...spec, notAfter }, now));
  const etcdPeer = {
    commonName: machine.name,
    usages: ['server', 'client'],
    dnsNames: ['localhost', machine.name],
    addresses: ['127.0.0.1', '::1', machine.address],
  } as const;
  const authorities = [
    ...pairFiles('ca', pki.ca),
    ...pairFiles('front-proxy-ca', pki.frontProxyCa),
    ...pairFiles('etcd/ca', pki.etcdCa),
    { path: `${folder}/pki/sa.key`, mode: 0o600, content: pki.serviceAccount.privateKey.reveal() },
    { path: `${folder}/pki/sa.pub`, mode: 0o644, content: pki.serviceAccount.publicKey },
  ];
  const leafs = await Promise.all([
    leaf('apiserver', pki.ca, {
      commonName: 'kube-apiserver',
      usages: ['server'],
      ...apiServerNames(cluster, machine, members),
    }),
    leaf('apiserver-kubelet-client', pki.ca, {
      commonName: 'kube-apiserver-kubelet-client',
      organizations: [admins],
      usages: ['client'],
    }),
    leaf('front-proxy-client', pki.frontProxyCa, { commonName: 'front-proxy-client', usages: ['client'] }),
    leaf('etcd/server', pki.etcdCa, etcdPeer),
    leaf('etcd/peer', pki.etcdCa, etcdPeer),
    leaf('etcd/healthcheck-client', pki.etcdCa, {
      commonName: 'kube-etcd-healthcheck-client',
      organizations: ['system:masters'],
      usages: ['client'],
    }),
    leaf('apiserver-etcd-client', pki.etcdCa, {
      commonName: 'kube-apiserver-etcd-client',
      organizations: ['system:masters'],
      usages: ['client'],
    }),
    ...controlPlaneLogins(cluster, machine, admins).map(async (login) => [
      await makeLoginFile(pki, login, notAfter, now),
    ]),
  ]);
  return [...authorities, ...leafs.flat()];
}

const kubeletKeys = '/var/lib/kubelet/pki';

/**
 * The kubelet's login. kubeadm would have each kubelet ask for one with the token, which the controller manager signs when it comes
 * to it; until then the kubelet's questions are refused, many a second. As the kubelet keeps it: a dated file behind a link, which
 * it turns to a new one in time. `server` is the API that it talks to.
 */
export async function makeKubeletFiles(
  pki: ClusterPki,
  { name }: Pick<ControlPlaneIdentity, 'name'>,
  server: string,
  now: number,
): Promise<readonly PushedFile[]> {
  const user = `system:node:${name}`;
  const spec = {
    commonName: user,
    organizations: ['system:nodes'],
    usages: ['client'],
    notAfter: now + leafMs,
  } as const;
  const { certificate, privateKey } = await issueLeaf(pki.ca, spec, now);
  const dated = `kubelet-client-${new Date(now).toISOString().slice(0, 19).replaceAll(/[T:]/g, '-')}.pem`;
  const current = `${kubeletKeys}/kubelet-client-current.pem`;
  const kubeconfig = formatKubeconfig({
    cluster: 'kubernetes',
    server,
    ca: pki.ca.certificate,
    user: { name: user, file: current },
  });
  return [
    { path: `${kubeletKeys}/${dated}`, mode: 0o600, content: certificate + privateKey.reveal() },
    { path: current, target: `${kubeletKeys}/${dated}` },
    { path: `${folder}/kubelet.conf`, mode: 0o600, content: kubeconfig },
  ];
}

/** Every name and address that clients may use, the first as kubeadm has them; the rest of the members' come on top. */
export function apiServerNames(
  cluster: ClusterBlueprint,
  machine: ControlPlaneIdentity,
  members: readonly ControlPlaneIdentity[],
): { readonly dnsNames: readonly string[]; readonly addresses: readonly string[] } {
  const { endpoint, dnsDomain, services } = cluster;
  const firstService = ipv4FromNumber(ipv4ToNumber(cidrRange(services).first) + 1);
  const inside = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc', `kubernetes.default.svc.${dnsDomain}`];
  const distinct = (values: readonly string[]): readonly string[] => [...new Set(values)];
  return {
    dnsNames: distinct([machine.name, ...inside, endpoint.name, 'localhost', ...members.map(({ name }) => name)]),
    addresses: distinct([
      firstService,
      machine.address,
      endpoint.address,
      '127.0.0.1',
      ...members.map(({ address }) => address),
    ]),
  };
}

interface Login {
  readonly file: string;
  readonly user: string;
  readonly group?: string;
  readonly server: string;
}

/** A control plane's own parts ask their own API server, so that no version of one ever speaks to an older one of another. */
function controlPlaneLogins(
  cluster: ClusterBlueprint,
  { address }: ControlPlaneIdentity,
  admins: string,
): readonly Login[] {
  const { endpoint } = cluster;
  const local = `https://${address}:${endpoint.port}`;
  const login = (file: string, user: string): Login => ({ file, user, server: local });
  return [
    {
      file: 'admin.conf',
      user: 'kubernetes-admin',
      group: admins,
      server: `https://${endpoint.address}:${endpoint.port}`,
    },
    login('controller-manager.conf', 'system:kube-controller-manager'),
    login('scheduler.conf', 'system:kube-scheduler'),
  ];
}

async function makeLoginFile(
  pki: ClusterPki,
  { file, user, group, server }: Login,
  notAfter: number,
  now: number,
): Promise<PushedFile> {
  const organizations = group === undefined ? [] : [group];
  const issued = await issueLeaf(pki.ca, { commonName: user, organizations, usages: ['client'], notAfter }, now);
  const content = formatKubeconfig({
    cluster: 'kubernetes',
    server,
    ca: pki.ca.certificate,
    user: { name: user, ...issued },
  });
  return { path: `${folder}/${file}`, mode: 0o600, content };
}

function pairFiles(name: string, { certificate, privateKey }: KeyAndCertificate): readonly PushedFile[] {
  return [
    { path: `${folder}/pki/${name}.crt`, mode: 0o644, content: certificate },
    { path: `${folder}/pki/${name}.key`, mode: 0o600, content: privateKey.reveal() },
  ];
}
