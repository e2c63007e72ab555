// What the NFS server of the rehearsal's NAS is told: nfs-ganesha 4.3, and its exports in the form of exports(5).

export interface NfsExport {
  readonly path: string;
  /** "10.1.0.0/22" */
  readonly clients: string;
}

/** ganesha.conf. The exports are in a file of their own, which is written again while the server runs. */
export function formatNfsConfig(): string {
  return [
    'NFS_CORE_PARAM {',
    '  Protocols = 4;',
    '  NFS_Port = 2049;',
    '  Enable_NLM = false;',
    '  Enable_RQUOTA = false;',
    '}',
    'NFSV4 {',
    // Nobody holds locks of the time before: a rehearsal starts with nothing.
    '  Graceless = true;',
    '  Lease_Lifetime = 30;',
    '  RecoveryBackend = fs;',
    // Numbers as they are: nobody in a rehearsal keeps a table of names for user ids.
    '  Only_Numeric_Owners = true;',
    '}',
    'LOG { Default_Log_Level = WARN; }',
    '%include "/etc/ganesha/exports.conf"',
    '',
  ].join('\n');
}

/** A file for /etc/exports.d, as the kernel's server would read it too. */
export function formatExports(exports: readonly NfsExport[]): string {
  return exports.map(({ path, clients }) => `${path} ${clients}(rw,sync,no_root_squash,no_subtree_check)\n`).join('');
}
