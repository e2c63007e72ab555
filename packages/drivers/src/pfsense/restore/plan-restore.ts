// What restoring a backup changes on a router, what of it is taken up at once, and what its owner should know before. Pure.
import { parseText } from '../config/config-value.ts';
import type { Subsystem } from '../config/place.ts';
import { type XmlDocument, type XmlElement, childElements, findElement, formatNode } from '../config/xml-tree.ts';
import { type RouterBackup, isNewerVersion } from './backup-file.ts';
import { type SectionDifference, compareConfigs } from './compare-configs.ts';

export interface RestorePlan {
  /** None when the router has it as it is in the backup. */
  readonly sections: readonly SectionDifference[];
  /** What takes the restored configuration up at once. */
  readonly subsystems: readonly Subsystem[];
  /** Sections, or parts of them, that the router takes up when it is rebooted. */
  readonly afterReboot: readonly string[];
  readonly notes: readonly string[];
}

export interface RestoreTerms {
  readonly present: XmlDocument;
  readonly backup: RouterBackup;
  /** The newest version of configurations that the router knows. */
  readonly latest: string;
  /** Labwright's own on the router. */
  readonly user: string;
}

/** Not compared: who wrote it last, and of which form it is. */
const sectionsAside = ['revision', 'version', 'lastchange'];

/** Devices come of these, at boot: services that were told of others before would serve networks that are not there. */
const deviceSections: ReadonlySet<string> = new Set([
  ...['interfaces', 'vlans', 'qinqs', 'laggs', 'bridges', 'ppps', 'gifs', 'gres', 'vxlans', 'wireless'],
]);

const haproxy = 'installedpackages/haproxy';

/** What takes a section up. Of `system` the names and resolvers, of others all that pfSense itself has them take up. */
const takers: Readonly<Record<string, readonly Subsystem[]>> = {
  unbound: ['resolver-domains'],
  dnsmasq: ['forwarder-domains'],
  dhcpd: ['dhcp', 'resolver-domains', 'forwarder-domains'],
  dhcpbackend: ['dhcp'],
  virtualip: ['virtual-ip', 'haproxy'],
  system: ['resolver-domains', 'forwarder-domains'],
  cert: ['haproxy'],
  ca: ['haproxy'],
  [haproxy]: ['haproxy'],
};
/** Sections that more than those take up. */
const takenInPart: ReadonlySet<string> = new Set(['system', 'cert', 'ca']);

export function planRestore(terms: RestoreTerms): RestorePlan {
  const { present, backup, latest } = terms;
  const restored = backup.document;
  const sections = compareConfigs(present.root, restored.root, [...sectionsAside, ...backup.leftOut]);
  const names = sections.map(({ section }) => section);
  const isOld = isNewerVersion(latest, backup.configVersion);
  const isMoved = names.some((name) => deviceSections.has(name));
  const isThere = (subsystem: Subsystem): boolean => [present, restored].some(({ root }) => isUsed(root, subsystem));
  const subsystems = isOld || isMoved ? [] : [...new Set(names.flatMap((name) => takers[name] ?? []))].filter(isThere);
  const isWhole = (name: string): boolean =>
    subsystems.length > 0 && takers[name] !== undefined && !takenInPart.has(name);
  return {
    sections,
    subsystems,
    afterReboot: names.filter((name) => !isWhole(name) && name !== 'installedpackages/labwright'),
    notes: [
      ...(isOld
        ? [
            `it is of version ${backup.configVersion} of pfSense's configurations and this router of ${latest}: the router brings it up to date when it is rebooted, and nothing of it is taken up before`,
          ]
        : isMoved
          ? ['interfaces differ: nothing of it is taken up before the router is rebooted']
          : []),
      ...deviceNotes(terms),
      ...loginNotes(terms),
      ...certificateNotes(terms),
      ...packageNotes(terms),
      ...(backup.leftOut.length === 0
        ? []
        : [`left out, because it is data and no configuration: ${backup.leftOut.join(', ')}`]),
    ],
  };
}

function isUsed(root: XmlElement, subsystem: Subsystem): boolean {
  const has = (...path: readonly string[]): boolean => findElement(root, path) !== undefined;
  switch (subsystem) {
    case 'names':
    case 'resolver-domains':
      return has('unbound', 'enable');
    case 'forwarder':
    case 'forwarder-domains':
      return has('dnsmasq', 'enable');
    case 'haproxy':
      return has('installedpackages', 'haproxy');
    case 'dhcp':
    case 'virtual-ip':
      return true;
  }
}

const textAt = (element: XmlElement | undefined, name: string): string => {
  const [inner] = element === undefined ? [] : childElements(element, name);
  return inner === undefined ? '' : parseText(inner).trim();
};

/** A router that misses a device of its configuration stops at boot and asks at its console. */
function deviceNotes({ present, backup }: RestoreTerms): readonly string[] {
  const interfacesOf = ({ root }: XmlDocument): readonly XmlElement[] => {
    const section = findElement(root, ['interfaces']);
    return section === undefined ? [] : childElements(section);
  };
  const known = new Set(interfacesOf(present).map((element) => textAt(element, 'if')));
  return interfacesOf(backup.document).flatMap((element) => {
    const device = textAt(element, 'if');
    if (device === '' || known.has(device)) return [];
    return [
      `its interface ${element.name} is on ${device}, which no interface of the router is on now: where that is not there, the router stops at its next boot and asks at its console`,
    ];
  });
}

function findNamed(
  root: XmlElement,
  path: readonly string[],
  tag: string,
  by: string,
  name: string,
): XmlElement | undefined {
  const section = findElement(root, path);
  return section === undefined
    ? undefined
    : childElements(section, tag).find((element) => textAt(element, by) === name);
}

/** Users of a directory stand in neither. */
function loginNotes({ present, backup, user }: RestoreTerms): readonly string[] {
  const [now, then] = [present, backup.document].map(({ root }) => findNamed(root, ['system'], 'user', 'name', user));
  if (now === undefined) return [];
  const lost =
    'Labwright is refused by the router from then on, until router.user and router.password of the lab file fit';
  if (then === undefined) return [`it has no user ${user}: ${lost}`];
  return formatNode(now) === formatNode(then)
    ? []
    : [`its user ${user} is not as it is now: should the password or a privilege differ, ${lost}`];
}

function certificateNotes({ present, backup }: RestoreTerms): readonly string[] {
  const [now, then] = [present, backup.document].map(({ root }) => {
    const id = textAt(findElement(root, ['system', 'webgui']), 'ssl-certref');
    return textAt(findNamed(root, [], 'cert', 'refid', id), 'crt');
  });
  if (now === then) return [];
  return [
    'its page had another certificate: after the reboot Labwright does not know the router until you accept that one: labwright doctor --trust',
  ];
}

/** pfSense keeps settings of packages that are not installed. */
function packageNotes({ present, backup }: RestoreTerms): readonly string[] {
  const namesIn = ({ root }: XmlDocument): readonly string[] => {
    const section = findElement(root, ['installedpackages']);
    return section === undefined ? [] : childElements(section, 'package').map((element) => textAt(element, 'name'));
  };
  const installed = new Set(namesIn(present));
  const missing = namesIn(backup.document).filter((name) => name !== '' && !installed.has(name));
  return missing.length === 0
    ? []
    : [`packages of it that are not installed now: ${missing.join(', ')}; install them under System > Package Manager`];
}
