// A hop on the way from a name to a pod, and the places connections go to.
import type { Backend, Exposure } from '../exposures/exposure.ts';

export type HopName = 'record' | 'resolver' | 'balancer' | 'node port' | 'endpoint' | 'pod';

export interface Hop {
  readonly hop: HopName;
  /** 'unknown': nobody looked, or somebody else's to say. */
  readonly state: 'ok' | 'fails' | 'unknown';
  /** One sentence. */
  readonly words: string;
  readonly fix?: string;
}

/** Of its ports and routes, each once. */
export function backendsOf({ ports, routes }: Exposure): readonly Backend[] {
  const all = [...ports, ...routes].flatMap(({ backends }) => backends);
  return [...new Map(all.map((backend) => [formatPlace(backend.address, backend.port), backend])).values()];
}

export function formatPlace(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
