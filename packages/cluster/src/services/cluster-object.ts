// Our own objects in the cluster: whether they are as they should be, and making them so.
import { LabwrightError } from '@labwright/core/errors/error';
import type { ClusterConnection } from '@labwright/drivers/kubernetes/connection';
import { anyKind, type AppliedObject } from '@labwright/drivers/kubernetes/kind';
import type { ObjectReference } from './release-record.ts';
import type { WantedObject } from './wanted-release.ts';

interface Call {
  readonly signal: AbortSignal;
}

export function formatReference({ kind, name, namespace }: ObjectReference): string {
  return `${kind} ${namespace === undefined ? name : `${namespace}/${name}`}`;
}

/** Whether every field that we state is as stated; others are not ours to judge. */
export async function isSettled(connection: ClusterConnection, object: AppliedObject, call: Call): Promise<boolean> {
  const { apiVersion, kind, metadata } = object;
  const found = await getIfServed(connection, { apiVersion, kind, ...metadata }, call);
  return found !== undefined && has(found, object);
}

/** Undefined also when the API server does not know the kind: then there is none. */
async function getIfServed(connection: ClusterConnection, object: ObjectReference, { signal }: Call): Promise<unknown> {
  try {
    return await connection.get(anyKind(object.apiVersion, object.kind), object, { signal });
  } catch (error) {
    if (error instanceof LabwrightError && error.code === 'LW6004') return undefined;
    throw error;
  }
}

function has(found: unknown, stated: unknown): boolean {
  if (Array.isArray(stated)) {
    return (
      Array.isArray(found) && found.length === stated.length && stated.every((item, index) => has(found[index], item))
    );
  }
  if (typeof stated !== 'object' || stated === null) return found === stated;
  if (typeof found !== 'object' || found === null) return false;
  return Object.entries(stated).every(([key, value]) => has((found as Record<string, unknown>)[key], value));
}

/** A webhook of what was just installed needs a moment until it answers; longer is a failure. */
const webhookTimeoutMs = 90_000;
const webhookPauseMs = 1_000;

/** Throws LW6004 when the API server does not take it. */
export async function settleObject(
  connection: ClusterConnection,
  { object, fixed }: WantedObject,
  call: Call & { readonly progress: (detail: string) => void },
): Promise<void> {
  const { apiVersion, kind, metadata } = object;
  const reference = { apiVersion, kind, ...metadata };
  const deadline = connection.clock.monotonic() + webhookTimeoutMs;
  for (;;) {
    const refusal = await tryToApply(connection, object, call);
    if (refusal === undefined) return;
    const why = refusal.why ?? '';
    if (fixed === 'replace' && /immutable|updates to .* are forbidden/i.test(why)) {
      await connection.delete(anyKind(apiVersion, kind), reference, call);
      await connection.apply(object, call);
      return;
    }
    const isStarting = /failed calling webhook|no endpoints available|connection refused/i.test(why);
    if (!isStarting || connection.clock.monotonic() > deadline) throw refusal;
    call.progress(`waits until ${formatReference(reference)} can be checked by its webhook`);
    await connection.clock.sleep(webhookPauseMs, call.signal);
  }
}

async function tryToApply(
  connection: ClusterConnection,
  object: AppliedObject,
  { signal }: Call,
): Promise<LabwrightError | undefined> {
  try {
    await connection.apply(object, { signal });
    return undefined;
  } catch (error) {
    if (error instanceof LabwrightError && error.code === 'LW6004') return error;
    throw error;
  }
}

/** One that is not there, or whose kind is not, is fine. */
export async function removeObject(connection: ClusterConnection, object: ObjectReference, call: Call): Promise<void> {
  if ((await getIfServed(connection, object, call)) === undefined) return;
  await connection.delete(anyKind(object.apiVersion, object.kind), object, call);
}

const namespaceKind = anyKind('v1', 'Namespace');

/** Made with our mark and the labels when it is not there. One that is there is left as it is. */
export async function ensureNamespace(
  connection: ClusterConnection,
  name: string,
  labels: Readonly<Record<string, string>>,
  { signal }: Call,
): Promise<void> {
  if ((await connection.get(namespaceKind, { name }, { signal })) !== undefined) return;
  await connection.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } }, { signal });
}
