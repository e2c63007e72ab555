// What the router is to do for the cluster: it is there, may be managed, and nobody else does the same.
import { machineNetwork } from '../lab-identities.ts';
import type { Problem } from '../diagnostic.ts';
import type { Lab } from '../lab-schema.ts';

/** The domain inside the cluster, as kubeadm has it. */
const clusterDomain = 'cluster.local';

/** UDP ports that network boot answers on at the same address, by what they are for: RFC 2131, RFC 1350, PXE 2.1. */
const bootPorts: ReadonlyMap<number, string> = new Map([
  [67, 'DHCP'],
  [69, 'TFTP'],
  [4011, 'the boot server (proxyDHCP)'],
]);

export function checkExposures(lab: Lab): Problem[] {
  return [...checkManage(lab), ...checkDomains(lab), ...checkBalancer(lab), ...checkIngress(lab), ...checkPort(lab)];
}

function checkManage({ router }: Lab): Problem[] {
  if (router === undefined || router.manage.length === 0) return [];
  const problems: Problem[] = [];
  for (const [index, part] of router.manage.entries()) {
    if (router.manage.indexOf(part) === index) continue;
    const path = ['router', 'manage', index];
    problems.push({ path, message: `${part} stands twice in what is managed`, fix: 'remove one of the two' });
  }
  if (router.password === undefined) {
    const message = `Labwright is to set up ${router.manage.join(', ')} on the router, and has no password for it`;
    const fix = 'add password: {env: PFSENSE_PASSWORD}, or remove manage';
    problems.push({ path: ['router', 'manage'], part: 'key', message, fix });
  }
  return problems;
}

function checkDomains({ exposures: { domains = [] } }: Lab): Problem[] {
  return domains.flatMap((domain, index): Problem[] => {
    const path = ['exposures', 'domains', index];
    const isIn = (other: string): boolean => domain === other || domain.endsWith(`.${other}`);
    if (domains.indexOf(domain) !== index) {
      return [{ path, message: `the domain ${domain} stands twice`, fix: 'remove one of the two' }];
    }
    if (isIn(clusterDomain)) {
      const message = `${domain} is for names inside the cluster, which the house does not see`;
      return [{ path, message, fix: 'write svc, or a domain of your own' }];
    }
    if (!isIn('local')) return [];
    const message = `${domain} belongs to multicast DNS: most systems do not ask a name server for it`;
    return [{ path, message, fix: 'write svc, or a domain of your own' }];
  });
}

function checkBalancer(lab: Lab): Problem[] {
  const { exposures, kubernetes } = lab;
  if (exposures.balancer !== 'router') return [];
  const path = ['exposures', 'balancer'];
  const problems = checkHaproxy(lab, 'balancer');
  const place = machineNetwork(lab);
  if (place !== undefined && place.network.services === undefined) {
    const message = `the router has no addresses to give to Services: network ${place.name} has no range for them`;
    problems.push({ path, message, fix: `add networks.${place.name}.services: 10.1.3.100-10.1.3.200` });
  } else if (isWanted(kubernetes?.charts.metallb)) {
    const message = 'the router and MetalLB would both give the addresses of the range for services';
    const fix = 'remove metallb from kubernetes.charts, or write balancer: metallb';
    problems.push({ path, message, fix });
  }
  return problems;
}

/** Stated to be on; what is not stated is off where the router does its work. */
function isWanted(chart: unknown): boolean {
  return chart !== undefined && chart !== false;
}

function checkIngress(lab: Lab): Problem[] {
  return lab.exposures.ingress === 'router' ? checkHaproxy(lab, 'ingress') : [];
}

function checkHaproxy({ router, kubernetes }: Lab, key: 'balancer' | 'ingress'): Problem[] {
  const path = ['exposures', key];
  if (kubernetes === undefined) {
    const message = `the ${key} is for the cluster, and the file has no section kubernetes`;
    return [{ path, message, fix: `add kubernetes, or remove ${key}` }];
  }
  if (router === undefined) {
    const message = `the ${key} is the router, and the file has no section router`;
    return [{ path, message, fix: 'add router: {kind: pfsense, address: …, manage: [haproxy]}' }];
  }
  if (router.manage.includes('haproxy')) return [];
  const message = `the ${key} is the router, and Labwright does not manage HAProxy there`;
  return [{ path, message, fix: 'add haproxy to router.manage' }];
}

function checkPort({ exposures: { nameServer }, netboot }: Lab): Problem[] {
  if (nameServer === undefined) return [];
  const path = ['exposures', 'nameServer', 'port'];
  const { port } = nameServer;
  if (port === netboot.httpPort) {
    const related = [{ path: ['netboot', 'httpPort'], message: 'port of kernels and images' }];
    const message = `the name server has the port ${port} of netboot.httpPort`;
    return [{ path, message, fix: 'write 53', related }];
  }
  const owner = bootPorts.get(port);
  if (owner === undefined) return [];
  const related = [{ path: ['netboot', 'address'], message: 'machines boot from the same address' }];
  return [{ path, message: `the name server has the UDP port ${port} of ${owner}`, fix: 'write 53', related }];
}
