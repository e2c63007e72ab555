// The kinds of objects that Labwright reads, each with the fields it reads of them; whatever else an object has is kept.
//
// The API server's JSON is checked here, at the edge. Times stay the strings they are on the wire (RFC 3339).
import { z } from 'zod';

/** A kind as the API names it, with the versions that are understood, best first. */
export interface Kind<T extends ClusterObject = ClusterObject> {
  readonly kind: string;
  /** '' is the core group. */
  readonly group: string;
  /** The first one that the API server has is used. Their fields, as far as they are read here, are the same. */
  readonly versions: readonly string[];
  /** Throws a ZodError. */
  parse(value: unknown): T;
}

export interface ObjectName {
  readonly name: string;
  /** Absent for kinds without namespaces. */
  readonly namespace?: string;
}

const texts = z.record(z.string(), z.string());

const metadata = z.looseObject({
  name: z.string(),
  namespace: z.string().optional(),
  uid: z.string(),
  resourceVersion: z.string(),
  creationTimestamp: z.string().optional(),
  /** Set once it was asked to go: the object is still there for as long as something holds it. */
  deletionTimestamp: z.string().optional(),
  labels: texts.optional(),
  annotations: texts.optional(),
  ownerReferences: z
    .array(
      z.looseObject({
        apiVersion: z.string(),
        kind: z.string(),
        name: z.string(),
        uid: z.string(),
        controller: z.boolean().optional(),
      }),
    )
    .optional(),
  finalizers: z.array(z.string()).optional(),
});

const base = { apiVersion: z.string(), kind: z.string(), metadata };

const condition = z.looseObject({
  type: z.string(),
  status: z.string(),
  reason: z.string().optional(),
  message: z.string().optional(),
});

export const clusterObjectSchema = z.looseObject(base);
/** Any object that the API server gave. */
export type ClusterObject = z.infer<typeof clusterObjectSchema>;

/** By it the API server keeps which fields of an object we set. */
export const fieldManager = 'labwright';

