// Services outside the cluster: whether they answer, as notes of status and plan. Labwright starts and changes none of them.
import type { OutsideServiceBlueprint } from '@labwright/core/blueprint/blueprint';
import { probeService, type ServiceAnswer } from '@labwright/drivers/nas/service-probe';

export interface OutsideServiceFacts {
  readonly service: OutsideServiceBlueprint;
  readonly answer: ServiceAnswer;
}

/** All at once; each answers within seconds or counts as gone. Throws only the signal's reason. */
export async function observeOutsideServices(
  services: readonly OutsideServiceBlueprint[],
  options: { readonly signal: AbortSignal; readonly timeoutMs?: number },
): Promise<readonly OutsideServiceFacts[]> {
  return await Promise.all(
    services.map(async (service) => ({ service, answer: await probeService(service, options) })),
  );
}

/** "mariadb answers at 10.1.0.20:3306: 11.8.3-MariaDB", for status. */
export function formatOutsideService({ service, answer }: OutsideServiceFacts): string {
  const { name, address, port } = service;
  const place = `${address}:${port}`;
  switch (answer.kind) {
    case 'well':
      return `${name} answers at ${place}${answer.what === undefined ? '' : `: ${answer.what}`}`;
    case 'refuses':
      return `${name} at ${place} refuses: ${answer.why}`;
    case 'unreachable':
      return `${name} does not answer at ${place} (${answer.why})`;
    case 'stranger':
      return `${name} should be at ${place}, and something else is: ${answer.why}`;
  }
}

/** What a plan notes: only those that are not well, with the way out. */
export function outsideServiceNotes(facts: readonly OutsideServiceFacts[]): readonly string[] {
  return facts
    .filter(({ answer }) => answer.kind !== 'well')
    .map((each) => {
      const { name, container } = each.service;
      const start = container === undefined ? '' : `; its compose file: labwright services compose ${name}`;
      return `${formatOutsideService(each)}${start}`;
    });
}

/** Names and addresses for whatever resolves names for pods and for the house. */
export function outsideServiceRecords(
  services: readonly OutsideServiceBlueprint[],
): readonly { readonly name: string; readonly address: OutsideServiceBlueprint['address'] }[] {
  return services.map(({ dnsName, address }) => ({ name: dnsName, address }));
}
