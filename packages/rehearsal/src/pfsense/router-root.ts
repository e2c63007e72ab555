// The file system of the emulated router: Debian's tree with a layer of changes in memory over it, pfSense's paths for its programs,
// our PHP library where pfSense has its own, and the folder of its configuration. Made anew at each start, as after a power cut.
//
//   /run/router/under   Debian's tree, which stays as it is
//   /run/router/layer   changes, in memory
//   /run/router/tree    both; /cf/conf and /var/log are folders of the rehearsal's state
import { execFile } from 'node:child_process';
import { copyFile, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { rootZoneFile, type RouterFiles, type RouterPlan } from './router-plan.ts';

const run = promisify(execFile);

const place = '/run/router';
const library = fileURLToPath(new URL('./php', import.meta.url));

/** Where pfSense has a program, and where Debian does. */
const programs: Readonly<Record<string, string>> = {
  '/usr/local/sbin/unbound': '/usr/sbin/unbound',
  '/usr/local/sbin/unbound-control': '/usr/sbin/unbound-control',
  '/usr/local/sbin/unbound-control-setup': '/usr/sbin/unbound-control-setup',
  '/usr/local/sbin/unbound-checkconf': '/usr/sbin/unbound-checkconf',
  '/usr/local/sbin/dnsmasq': '/usr/sbin/dnsmasq',
  '/usr/local/sbin/haproxy': '/usr/sbin/haproxy',
  '/usr/local/sbin/dhcpd': '/usr/sbin/dhcpd',
  '/usr/local/sbin/kea-dhcp4': '/usr/sbin/kea-dhcp4',
  '/usr/local/bin/php': '/usr/bin/php',
  '/usr/local/bin/openssl': '/usr/bin/openssl',
  '/usr/local/bin/dig': '/usr/bin/dig',
  '/usr/local/bin/host': '/usr/bin/host',
  '/usr/local/bin/curl': '/usr/bin/curl',
  '/usr/local/lib/kea/hooks': '/usr/lib/x86_64-linux-gnu/kea/hooks',
  '/conf': '/cf/conf',
};

/**
 * The Internet, as far as there is one here: nobody but the root. Clients keep for 4 s that a name does not exist: they may wait 5. The
 * real root says a day; docs/fidelity.md has what that means.
 */
const rootZone = '. 60 IN SOA root.invalid. nobody.invalid. 1 1800 900 604800 4\n. 60 IN NS root.invalid.\n';

/** Parts of the library: pfSense's folder for each, and the ending that its files have there. */
const libraryFolders = [
  { part: 'inc', folder: '/etc/inc', ending: '.inc' },
  { part: 'pkg', folder: '/usr/local/pkg', ending: '.inc' },
  { part: 'www', folder: '/usr/local/www', ending: '.php' },
  { part: 'rc', folder: '/usr/local/libexec/emulator', ending: '.php' },
] as const;

/** Of /dev only what programs need: whatever code is sent to the router, it finds no disk there. */
const deviceNodes = ['null', 'zero', 'full', 'random', 'urandom', 'tty'];

const rebootRequest = 'reboot-requested';

const rebootScript = `#!/bin/sh
# Asks whoever runs the emulated router to start it anew.
touch /run/${rebootRequest}
`;

export interface RouterRoot {
  readonly tree: string;
  /** Appears in this folder, by this name, when the router is to reboot. */
  readonly reboot: { readonly folder: string; readonly name: string };
}

/** Makes it in the mount namespace of this process, which must be its own. Throws with mount's own words. */
export async function makeRouterRoot(plan: RouterPlan, files: RouterFiles): Promise<RouterRoot> {
  for (const folder of [place, files.conf, files.backups, files.logs]) await mkdir(folder, { recursive: true });
  await mount('-t', 'tmpfs', '-o', 'mode=755', 'router', place);
  const [under, layer, work, tree] = ['under', 'layer', 'work', 'tree'].map((name) => join(place, name)) as [
    string,
    string,
    string,
    string,
  ];
  for (const folder of [under, layer, work, tree]) await mkdir(folder);
  await mount('--bind', plan.tree, under);
  await mount('-t', 'overlay', '-o', `lowerdir=${under},upperdir=${layer},workdir=${work}`, 'router', tree);
  await mount('-t', 'proc', 'proc', join(tree, 'proc'));
  await mount('-t', 'tmpfs', '-o', 'mode=755', 'router', join(tree, 'run'));
  await mountDevices(tree);
  for (const [from, to] of [
    [files.conf, '/cf/conf'],
    [files.logs, '/var/log'],
  ] as const) {
    await mkdir(join(tree, to), { recursive: true });
    await mount('--bind', from, join(tree, to));
  }
  await mount('--bind', '/sys', join(tree, 'sys'));
  await layOut(tree);
  return { tree, reboot: { folder: join(tree, 'run'), name: rebootRequest } };
}

async function mountDevices(tree: string): Promise<void> {
  const devices = join(tree, 'dev');
  await mount('-t', 'tmpfs', '-o', 'mode=755', 'router', devices);
  for (const name of deviceNodes) {
    await writeFile(join(devices, name), '');
    await mount('--bind', `/dev/${name}`, join(devices, name));
  }
  await symlink('/proc/self/fd', join(devices, 'fd'));
}

async function layOut(tree: string): Promise<void> {
  for (const [link, target] of Object.entries(programs)) {
    await mkdir(join(tree, dirname(link)), { recursive: true });
    await rm(join(tree, link), { recursive: true, force: true });
    await symlink(target, join(tree, link));
  }
  for (const { part, folder, ending } of libraryFolders)
    await copyLibrary(join(library, part), join(tree, folder), ending);
  await writeFile(join(tree, 'etc/rc.reboot'), rebootScript, { mode: 0o755 });
  await addDhcpUser(tree);
  await mkdir(join(tree, dirname(rootZoneFile)), { recursive: true });
  await writeFile(join(tree, rootZoneFile), rootZone);
  // Its own addresses come later, from system_hosts_generate().
  await writeFile(join(tree, 'etc/resolv.conf'), 'nameserver 127.0.0.1\n');
}

async function copyLibrary(from: string, to: string, ending: string): Promise<void> {
  for (const entry of await readdir(from, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = relative(from, join(entry.parentPath, entry.name));
    const target = join(to, path.replace(/\.php$/, ending));
    await mkdir(dirname(target), { recursive: true });
    await copyFile(join(from, path), target);
  }
}

/** FreeBSD's user of the DHCP server: Debian's package makes none. */
async function addDhcpUser(tree: string): Promise<void> {
  for (const [file, line] of [
    ['etc/passwd', 'dhcpd:x:136:136:DHCP daemon:/nonexistent:/usr/sbin/nologin\n'],
    ['etc/group', '_dhcp:x:136:\n'],
  ] as const) {
    const text = await readFile(join(tree, file), 'utf8');
    await writeFile(join(tree, file), text + line);
  }
}

async function mount(...argv: string[]): Promise<void> {
  await run('mount', argv);
}
