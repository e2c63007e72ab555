// Bootstrap tokens: what a machine joins a cluster with, once, for minutes. Each is a Secret in kube-system.
import { Buffer } from 'node:buffer';
import { invariant } from '@labwright/core/errors/error';
import { type Random, randomHex } from '@labwright/core/ports/random';
import { Secret } from '@labwright/core/ports/secret';
import type { CallOptions, ClusterConnection } from './connection.ts';
import { secretKind } from './kind.ts';

export interface BootstrapToken {
  /** Six characters that are no secret: they name it. */
  readonly id: string;
  /** Sixteen characters. */
  readonly secret: Secret;
}

export interface BootstrapTokenTerms {
  /** Milliseconds since 1970 UTC; the cluster removes it then. */
  readonly expiresAt: number;
  /** For people: "joins node102 to lab home". */
  readonly description: string;
  /** Beside "system:bootstrappers", which every token has. kubeadm's rights belong to its own group. */
  readonly groups?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
}

const kubeadmGroup = 'system:bootstrappers:kubeadm:default-node-token';
const idPattern = /^[a-z0-9]{6}$/;
const secretPattern = /^[a-z0-9]{16}$/;

export function makeBootstrapToken(random: Random): BootstrapToken {
  return { id: randomHex(random, 3), secret: new Secret(randomHex(random, 8)) };
}

/** "abcdef.0123456789abcdef", as kubeadm takes it. */
export function formatBootstrapToken({ id, secret }: BootstrapToken): Secret {
  return new Secret(`${id}.${secret.reveal()}`);
}

/** Made, or made anew under the same id. */
export async function applyBootstrapToken(
  connection: ClusterConnection,
  token: BootstrapToken,
  { expiresAt, description, groups = [kubeadmGroup], labels = {} }: BootstrapTokenTerms,
  options: CallOptions,
): Promise<void> {
  invariant(idPattern.test(token.id) && secretPattern.test(token.secret.reveal()), 'a bootstrap token has its form');
  const data = {
    'token-id': token.id,
    'token-secret': token.secret.reveal(),
    expiration: new Date(expiresAt).toISOString(),
    description,
    'usage-bootstrap-authentication': 'true',
    'usage-bootstrap-signing': 'true',
    'auth-extra-groups': groups.join(','),
  };
  const encode = (text: string): string => Buffer.from(text).toString('base64');
  await connection.apply(
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { ...nameOf(token.id), labels },
      type: 'bootstrap.kubernetes.io/token',
      data: Object.fromEntries(Object.entries(data).map(([key, text]) => [key, encode(text)])),
    },
    options,
  );
}

/** An API server that has seen it before goes on to accept it for ten seconds. */
export async function deleteBootstrapToken(
  connection: ClusterConnection,
  id: string,
  options: CallOptions,
): Promise<'deleted' | 'absent'> {
  return await connection.delete(secretKind, nameOf(id), options);
}

const nameOf = (id: string): { name: string; namespace: string } => ({
  name: `bootstrap-token-${id}`,
  namespace: 'kube-system',
});
