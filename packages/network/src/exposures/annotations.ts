// What people write on their objects: our annotations, and those of the controllers that did this before.
import { type Cidr, parseCidr } from '@labwright/core/addresses/ipv4';
import type { ClusterObject } from '@labwright/drivers/kubernetes/kind';

const ownAnnotations = {
  /** Names, with commas between. When it is there the others are not read. */
  hostname: 'labwright.dev/hostname',
  /** "false": Labwright leaves the object alone. */
  expose: 'labwright.dev/expose',
  /** An address of the services range, where the router balances. */
  address: 'labwright.dev/address',
  /** Networks that may connect, with commas between; Services have a field for it as well. */
  sourceRanges: 'labwright.dev/source-ranges',
} as const;

const otherHostnames = [
  'dns.pfsense.org/hostname',
  'external-dns.kubernetes.io/hostname',
  'external-dns.alpha.kubernetes.io/hostname',
] as const;

const otherSourceRanges = 'service.beta.kubernetes.io/load-balancer-source-ranges';
const otherIngressClass = 'kubernetes.io/ingress.class';

type Annotated = Pick<ClusterObject, 'metadata'>;

/** The names as they are written, in lower case and without a last dot, none twice. */
export function hostnames({ metadata: { annotations = {} } }: Annotated): readonly string[] {
  const own = annotations[ownAnnotations.hostname];
  const texts = own === undefined ? otherHostnames.map((key) => annotations[key] ?? '') : [own];
  return [...new Set(texts.flatMap(splitList).map(normalName))];
}

export function normalName(text: string): string {
  return text.toLowerCase().replace(/\.$/, '');
}

export function isLeftAlone({ metadata: { annotations = {} } }: Annotated): boolean {
  return annotations[ownAnnotations.expose]?.trim().toLowerCase() === 'false';
}

/** Whether it was meant for Labwright and nobody else. */
export function asksForUs({ metadata: { annotations = {} } }: Annotated): boolean {
  return annotations[ownAnnotations.hostname] !== undefined || annotations[ownAnnotations.address] !== undefined;
}

export function wantedAddress(
  object: Annotated & { readonly spec: { readonly loadBalancerIP?: string | undefined } },
): string | undefined {
  return annotatedAddress(object) ?? textOr(object.spec.loadBalancerIP);
}

/** An Ingress has no field for it. */
export function annotatedAddress({ metadata: { annotations = {} } }: Annotated): string | undefined {
  return textOr(annotations[ownAnnotations.address]);
}

const textOr = (text = ''): string | undefined => (text.trim() === '' ? undefined : text.trim());

export function ingressClass(
  object: Annotated & { readonly spec: { readonly ingressClassName?: string | undefined } },
) {
  return object.spec.ingressClassName ?? object.metadata.annotations?.[otherIngressClass];
}

export type SourceRanges =
  | { readonly kind: 'everybody' }
  | { readonly kind: 'networks'; readonly networks: readonly Cidr[] }
  | { readonly kind: 'unreadable'; readonly text: string };

/** The field of the object, or an annotation. IPv6 networks are read and let nobody in: balancing is for IPv4. */
export function sourceRanges({ metadata: { annotations = {} } }: Annotated, field: readonly string[]): SourceRanges {
  const annotation = annotations[ownAnnotations.sourceRanges] ?? annotations[otherSourceRanges] ?? '';
  const texts = field.length > 0 ? field.map((text) => text.trim()) : splitList(annotation);
  if (texts.length === 0) return { kind: 'everybody' };
  const networks: Cidr[] = [];
  for (const text of texts) {
    if (/^[0-9a-fA-F:.]*:[0-9a-fA-F:.]*\/\d{1,3}$/.test(text)) continue;
    const parsed = parseCidr(text);
    const network = typeof parsed === 'string' ? parsed : parsed.nearest;
    if (network === undefined) return { kind: 'unreadable', text };
    networks.push(network);
  }
  return { kind: 'networks', networks: [...new Set(networks)].toSorted() };
}

function splitList(text: string): readonly string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}
