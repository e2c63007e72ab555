// What `why NAME` looks at: the state of the cluster, and what was seen from outside. Gathered elsewhere; here it is only read.
import { type Pod } from '@labwright/drivers/kubernetes/kind';
import { z } from 'zod';
import type { ExposureDecision, ExposureFacts } from '../exposures/exposure.ts';
import type { OwnAddresses } from './hop.ts';

/** What somebody says about a name. */
export type NameAnswer =
  | { readonly kind: 'addresses'; readonly addresses: readonly string[] }
  | { readonly kind: 'no-name' }
  | { readonly kind: 'silent'; readonly why: string };

export interface NameLook {
  /** "pfSense fw1", "10.1.0.1". */
  readonly by: string;
  readonly answer: NameAnswer;
}

export type Connection = 'answers' | 'refused' | 'silent';

export interface WhyPod {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly phase: string;
  readonly isReady: boolean;
  /** "CrashLoopBackOff", "ImagePullBackOff", "Unschedulable". */
  readonly reason?: string;
  readonly restarts: number;
}

export interface WhyFacts {
  readonly cluster: Omit<ExposureFacts, 'held'>;
  readonly decision: ExposureDecision;
  readonly pods: readonly WhyPod[];
  /** What each end holds for the name; empty when none was asked. */
  readonly records: readonly NameLook[];
  /** What the resolvers of the house answer. */
  readonly resolvers: readonly NameLook[];
  /** By "address:port": of balancers and node ports; what was not tried is absent. */
  readonly connections: ReadonlyMap<string, Connection>;
  /** To what is limited to some networks. */
  readonly from: OwnAddresses;
}

const stateSchema = z.looseObject({
  state: z.looseObject({ waiting: z.looseObject({ reason: z.string().optional() }).optional() }).optional(),
});

/** A pod as far as `why` wants to know it. */
export function whyPod({ metadata, status }: Pod): WhyPod {
  const conditions = status?.conditions ?? [];
  const containers = status?.containerStatuses ?? [];
  const waiting = containers.flatMap((container) => stateSchema.parse(container).state?.waiting?.reason ?? []);
  const unscheduled = conditions.find(
    ({ type, status: value }) => type === 'PodScheduled' && value === 'False',
  )?.reason;
  const reason = waiting[0] ?? unscheduled;
  return {
    namespace: metadata.namespace ?? 'default',
    name: metadata.name,
    labels: metadata.labels ?? {},
    phase: status?.phase ?? 'Pending',
    isReady: conditions.some(({ type, status: value }) => type === 'Ready' && value === 'True'),
    ...(reason === undefined ? {} : { reason }),
    restarts: containers.reduce((sum, { restartCount = 0 }) => sum + restartCount, 0),
  };
}