/** What is sent to be applied: the fields we want to own, and no others. */
export interface AppliedObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectName & {
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

function defineKind<Schema extends z.ZodType<ClusterObject>>(
  kind: string,
  group: string,
  versions: readonly string[],
  schema: Schema,
): Kind<z.infer<Schema>> {
  return { kind, group, versions, parse: (value) => schema.parse(value) };
}

/** A kind of which only the common fields are read: of a chart's own, for instance. */
export function anyKind(apiVersion: string, kind: string): Kind {
  const [version, group = ''] = apiVersion.split('/').toReversed();
  return defineKind(kind, group, [version ?? ''], clusterObjectSchema);
}

const nodeSchema = z.looseObject({
  ...base,
  spec: z.looseObject({
    podCIDR: z.string().optional(),
    unschedulable: z.boolean().optional(),
    taints: z.array(z.looseObject({ key: z.string(), value: z.string().optional(), effect: z.string() })).optional(),
  }),
  status: z
    .looseObject({
      conditions: z.array(condition).optional(),
      addresses: z.array(z.looseObject({ type: z.string(), address: z.string() })).optional(),
      nodeInfo: z.looseObject({ kubeletVersion: z.string(), bootID: z.string() }).optional(),
      allocatable: texts.optional(),
    })
    .optional(),
});
export type Node = z.infer<typeof nodeSchema>;
export const nodeKind = defineKind('Node', '', ['v1'], nodeSchema);

const containerStatus = z.looseObject({
  name: z.string(),
  ready: z.boolean().optional(),
  restartCount: z.number().optional(),
});

const selectorRequirement = z.looseObject({
  key: z.string(),
  operator: z.string(),
  values: z.array(z.string()).nullable().optional(),
});
export type SelectorRequirement = z.infer<typeof selectorRequirement>;

const selectorSchema = z.looseObject({
  matchLabels: texts.optional(),
  matchExpressions: z.array(selectorRequirement).optional(),
});
export type LabelSelector = z.infer<typeof selectorSchema>;

const nodeSelectorTerm = z.looseObject({
  matchExpressions: z.array(selectorRequirement).optional(),
  matchFields: z.array(selectorRequirement).optional(),
});
export type NodeSelectorTerm = z.infer<typeof nodeSelectorTerm>;

const podAffinityTerm = z.looseObject({
  labelSelector: selectorSchema.nullable().optional(),
  namespaces: z.array(z.string()).optional(),
  topologyKey: z.string(),
});

const container = z.looseObject({ resources: z.looseObject({ requests: texts.optional() }).optional() });

const podSchema = z.looseObject({
  ...base,
  spec: z.looseObject({
    nodeName: z.string().optional(),
    nodeSelector: texts.optional(),
    affinity: z
      .looseObject({
        nodeAffinity: z
          .looseObject({
            requiredDuringSchedulingIgnoredDuringExecution: z
              .looseObject({ nodeSelectorTerms: z.array(nodeSelectorTerm) })
              .optional(),
          })
          .optional(),
        podAntiAffinity: z
          .looseObject({ requiredDuringSchedulingIgnoredDuringExecution: z.array(podAffinityTerm).optional() })
          .optional(),
      })
      .optional(),
    containers: z.array(container).optional(),
    hostname: z.string().optional(),
    subdomain: z.string().optional(),
    hostNetwork: z.boolean().optional(),
    terminationGracePeriodSeconds: z.number().optional(),
    volumes: z.array(z.looseObject({ name: z.string(), emptyDir: z.unknown().optional() })).optional(),
    tolerations: z
      .array(
        z.looseObject({
          key: z.string().optional(),
          operator: z.string().optional(),
          value: z.string().optional(),
          effect: z.string().optional(),
        }),
      )
      .optional(),
  }),
  status: z
    .looseObject({
      phase: z.string().optional(),
      podIP: z.string().optional(),
      hostIP: z.string().optional(),
      conditions: z.array(condition).optional(),
      containerStatuses: z.array(containerStatus).optional(),
    })
    .optional(),
});
export type Pod = z.infer<typeof podSchema>;
export const podKind = defineKind('Pod', '', ['v1'], podSchema);

const count = z.union([z.number(), z.string()]);

const podDisruptionBudgetSchema = z.looseObject({
  ...base,
  spec: z.looseObject({
    selector: selectorSchema.nullable().optional(),
    minAvailable: count.optional(),
    maxUnavailable: count.optional(),
    /** "IfHealthyBudget" or "AlwaysAllow"; since 1.26. */
    unhealthyPodEvictionPolicy: z.string().optional(),
  }),
  status: z
    .looseObject({
      observedGeneration: z.number().optional(),
      disruptionsAllowed: z.number().optional(),
      currentHealthy: z.number().optional(),
      desiredHealthy: z.number().optional(),
      expectedPods: z.number().optional(),
    })
    .optional(),
});
export type PodDisruptionBudget = z.infer<typeof podDisruptionBudgetSchema>;
/** v1 came with 1.21, v1beta1 went with 1.25. An empty selector means no pod in v1beta1 and every pod in v1. */
export const podDisruptionBudgetKind = defineKind(
  'PodDisruptionBudget',
  'policy',
  ['v1', 'v1beta1'],
  podDisruptionBudgetSchema,
);

const port = z.looseObject({
  name: z.string().nullable().optional(),
  port: z.number().nullable().optional(),
  protocol: z.string().nullable().optional(),
});

const serviceSchema = z.looseObject({
  ...base,
  spec: z.looseObject({
    type: z.string().optional(),
    clusterIP: z.string().optional(),
    externalName: z.string().optional(),
    ports: z
      .array(z.looseObject({ name: z.string().optional(), port: z.number(), protocol: z.string().optional() }))
      .optional(),
    publishNotReadyAddresses: z.boolean().optional(),
    selector: texts.optional(),
  }),
  status: z
    .looseObject({
      loadBalancer: z
        .looseObject({
          ingress: z.array(z.looseObject({ ip: z.string().optional(), hostname: z.string().optional() })).optional(),
        })
        .optional(),
    })
    .optional(),
});
export type Service = z.infer<typeof serviceSchema>;
export const serviceKind = defineKind('Service', '', ['v1'], serviceSchema);

const endpointSliceSchema = z.looseObject({
  ...base,
  addressType: z.string(),
  endpoints: z
    .array(
      z.looseObject({
        addresses: z.array(z.string()),
        hostname: z.string().nullable().optional(),
        conditions: z.looseObject({ ready: z.boolean().nullable().optional() }).optional(),
        targetRef: z.looseObject({ name: z.string().optional() }).optional(),
      }),
    )
    .nullable()
    .optional(),
  ports: z.array(port).nullable().optional(),
});
export type EndpointSlice = z.infer<typeof endpointSliceSchema>;
/** v1 came with 1.21, v1beta1 went with 1.25. */
export const endpointSliceKind = defineKind(
  'EndpointSlice',
  'discovery.k8s.io',
  ['v1', 'v1beta1'],
  endpointSliceSchema,
);

const secretSchema = z.looseObject({ ...base, type: z.string().optional(), data: texts.optional() });
export type SecretObject = z.infer<typeof secretSchema>;
export const secretKind = defineKind('Secret', '', ['v1'], secretSchema);

const configMapSchema = z.looseObject({ ...base, data: texts.optional() });
export type ConfigMap = z.infer<typeof configMapSchema>;
export const configMapKind = defineKind('ConfigMap', '', ['v1'], configMapSchema);

const leaseSchema = z.looseObject({
  ...base,
  spec: z
    .looseObject({
      holderIdentity: z.string().nullable().optional(),
      leaseDurationSeconds: z.number().nullable().optional(),
      acquireTime: z.string().nullable().optional(),
      renewTime: z.string().nullable().optional(),
    })
    .optional(),
});
export type Lease = z.infer<typeof leaseSchema>;
export const leaseKind = defineKind('Lease', 'coordination.k8s.io', ['v1'], leaseSchema);

const daemonSetSchema = z.looseObject({
  ...base,
  metadata: metadata.extend({ generation: z.number().optional() }),
  spec: z.looseObject({
    template: z.looseObject({
      spec: z.looseObject({ containers: z.array(z.looseObject({ image: z.string().optional() })) }),
    }),
  }),
  status: z
    .looseObject({
      observedGeneration: z.number().optional(),
      desiredNumberScheduled: z.number().optional(),
      updatedNumberScheduled: z.number().optional(),
      numberAvailable: z.number().optional(),
    })
    .optional(),
});
export type DaemonSet = z.infer<typeof daemonSetSchema>;
export const daemonSetKind = defineKind('DaemonSet', 'apps', ['v1'], daemonSetSchema);
