// The objects that decide what is exposed, with the fields that are read of them. Ingress has two forms, which become one here.
import {
  type ClusterObject,
  clusterObjectSchema,
  endpointSliceKind,
  fieldManager,
  type Kind,
  serviceKind,
} from '@labwright/drivers/kubernetes/kind';
import { z } from 'zod';

const ingressStatus = z
  .looseObject({
    loadBalancer: z
      .looseObject({
        ingress: z.array(z.looseObject({ ip: z.string().optional(), hostname: z.string().optional() })).optional(),
      })
      .optional(),
  })
  .optional();

const texts = z.record(z.string(), z.string());

const exposedServiceSchema = clusterObjectSchema.extend({
  spec: z.looseObject({
    type: z.string().optional(),
    clusterIP: z.string().optional(),
    selector: texts.optional(),
    ports: z
      .array(
        z.looseObject({
          name: z.string().optional(),
          port: z.number(),
          protocol: z.string().optional(),
          nodePort: z.number().optional(),
        }),
      )
      .optional(),
    externalTrafficPolicy: z.string().optional(),
    sessionAffinity: z.string().optional(),
    /** Kept by the API since 1.21. */
    loadBalancerClass: z.string().optional(),
    loadBalancerIP: z.string().optional(),
    loadBalancerSourceRanges: z.array(z.string()).optional(),
    /** Kept by the API since 1.20. */
    allocateLoadBalancerNodePorts: z.boolean().optional(),
  }),
  status: ingressStatus,
});
export type ExposedService = z.infer<typeof exposedServiceSchema>;
export const exposedServiceKind: Kind<ExposedService> = {
  ...serviceKind,
  parse: (value) => exposedServiceSchema.parse(value),
};

const slicePort = z.looseObject({
  name: z.string().nullable().optional(),
  port: z.number().nullable().optional(),
  protocol: z.string().nullable().optional(),
});

const exposedSliceSchema = clusterObjectSchema.extend({
  addressType: z.string(),
  endpoints: z
    .array(
      z
        .looseObject({
          addresses: z.array(z.string()),
          nodeName: z.string().nullable().optional(),
          topology: texts.nullable().optional(),
          conditions: z
            .looseObject({ ready: z.boolean().nullable().optional(), terminating: z.boolean().nullable().optional() })
            .nullable()
            .optional(),
          targetRef: z.looseObject({ kind: z.string().optional(), name: z.string().optional() }).nullable().optional(),
        })
        .transform(({ addresses, nodeName, topology, conditions, targetRef }) => {
          // v1beta1 tells the node in the topology; the field of its own came with 1.20, behind a gate.
          const node = nodeName ?? topology?.['kubernetes.io/hostname'];
          return {
            addresses,
            /** Unknown counts as ready; what is on its way out does not. */
            isReady: conditions?.ready !== false && conditions?.terminating !== true,
            ...(node === undefined ? {} : { node }),
            ...(targetRef?.kind === 'Pod' && targetRef.name !== undefined ? { pod: targetRef.name } : {}),
          };
        }),
    )
    .nullable()
    .optional(),
  ports: z.array(slicePort).nullable().optional(),
});
export type ExposedSlice = z.infer<typeof exposedSliceSchema>;
/** v1 came with 1.21, v1beta1 went with 1.25. */
export const exposedSliceKind: Kind<ExposedSlice> = {
  ...endpointSliceKind,
  parse: (value) => exposedSliceSchema.parse(value),
};

/** The name of a Service's port, or its number. */
export type PortReference = string | number;

const backendSchema = z
  .union([
    // networking.k8s.io/v1
    z.looseObject({
      service: z.looseObject({
        name: z.string(),
        port: z.looseObject({ name: z.string().optional(), number: z.number().optional() }).optional(),
      }),
    }),
    // v1beta1
    z.looseObject({ serviceName: z.string(), servicePort: z.union([z.string(), z.number()]) }),
    // A resource of another kind (a bucket, say), which has no port.
    z.looseObject({ resource: z.looseObject({ kind: z.string(), name: z.string() }) }),
  ])
  .transform((backend): IngressBackend => {
    if ('resource' in backend) {
      const { kind, name } = backend.resource as { readonly kind: string; readonly name: string };
      return { kind: 'resource', name: `${kind} ${name}` };
    }
    if ('serviceName' in backend) {
      const { serviceName, servicePort } = backend as { serviceName: string; servicePort: PortReference };
      return { kind: 'service', name: serviceName, port: servicePort };
    }
    const { name, port } = backend.service as { name: string; port?: { name?: string; number?: number } };
    return { kind: 'service', name, port: port?.number ?? port?.name ?? '' };
  });
export type IngressBackend =
  | { readonly kind: 'service'; readonly name: string; readonly port: PortReference }
  | { readonly kind: 'resource'; readonly name: string };

const ingressSchema = clusterObjectSchema.extend({
  spec: z
    .looseObject({
      ingressClassName: z.string().optional(),
      /** v1. */
      defaultBackend: backendSchema.optional(),
      /** v1beta1. */
      backend: backendSchema.optional(),
      tls: z.array(z.looseObject({ hosts: z.array(z.string()).optional() })).optional(),
      rules: z
        .array(
          z.looseObject({
            host: z.string().optional(),
            http: z
              .looseObject({
                paths: z.array(
                  z.looseObject({
                    path: z.string().optional(),
                    pathType: z.string().optional(),
                    backend: backendSchema,
                  }),
                ),
              })
              .nullable()
              .optional(),
          }),
        )
        .optional(),
    })
    .transform(({ backend, defaultBackend, ...rest }) => ({ ...rest, defaultBackend: defaultBackend ?? backend })),
  status: ingressStatus,
});
export type Ingress = z.infer<typeof ingressSchema>;
/** v1 came with 1.19, v1beta1 went with 1.22. */
export const ingressKind: Kind<Ingress> = {
  kind: 'Ingress',
  group: 'networking.k8s.io',
  versions: ['v1', 'v1beta1'],
  parse: (value) => ingressSchema.parse(value),
};

/** The addresses that an object's status names. */
export function statusAddresses({ status }: Pick<ExposedService, 'status'>): readonly string[] {
  return (status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => (ip === undefined ? [] : [ip]));
}

const ownedFields = z.looseObject({
  manager: z.string().optional(),
  fieldsV1: z.looseObject({
    'f:status': z.looseObject({ 'f:loadBalancer': z.looseObject({ 'f:ingress': z.unknown().optional() }) }),
  }),
});

/**
 * Whether Labwright wrote the addresses that its status names. The API server keeps who changed a field last, over our restarts too:
 * an address that another balancer put there is that one's.
 */
export function isStatusOurs({ metadata }: Pick<ClusterObject, 'metadata'>): boolean {
  const fields = metadata['managedFields'];
  return (Array.isArray(fields) ? fields : []).some((each: unknown) => {
    const { data } = ownedFields.safeParse(each);
    return data?.manager === fieldManager && 'f:ingress' in data.fieldsV1['f:status']['f:loadBalancer'];
  });
}

export const serviceOfSlice = ({ metadata }: ClusterObject): string | undefined =>
  metadata.labels?.['kubernetes.io/service-name'];
