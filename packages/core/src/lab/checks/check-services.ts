// Charts, exports and services: what they need is there, and no two of them claim the same name, folder or port.
import { serviceKindDefaults } from '../../blueprint/service-kinds.ts';
import { attemptIdentities } from '../../identity/identity.ts';
import { identityPools, identityRule, machineNetwork } from '../lab-identities.ts';
import type { LabPath, Problem } from '../diagnostic.ts';
import { defaultSnapshotFolder, type Lab, type LabKubernetes, type LabService } from '../lab-schema.ts';
import { nearestName } from '../nearest-name.ts';
import { isHarmless, namesSecret } from '../secret-variable.ts';

export function checkServices(lab: Lab): Problem[] {
  return [
    ...checkExports(lab),
    ...checkSnapshotExport(lab),
    ...checkOutsideServices(lab),
    ...(lab.kubernetes === undefined ? [] : checkCharts(lab, lab.kubernetes)),
  ];
}

function checkExports(lab: Lab): Problem[] {
  const problems: Problem[] = [];
  let volumes: { readonly nas: string; readonly path: LabPath } | undefined;
  for (const [nas, { kind, exports, ssh }] of Object.entries(lab.nas)) {
    const seen = new Map<string, number>();
    for (const [index, each] of exports.entries()) {
      const path = ['nas', nas, 'exports', index];
      const earlier = seen.get(each.path);
      if (earlier !== undefined) {
        const related = [{ path: ['nas', nas, 'exports', earlier], message: 'the first time' }];
        problems.push({ path, message: `${nas} exports ${each.path} twice`, fix: 'remove one of the two', related });
      }
      seen.set(each.path, index);
      if (each.for !== 'volumes') continue;
      if (volumes !== undefined) {
        problems.push({
          path: [...path, 'for'],
          message: 'two exports are for volumes, and only one can be the default storage class',
          fix: 'write for: data on one of the two, and make a storage class of your own for it',
          related: [{ path: volumes.path, message: `the one of ${volumes.nas}` }],
        });
      } else volumes = { nas, path: [...path, 'for'] };
    }
    if (ssh !== undefined && kind !== 'linux') {
      const message = `${nas} is a ${kind} NAS, and Labwright changes exports of linux ones only`;
      problems.push({ path: ['nas', nas, 'ssh'], part: 'key', message, fix: 'remove ssh; its exports are checked' });
    }
  }
  return problems;
}

/** Snapshots are refused off the mount of their export, and nobody mounts it in the folder that is the default. */
function checkSnapshotExport({ nas, kubernetes }: Lab): Problem[] {
  if (kubernetes?.snapshots.to !== defaultSnapshotFolder) return [];
  for (const [name, { exports }] of Object.entries(nas)) {
    const index = exports.findIndex((each) => each.for === 'snapshots');
    const found = exports[index];
    if (found === undefined) continue;
    return [
      {
        path: ['nas', name, 'exports', index, 'for'],
        message: `${name} exports ${found.path} for snapshots, and they would go to the folder ${defaultSnapshotFolder} beside this file`,
        fix: 'mount it on this computer, and name that folder: kubernetes.snapshots.to: /mnt/nas/etcd',
        related: [{ path: ['kubernetes', 'snapshots', 'to'], part: 'key', message: 'nothing else is named here' }],
      },
    ];
  }
  return [];
}

function checkOutsideServices(lab: Lab): Problem[] {
  const problems: Problem[] = [];
  const takenNames = namesInDomain(lab);
  const takenPorts = new Map<string, string>();
  for (const [name, service] of Object.entries(lab.services)) {
    const path = ['services', name];
    const owner = takenNames.get(name);
    if (owner !== undefined) {
      const message = `the service ${name} would have the name of ${owner}`;
      problems.push({ path, part: 'key', message, fix: 'give the service another name' });
    }
    problems.push(...checkPlace(lab, name, service), ...checkContainer(name, service));
    problems.push(...checkEnvironment(name, service));
    const port = service.port ?? (service.kind === 'other' ? undefined : serviceKindDefaults[service.kind].port);
    const address = service.address ?? (service.nas === undefined ? undefined : lab.nas[service.nas]?.address);
    if (port === undefined || address === undefined) continue;
    const other = takenPorts.get(`${address}:${port}`);
    if (other !== undefined) {
      const message = `the services ${other} and ${name} have the same port ${port} on ${address}`;
      const related = [{ path: ['services', other], part: 'key' as const, message: `service ${other}` }];
      problems.push({ path, part: 'key', message, fix: 'give one of the two another port', related });
    } else takenPorts.set(`${address}:${port}`, name);
  }
  return problems;
}

/** Every name under the domain of the lab that stands for something else, and for what. */
function namesInDomain(lab: Lab): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  if (lab.kubernetes !== undefined) names.set(lab.kubernetes.endpoint.name, 'the endpoint of the cluster');
  if (lab.router !== undefined) names.set(lab.router.name, 'the router');
  for (const [section, kind] of [
    ['hosts', 'host'],
    ['nas', 'NAS'],
    ['switches', 'switch'],
    ['accessPoints', 'access point'],
  ] as const) {
    for (const name of Object.keys(lab[section])) names.set(name, `${kind} ${name}`);
  }
  const place = machineNetwork(lab);
  if (place === undefined || Object.keys(lab.services).length === 0) return names;
  for (const { nameText } of attemptIdentities(identityRule(lab, place.network.machines), identityPools(lab))) {
    names.set(nameText, `machine ${nameText}`);
  }
  return names;
}

