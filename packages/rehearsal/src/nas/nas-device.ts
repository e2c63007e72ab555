// The NAS of a rehearsal: a device with a Debian root of its own and real servers for files (NFS), databases and SSH.
//
//   STATE/nas/nas1/settings    what the servers are told; /var/lib/labwright there
//   STATE/nas/nas1/files       its folders, such as /srv and /volume1, by their paths
//   STATE/nas/nas1/database    MariaDB's files
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DeviceInput } from '../lab/topology.ts';
import { formatDatabaseConfig, formatDatabaseUsers, type NasDatabase } from './database.ts';
import { formatExports, formatNfsConfig, type NfsExport } from './nfs-server.ts';

export interface NasPlan {
  /** Of the device; at most twelve letters, since its cable is named for it. */
  readonly name: string;
  readonly address: string;
  readonly gateway: string;
  readonly resolver: string;
  /** The lab's domain. */
  readonly domain: string;
  /** Debian root with nfs-ganesha, MariaDB, OpenSSH and sudo. */
  readonly tree: string;
  /** Everything of this NAS; made when it is not there. */
  readonly directory: string;
  /** Exported from the start; more can be made over SSH. */
  readonly exports: readonly NfsExport[];
  /** Folders that are there and not exported yet. */
  readonly folders: readonly string[];
  /** Absent on a NAS without one. */
  readonly database?: { readonly port: number; readonly databases: readonly NasDatabase[] };
  /** Who may log in over SSH; absent on a NAS without. */
  readonly ssh?: {
    /** May use sudo, unless it is root. */
    readonly user: string;
    readonly port: number;
    readonly authorizedKeys: readonly string[];
    /** Its private half, in OpenSSH's form. */
    readonly hostKey: string;
  };
}

/** Kept in the rehearsal's state with all that is below: only what is kept there can be exported, since NFS needs a real disk. */
const volumes = ['/srv', '/volume1'];
const programs = fileURLToPath(new URL('./programs', import.meta.url));
const programFolder = '/usr/local/lib/labwright';
const settingsFolder = '/var/lib/labwright';

const nfsPort = 2049;

/** Writes what its servers read and gives the device for the topology. */
export async function writeNas(plan: NasPlan): Promise<DeviceInput> {
  const { directory, name, database, ssh } = plan;
  const inDirectory = (path: string): string => join(directory, path);
  const settings = inDirectory('settings');
  const wanted = [...plan.folders, ...plan.exports.map(({ path }) => path)];
  const mounted = [...volumes, ...wanted.filter((path) => !volumes.some((volume) => path.startsWith(`${volume}/`)))];
  const keep = (path: string): string => join(directory, 'files', path);
  for (const folder of [settings, inDirectory('database'), ...[...mounted, ...wanted].map(keep)])
    await mkdir(folder, { recursive: true });
  const files = listFiles(plan);
  for (const { file, text, isSecret } of files)
    await writeFile(join(settings, file), text, { mode: isSecret === true ? 0o600 : 0o644 });
  const run = (program: string, ...argv: string[]): string[] => ['sh', `${programFolder}/${program}`, ...argv];
  return {
    name,
    address: plan.address,
    gateway: plan.gateway,
    root: {
      tree: plan.tree,
      binds: [
        { from: programs, to: programFolder },
        { from: join(programs, 'exportfs'), to: '/usr/sbin/exportfs' },
        { from: settings, to: settingsFolder },
        { from: inDirectory('database'), to: '/var/lib/mysql' },
        ...mounted.map((path) => ({ from: keep(path), to: path })),
        ...files.flatMap(({ file, to }) => (to === undefined ? [] : [{ from: join(settings, file), to }])),
      ],
    },
    processes: [
      { name: 'nfs', command: run('start-nfs'), readyPort: nfsPort },
      ...(database === undefined
        ? []
        : [{ name: 'database', command: run('start-database'), readyPort: database.port }]),
      ...(ssh === undefined
        ? []
        : [{ name: 'ssh', command: run('start-ssh', ssh.user, String(ssh.port)), readyPort: ssh.port }]),
    ],
  };
}

interface SettingsFile {
  readonly file: string;
  readonly text: string;
  /** Where the program that reads it looks for it; absent where one of ours reads it from the settings. */
  readonly to?: string;
  /** For root alone; whoever logs in reads the others. */
  readonly isSecret?: boolean;
}

function listFiles(plan: NasPlan): readonly SettingsFile[] {
  const { name, domain, address, resolver, database, ssh } = plan;
  const files: SettingsFile[] = [
    { file: 'ganesha.conf', text: formatNfsConfig(), to: '/etc/ganesha/ganesha.conf' },
    { file: 'rehearsal.exports', text: formatExports(plan.exports), to: '/etc/exports.d/rehearsal.exports' },
    { file: 'hosts', text: `127.0.0.1 localhost\n${address} ${name}.${domain} ${name}\n`, to: '/etc/hosts' },
    { file: 'resolv.conf', text: `nameserver ${resolver}\nsearch ${domain}\n`, to: '/etc/resolv.conf' },
  ];
  if (database !== undefined) {
    const config = formatDatabaseConfig(address, database.port);
    files.push({ file: 'mariadb.cnf', text: config, to: '/etc/mysql/mariadb.conf.d/99-labwright.cnf' });
    files.push({ file: 'database.sql', text: formatDatabaseUsers(database.databases), isSecret: true });
  }
  if (ssh !== undefined) {
    files.push({ file: 'authorized_keys', text: ssh.authorizedKeys.map((key) => `${key}\n`).join('') });
    files.push({ file: 'ssh_host_key', text: ssh.hostKey, isSecret: true });
  }
  return files;
}
