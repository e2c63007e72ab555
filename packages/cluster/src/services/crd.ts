// Custom resource definitions of a chart, applied before it: helm installs them once and never upgrades them.
import { LabwrightError } from '@labwright/core/errors/error';
import type { ClusterConnection } from '@labwright/drivers/kubernetes/connection';
import { anyKind, type AppliedObject } from '@labwright/drivers/kubernetes/kind';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';

const kind = 'CustomResourceDefinition';

const definition = z.looseObject({
  apiVersion: z.string(),
  kind: z.literal(kind),
  metadata: z.looseObject({ name: z.string() }),
});

const established = z.looseObject({
  status: z
    .looseObject({ conditions: z.array(z.looseObject({ type: z.string(), status: z.string() })).optional() })
    .optional(),
});

/** The definitions in a YAML stream; other kinds a chart keeps there are left out, as helm's documentation has it. */
export function parseDefinitions(stream: string): readonly AppliedObject[] {
  return parseAllDocuments(stream).flatMap((document): AppliedObject[] => {
    const parsed = definition.safeParse(document.toJS());
    // What the API server fills in has no place in what is applied.
    if (!parsed.success) return [];
    const { status: _status, ...object } = parsed.data;
    return [object];
  });
}

const timeoutMs = 60_000;
const pauseMs = 200;

/** Returns when the API server serves them all. */
export async function applyDefinitions(
  connection: ClusterConnection,
  definitions: readonly AppliedObject[],
  { signal, progress }: { readonly signal: AbortSignal; readonly progress: (detail: string) => void },
): Promise<void> {
  for (const each of definitions) await connection.apply(each, { signal });
  const deadline = connection.clock.monotonic() + timeoutMs;
  for (const { apiVersion, metadata } of definitions) {
    for (;;) {
      const found = established.safeParse(await connection.get(anyKind(apiVersion, kind), metadata, { signal }));
      const conditions = found.data?.status?.conditions ?? [];
      if (conditions.some(({ type, status }) => type === 'Established' && status === 'True')) break;
      if (connection.clock.monotonic() > deadline) throw notServed(metadata.name, conditions);
      progress(`waits until the API server serves ${metadata.name}`);
      await connection.clock.sleep(pauseMs, signal);
    }
  }
}

function notServed(
  name: string,
  conditions: readonly { readonly type: string; readonly status: string }[],
): LabwrightError {
  return new LabwrightError('LW7003', {
    what: `the API server does not serve ${name}`,
    why: `waited ${timeoutMs / 1000} s for its condition Established; last seen: ${conditions.map(({ type, status }) => `${type}=${status}`).join(', ') || 'none'}`,
    fix: [`kubectl describe crd ${name}`, 'labwright up'],
  });
}