function checkPlace(lab: Lab, name: string, { nas, address }: LabService): Problem[] {
  const path = ['services', name];
  if ((nas === undefined) === (address === undefined)) {
    const both = nas !== undefined;
    const message = `the service ${name} has ${both ? 'both a NAS and an address' : 'neither a NAS nor an address'}`;
    const fix = both ? 'keep nas, and remove address' : `add nas: ${Object.keys(lab.nas)[0] ?? 'NAME'}`;
    return [{ path: both ? [...path, 'address'] : path, part: 'key', message, fix }];
  }
  if (nas === undefined || Object.hasOwn(lab.nas, nas)) return [];
  const nearest = nearestName(nas, Object.keys(lab.nas));
  return [
    {
      path: [...path, 'nas'],
      message: `there is no NAS "${nas}"`,
      ...(nearest === undefined ? {} : { label: `did you mean ${nearest}?` }),
      fix: nearest === undefined ? 'add it under nas' : `write ${nearest}, or add it under nas`,
    },
  ];
}

/** Never with the value itself. */
function checkEnvironment(name: string, { environment }: LabService): Problem[] {
  return Object.entries(environment)
    .filter(([variable, value]) => typeof value === 'string' && namesSecret(variable) && !isHarmless(value))
    .map(([variable]) => ({
      path: ['services', name, 'environment', variable],
      message: `${variable} of the service ${name} is the secret itself, and secrets never stand in this file`,
      fix: `write where it is, like ${variable}: {env: ${variable}}, and change a secret that others may have read`,
    }));
}

function checkContainer(name: string, service: LabService): Problem[] {
  const path = ['services', name];
  const problems: Problem[] = [];
  if (service.kind === 'other' && service.port === undefined) {
    const message = `the service ${name} has no port, and its kind gives none`;
    problems.push({ path, part: 'key', message, fix: 'add port:, or kind: mariadb, postgres or redis' });
  }
  if (service.volume !== undefined && service.mount === undefined && service.kind === 'other') {
    const message = `nothing says where the container of ${name} has its folder`;
    problems.push({ path: [...path, 'volume'], message, fix: 'add mount: /data' });
  }
  if (service.nas !== undefined) return problems;
  const keys = (['image', 'volume', 'mount'] as const).filter((key) => service[key] !== undefined);
  return [
    ...problems,
    ...keys.map((key): Problem => {
      const message = `the service ${name} does not run on a NAS of this file, so ${key} has no meaning`;
      return { path: [...path, key], part: 'key', message, fix: 'remove it, or write nas: in place of address:' };
    }),
  ];
}

function checkCharts(lab: Lab, kubernetes: LabKubernetes): Problem[] {
  const { charts, ownCharts, podNetwork } = kubernetes;
  const path = ['kubernetes', 'charts'];
  const problems: Problem[] = [];
  const isOn = (name: keyof typeof charts) => charts[name] !== undefined && charts[name] !== false;
  const place = machineNetwork(lab);
  if (isOn('metallb') && place !== undefined && place.network.services === undefined) {
    const message = `metallb has no addresses to give: network ${place.name} has no range for services`;
    const fix = `add networks.${place.name}.services: 10.1.3.100-10.1.3.200, or write metallb: false`;
    problems.push({ path: [...path, 'metallb'], part: 'key', message, fix });
  }
  const hasVolumes = Object.values(lab.nas).some(({ exports }) => exports.some((each) => each.for === 'volumes'));
  if (isOn('csi-driver-nfs') && !hasVolumes) {
    const message = 'csi-driver-nfs has nowhere to make volumes: no NAS has an export for them';
    const fix = 'add to a NAS: exports: [{path: /volume1/kubernetes, for: volumes}]';
    problems.push({ path: [...path, 'csi-driver-nfs'], part: 'key', message, fix });
  }
  if (charts.flannel !== undefined && podNetwork !== 'flannel') {
    const message = `flannel has settings, and the pod network is ${podNetwork}`;
    problems.push({
      path: [...path, 'flannel'],
      part: 'key',
      message,
      fix: 'write podNetwork: flannel, or remove them',
    });
  }
  for (const [name, own] of Object.entries(ownCharts)) {
    const at = ['kubernetes', 'ownCharts', name];
    if (Object.hasOwn(baseNames, name)) {
      const message = `${name} is a base service; a chart of your own needs another name`;
      problems.push({
        path: at,
        part: 'key',
        message,
        fix: `move its version and values to kubernetes.charts.${name}`,
      });
    }
    if (own.repository !== undefined && own.version === undefined) {
      const message = `the chart ${own.chart} has no version, so each run could install another one`;
      problems.push({ path: at, part: 'key', message, fix: 'add version:' });
    }
    if (own.repository === undefined && !/^\.{0,2}\/|\.tgz$/.test(own.chart)) {
      const message = `nothing says where the chart ${own.chart} comes from`;
      problems.push({ path: [...at, 'chart'], message, fix: `add repository:, or write a folder like ./${own.chart}` });
    }
  }
  return problems;
}

const baseNames: Readonly<Record<keyof LabKubernetes['charts'], true>> = {
  metallb: true,
  traefik: true,
  'csi-driver-nfs': true,
  'metrics-server': true,
  flannel: true,
};
