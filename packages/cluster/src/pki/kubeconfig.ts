// Kubeconfig files, one cluster and one user each (https://kubernetes.io/docs/reference/config-api/kubeconfig.v1).
import type { Secret } from '@labwright/core/ports/secret';
import { isMap, isSeq, parseDocument, stringify } from 'yaml';

export interface Kubeconfig {
  readonly cluster: string;
  /** "https://10.1.0.10:6443" */
  readonly server: string;
  /** The name to look for in the certificate where `server` is not one of its names. */
  readonly tlsServerName?: string;
  /** PEM. */
  readonly ca: string;
  /** Absent: it only says who the cluster is, in the form that kubeadm's discovery takes. */
  readonly user?: KubeconfigUser;
  /** Default: USER@CLUSTER, as kubeadm names it. */
  readonly context?: string;
}

export type KubeconfigUser =
  | { readonly name: string; readonly certificate: string; readonly privateKey: Secret }
  /** A file with both, on the machine that uses it. */
  | { readonly name: string; readonly file: string }
  | { readonly name: string; readonly token: Secret };

/** YAML with the private key in the clear. */
export function formatKubeconfig(config: Kubeconfig): string {
  return stringify(describeKubeconfig(config), { lineWidth: 0 });
}

/**
 * Another kubeconfig's text with this one's cluster, user and context in it; what carries their names is replaced, everything
 * else stays, comments too. `current-context` is set only where there is none. Undefined when the text is no kubeconfig.
 */
export function mergeKubeconfig(text: string, config: Kubeconfig): string | undefined {
  const added = describeKubeconfig(config);
  if (text.trim() === '') return formatKubeconfig(config);
  const document = parseDocument(text);
  if (document.errors.length > 0 || !isMap(document.contents)) return undefined;
  if (document.get('kind') !== undefined && document.get('kind') !== 'Config') return undefined;
  for (const key of ['clusters', 'users', 'contexts'] as const) {
    const there = document.get(key);
    const list = isSeq(there) ? there : document.createNode<unknown[]>([]);
    if (list !== there) document.set(key, list);
    for (const entry of added[key]) {
      const at = list.items.findIndex((item) => isMap(item) && item.get('name') === entry.name);
      if (at === -1) list.add(document.createNode(entry));
      else list.set(at, document.createNode(entry));
    }
  }
  for (const key of ['apiVersion', 'kind'] as const) if (!document.has(key)) document.set(key, added[key]);
  const current: unknown = document.get('current-context');
  if (current === undefined || current === null || current === '')
    document.set('current-context', added['current-context']);
  return document.toString({ lineWidth: 0 });
}

export interface KubeconfigDocument {
  readonly apiVersion: 'v1';
  readonly kind: 'Config';
  readonly clusters: readonly { readonly name: string; readonly cluster: Readonly<Record<string, string>> }[];
  readonly users: readonly { readonly name: string; readonly user: Readonly<Record<string, string>> }[];
  readonly contexts: readonly { readonly name: string; readonly context: Readonly<Record<string, string>> }[];
  readonly 'current-context': string;
}

function describeKubeconfig(config: Kubeconfig): KubeconfigDocument {
  const { server, tlsServerName, ca, user } = config;
  // kubeadm looks for a cluster without a name where there is no context, and a context without a user it refuses.
  const cluster = user === undefined ? '' : config.cluster;
  const name = user === undefined ? '' : (config.context ?? `${user.name}@${cluster}`);
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name: cluster,
        cluster: {
          server,
          ...(tlsServerName === undefined ? {} : { 'tls-server-name': tlsServerName }),
          'certificate-authority-data': base64(ca),
        },
      },
    ],
    users: user === undefined ? [] : [{ name: user.name, user: describeUser(user) }],
    contexts: user === undefined ? [] : [{ name, context: { cluster, user: user.name } }],
    'current-context': name,
  };
}

function describeUser(user: KubeconfigUser): Readonly<Record<string, string>> {
  if ('token' in user) return { token: user.token.reveal() };
  if ('file' in user) return { 'client-certificate': user.file, 'client-key': user.file };
  return {
    'client-certificate-data': base64(user.certificate),
    'client-key-data': base64(user.privateKey.reveal()),
  };
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
