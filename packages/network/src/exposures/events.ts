// What a decision tells the cluster: an Event for each refusal and each new address, and the addresses in status.
import { createHash } from 'node:crypto';
import type { AppliedObject } from '@labwright/drivers/kubernetes/kind';
import { isStatusOurs, statusAddresses } from '../cluster/exposed-kinds.ts';
import { sourceOf } from './draft.ts';
import type { Exposure, ExposureDecision, ExposureFacts, ExposureSource, Refusal } from './exposure.ts';

export interface ExposureEvent {
  readonly source: ExposureSource;
  readonly type: 'Normal' | 'Warning';
  /** "NotExposed", "Exposed"; `kubectl get events` filters by it. */
  readonly reason: string;
  readonly message: string;
}

/** The Event of a refusal: what is wrong and the way out. */
function refusalEvent({ source, why, fix }: Refusal): ExposureEvent {
  return { source, type: 'Warning', reason: 'NotExposed', message: `${why}; ${fix}` };
}

/** The Event of something that can be reached; undefined as long as it has no address. */
function exposureEvent({ source, names, addresses, ports }: Exposure): ExposureEvent | undefined {
  if (addresses.length === 0) return undefined;
  const list = ports.map(({ port, protocol }) => (protocol === 'TCP' ? String(port) : `${port}/${protocol}`));
  const where = `${addresses.join(', ')} port ${list.join(', ')}`;
  const message = names.length === 0 ? `reachable at ${where}` : `${names.join(', ')} is at ${where}`;
  return { source, type: 'Normal', reason: 'Exposed', message };
}

export function decisionEvents({ exposures, refusals }: ExposureDecision): readonly ExposureEvent[] {
  return [...refusals.map(refusalEvent), ...exposures.flatMap((exposure) => exposureEvent(exposure) ?? [])];
}

/** One object an event: told again it is the same one, with a later time. `now` in milliseconds since 1970. */
export function eventObject({ source, type, reason, message }: ExposureEvent, now: number): AppliedObject {
  const digest = createHash('sha256').update(`${source.uid}\n${reason}\n${message}`).digest('hex').slice(0, 16);
  const time = new Date(now).toISOString().replace(/\.\d+Z$/, 'Z');
  const { kind, namespace, name, uid } = source;
  const apiVersion = kind === 'Service' ? 'v1' : 'networking.k8s.io/v1';
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: `${name}.${digest}`, namespace },
    involvedObject: { apiVersion, kind, namespace, name, uid },
    type,
    reason,
    // The API refuses more than 1024 bytes.
    message: message.length > 1000 ? `${message.slice(0, 1000)}…` : message,
    firstTimestamp: time,
    lastTimestamp: time,
    count: 1,
    source: { component: 'labwright' },
    reportingComponent: 'labwright.dev/exposures',
    reportingInstance: 'labwright',
  };
}

/** An object whose status is to name other addresses than it does. */
export interface StatusChange {
  readonly source: ExposureSource;
  readonly addresses: readonly string[];
}

/**
 * Only of what the router balances: everything else has a status of its own. What is not exposed loses what we once gave it, whoever
 * decided so and when: the address may be another's by now.
 */
export function statusChanges(
  { exposures }: Pick<ExposureDecision, 'exposures'>,
  { services, ingresses }: Pick<ExposureFacts, 'services' | 'ingresses'>,
): readonly StatusChange[] {
  const objects = [
    ...services.map((object) => ({ object, source: sourceOf('Service', object) })),
    ...ingresses.map((object) => ({ object, source: sourceOf('Ingress', object) })),
  ];
  const exposed = new Map(exposures.map((exposure) => [exposure.source.uid, exposure]));
  const lost: StatusChange[] = [];
  const given: StatusChange[] = [];
  for (const { object, source } of objects) {
    const current = statusAddresses(object);
    const exposure = exposed.get(source.uid);
    if (exposure === undefined) {
      if (current.length > 0 && isStatusOurs(object)) lost.push({ source, addresses: [] });
    } else if (exposure.balancer === 'router' && current.join() !== exposure.addresses.join()) {
      given.push({ source, addresses: exposure.addresses });
    }
  }
  // No two are to name one address, not even for a moment.
  return [...lost, ...given];
}
