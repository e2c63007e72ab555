// Services outside the cluster as status tells them.
import type { OutsideServiceStatus } from '@labwright/core/contract/contract';
import type { OutsideServiceFacts } from '@labwright/cluster/services/outside-service';

export function formatOutsideStatus({ service, answer }: OutsideServiceFacts): OutsideServiceStatus {
  const { name, address, port } = service;
  const words = answer.kind === 'well' ? answer.what : answer.why;
  return { name, place: `${address}:${port}`, state: answer.kind, words: words ?? null };
}
