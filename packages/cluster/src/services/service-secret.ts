// Secrets of the lab as Secrets of the cluster: compared by hash, made when they differ, and never printed.
import { createHash } from 'node:crypto';
import type { LabId } from '@labwright/core/addresses/names';
import type { ClusterSecretBlueprint } from '@labwright/core/blueprint/blueprint';
import { asLabwrightError } from '@labwright/core/errors/error';
import type { Secret } from '@labwright/core/ports/secret';
import type { ClusterConnection } from '@labwright/drivers/kubernetes/connection';
import { type AppliedObject, type SecretObject, secretKind } from '@labwright/drivers/kubernetes/kind';
import { isMarked, labLabel, labLabelValue } from '../formation/marks.ts';
import type { SecretReader } from './chart-values.ts';
import type { SecretFacts } from './service-facts.ts';

/** Tells Secrets of the lab file from others that Labwright makes. */
const originLabel = 'labwright.dev/origin';
const origin = 'lab-file';

type Revealed = Readonly<Record<string, Secret>>;

/** Throws LW1003 for one that cannot be had. */
async function readData({ name, data }: ClusterSecretBlueprint, read: SecretReader): Promise<Revealed> {
  const entries = Object.entries(data).map(
    async ([key, reference]) => [key, await read(reference, `kubernetes.secrets.${name}.data.${key}`)] as const,
  );
  return Object.fromEntries(await Promise.all(entries));
}

const base64 = (secret: Secret): string => Buffer.from(secret.reveal()).toString('base64');
const hash = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Every Secret of the lab file, and those of ours in the cluster that are no longer in it. */
export async function observeSecrets(
  lab: LabId,
  wanted: readonly ClusterSecretBlueprint[],
  connection: ClusterConnection,
  options: { readonly signal: AbortSignal; readonly read: SecretReader },
): Promise<readonly SecretFacts[]> {
  const { signal, read } = options;
  const labelSelector = `${labLabel}=${labLabelValue(lab)},${originLabel}=${origin}`;
  const ours = await connection.list(secretKind, { labelSelector }, { signal });
  const facts = wanted.map(async (secret): Promise<SecretFacts> => {
    const { name, namespace } = secret;
    const found = await connection.get(secretKind, { name, namespace }, { signal });
    return { name, namespace, state: await compare(lab, secret, found, read) };
  });
  const unwanted = ours
    .map(({ metadata }) => ({ name: metadata.name, namespace: metadata.namespace ?? '' }))
    .filter((each) => !wanted.some(({ name, namespace }) => name === each.name && namespace === each.namespace))
    .map((each): SecretFacts => ({ ...each, state: { kind: 'unwanted' } }));
  return [...(await Promise.all(facts)), ...unwanted];
}

async function compare(
  lab: LabId,
  wanted: ClusterSecretBlueprint,
  found: SecretObject | undefined,
  read: SecretReader,
): Promise<SecretFacts['state']> {
  if (found !== undefined && !isMarked(lab, found.metadata.labels)) return { kind: 'foreign' };
  let data: Revealed;
  try {
    data = await readData(wanted, read);
  } catch (error) {
    return { kind: 'unready', error: asLabwrightError(error).toJSON() };
  }
  if (found === undefined) return { kind: 'absent' };
  const is = new Map(Object.entries(found.data ?? {}).map(([key, value]) => [key, hash(value)]));
  const should = new Map(Object.entries(data).map(([key, value]) => [key, hash(base64(value))]));
  const keys = [...new Set([...is.keys(), ...should.keys()])].filter((key) => is.get(key) !== should.get(key));
  return keys.length === 0 && found.type === wanted.type ? { kind: 'same' } : { kind: 'different', keys };
}

/** What is sent to the API server and nowhere else: it has the values. */
export async function makeSecretObject(
  lab: LabId,
  secret: ClusterSecretBlueprint,
  read: SecretReader,
): Promise<AppliedObject> {
  const { name, namespace, type } = secret;
  const data = Object.entries(await readData(secret, read)).map(([key, value]) => [key, base64(value)]);
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace, labels: { [labLabel]: labLabelValue(lab), [originLabel]: origin } },
    type,
    data: Object.fromEntries(data) as Record<string, string>,
  };
}
