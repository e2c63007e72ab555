// The compose file of a service outside the cluster, for the container manager of the NAS. Secrets are named in it, never there.
import type { Blueprint, OutsideServiceBlueprint } from '@labwright/core/blueprint/blueprint';
import { LabwrightError } from '@labwright/core/errors/error';
import { nearestName } from '@labwright/core/lab/nearest-name';
import { stringify } from 'yaml';

/**
 * YAML of the Compose Specification, as Docker Compose v2 and DSM's Container Manager read it. Throws LW0002 for a name that is
 * no service, or one that Labwright makes no file for.
 */
export function formatComposeFile({ lab, services }: Pick<Blueprint, 'lab' | 'services'>, name: string): string {
  const service = services.find((each) => each.name === name);
  if (service === undefined) throw unknownService(name, services);
  const { container } = service;
  if (container === undefined) {
    throw new LabwrightError('LW0002', {
      what: `the service ${name} does not run in a container on a NAS of the lab file`,
      fix: [`write services.${name}.nas and image in the lab file, in place of address`],
    });
  }
  const { image, port, volume, environment } = container;
  const secretNames = Object.keys(environment).filter((key) => typeof environment[key] !== 'string');
  const document = {
    name,
    services: {
      [name]: {
        image,
        container_name: name,
        restart: 'unless-stopped',
        ports: [`${service.port}:${port}`],
        ...(volume === undefined ? {} : { volumes: [`${volume.path}:${volume.mount}`] }),
        ...(Object.keys(environment).length === 0
          ? {}
          : {
              environment: Object.fromEntries(
                Object.entries(environment).map(([key, value]) => [key, formatValue(key, value)]),
              ),
            }),
        labels: { 'labwright.dev/lab': lab },
      },
    },
  };
  const head = [
    `${name} of lab ${lab}: reached as ${service.dnsName}:${service.port}. Made by labwright services compose ${name}.`,
    ...(volume === undefined ? [] : [`Make its folder first: ${volume.path}`]),
    ...(secretNames.length === 0
      ? []
      : [
          `Write beside it a file .env, for your eyes only (chmod 600), with: ${secretNames.map((key) => `${key}=…`).join(' ')}`,
        ]),
  ];
  return `${head.map((line) => `# ${line}\n`).join('')}${stringify(document, { lineWidth: 0 })}`;
}

/** Compose puts in what stands after "$", so a "$" of the value itself is doubled. */
function formatValue(key: string, value: OutsideServiceEnvironment[string]): string {
  return typeof value === 'string' ? value.replaceAll('$', '$$$$') : `\${${key}:?write it into .env}`;
}

type OutsideServiceEnvironment = NonNullable<OutsideServiceBlueprint['container']>['environment'];

function unknownService(name: string, services: readonly OutsideServiceBlueprint[]): LabwrightError {
  const names = services.map((each) => each.name);
  const nearest = nearestName(name, names);
  return new LabwrightError('LW0002', {
    what: `the lab file has no service "${name}"`,
    fix: [
      nearest === undefined
        ? names.length === 0
          ? 'add one under services'
          : `name one of ${names.join(', ')}`
        : `labwright services compose ${nearest}`,
    ],
  });
}
