// Lab file to blueprint, the part about charts, the NAS, and services outside the cluster.
import type { Ipv4 } from '../addresses/ipv4.ts';
import { invariant } from '../errors/error.ts';
import { baseChartDefaults } from '../lab/base-chart-defaults.ts';
import type { Lab, LabKubernetes, LabService } from '../lab/lab-schema.ts';
import type { BaseChartName } from '../lab/service-schema.ts';
import type {
  ChartsBlueprint,
  ChartSettings,
  NasBlueprint,
  OutsideServiceBlueprint,
  OwnChartBlueprint,
  ServiceContainerBlueprint,
} from './blueprint.ts';
import { serviceKindDefaults } from './service-kinds.ts';

export function resolveCharts(lab: Lab, kubernetes: LabKubernetes, rehearsal: boolean): ChartsBlueprint {
  const { ownCharts, secrets, chartMirror, helmMirror } = kubernetes;
  return {
    base: resolveBaseCharts(lab, kubernetes, rehearsal),
    own: Object.entries(ownCharts).map(([name, own]): OwnChartBlueprint => {
      const { namespace = name, chart, repository, version, values } = own;
      return {
        ...{ name, namespace, chart, values },
        ...(repository === undefined ? {} : { repository }),
        ...(version === undefined ? {} : { version }),
      };
    }),
    secrets: Object.entries(secrets).map(([name, { namespace, type, data }]) => ({ name, namespace, type, data })),
    ...(chartMirror === undefined ? {} : { mirror: chartMirror }),
    ...(helmMirror === undefined ? {} : { helmMirror }),
  };
}

/**
 * A rehearsal may have no way to the Internet, and then no images for what charts install: without a mirror it gets what the file
 * states, and nothing by default.
 */
function resolveBaseCharts(lab: Lab, kubernetes: LabKubernetes, rehearsal: boolean): ChartsBlueprint['base'] {
  const hasSource = !rehearsal || kubernetes.chartMirror !== undefined;
  const base: Partial<Record<BaseChartName, ChartSettings>> = {};
  for (const [key, { isOn }] of Object.entries(baseChartDefaults(lab, kubernetes))) {
    const name = key as BaseChartName;
    const stated = kubernetes.charts[name];
    // The network of pods comes as a chart or not at all.
    const byDefault = isOn && (hasSource || name === 'flannel');
    if (stated === false || (stated === undefined && !byDefault)) continue;
    const { version, values = {} } = typeof stated === 'object' ? stated : {};
    base[name] = { values, ...(version === undefined ? {} : { version }) };
  }
  return base;
}

export function resolveNas(lab: Lab): readonly NasBlueprint[] {
  return Object.entries(lab.nas).map(([name, { kind, address, exports, ssh }]) => ({
    ...{ name, kind, address },
    exports: exports.map((each) => ({ path: each.path, use: each.for })),
    ...(ssh === undefined ? {} : { ssh }),
  }));
}

export function resolveOutsideServices(lab: Lab): readonly OutsideServiceBlueprint[] {
  return Object.entries(lab.services).map(([name, service]) => {
    const { kind } = service;
    const port = service.port ?? (kind === 'other' ? undefined : serviceKindDefaults[kind].port);
    const address = addressOf(lab, service);
    invariant(
      port !== undefined && address !== undefined,
      `service ${name} of a checked lab has an address and a port`,
    );
    const container = resolveContainer(service, port);
    return {
      ...{ name, dnsName: `${name}.${lab.domain}`, kind, address, port },
      ...(container === undefined ? {} : { container }),
    };
  });
}

function addressOf(lab: Lab, { nas, address }: LabService): Ipv4 | undefined {
  return address ?? (nas === undefined ? undefined : lab.nas[nas]?.address);
}

function resolveContainer(service: LabService, hostPort: number): ServiceContainerBlueprint | undefined {
  const { kind, nas, volume, environment } = service;
  const defaults = kind === 'other' ? undefined : serviceKindDefaults[kind];
  const image = service.image ?? defaults?.image;
  if (nas === undefined || image === undefined) return undefined;
  const mount = service.mount ?? defaults?.mount;
  return {
    ...{ nas, image, environment },
    port: defaults?.port ?? hostPort,
    ...(volume === undefined || mount === undefined ? {} : { volume: { path: volume, mount } }),
  };
}
