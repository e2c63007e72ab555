// What a person does on the NAS so that an export can be mounted, by kind of NAS and by what is wrong.
import { LabwrightError } from '@labwright/core/errors/error';
import type { MountAnswer } from './mount-probe.ts';
import type { NfsAnswer } from './nfs-probe.ts';

export interface CheckedExport {
  readonly nas: { readonly name: string; readonly kind: 'synology' | 'linux'; readonly address: string };
  readonly path: string;
  /** Network that has to be allowed: "10.1.0.0/22". */
  readonly clients: string;
}

export type ExportTrouble = Exclude<MountAnswer['kind'], 'writable'> | Exclude<NfsAnswer['kind'], 'serves'>;

const reasons: Readonly<Record<ExportTrouble, string>> = {
  unreachable: 'nothing answers on its NFS port 2049',
  'not-nfs': 'something else than an NFS server answers on port 2049',
  old: 'its NFS server has no version 4',
  'no-version-4': 'its NFS server has no version 4.1',
  denied: 'it does not let the machines of this lab mount the folder',
  'not-exported': 'it does not export this folder',
  'read-only': 'it lets the machines read only',
  'no-write': 'it makes root of a machine somebody else, who may not write there',
  other: 'the mount failed',
};

/** DSM 7.2; the folder is a shared folder or inside one: /volume1/kubernetes is the shared folder "kubernetes". */
function dsmSteps(path: string, clients: string, trouble: ExportTrouble): readonly string[] {
  const [, , share = 'NAME'] = path.split('/');
  const service = 'in DSM: Control Panel > File Services > NFS: enable NFS service, maximum protocol NFSv4.1, Apply';
  const rule = `in DSM: Control Panel > Shared Folder > ${share} > Edit > NFS Permissions > Create: hostname or IP ${clients}, privilege Read/Write, squash No mapping, security sys, allow users to access mounted subfolders`;
  const folder = `in DSM: Control Panel > Shared Folder > Create: ${share} (its path must be ${path.split('/').slice(0, 3).join('/')})`;
  switch (trouble) {
    case 'unreachable':
    case 'not-nfs':
    case 'old':
    case 'no-version-4':
      return [
        service,
        'in DSM: Control Panel > Security > Firewall: allow NFS (2049) from the network of the machines',
      ];
    case 'not-exported':
      return [folder, rule];
    default:
      return [rule];
  }
}

function linuxSteps(path: string, clients: string, trouble: ExportTrouble): readonly string[] {
  const line = `${path} ${clients}(rw,sync,no_subtree_check,no_root_squash)`;
  const rule = `on the NAS: put the line "${line}" into /etc/exports.d/labwright.exports, then exportfs -ra`;
  switch (trouble) {
    case 'unreachable':
    case 'not-nfs':
    case 'old':
    case 'no-version-4':
      return ['on the NAS: apt-get install nfs-kernel-server, and systemctl enable --now nfs-server', rule];
    case 'not-exported':
      return [`on the NAS: mkdir -p ${path}`, rule];
    default:
      return [rule];
  }
}

/** LW7006 with the steps, in the order to do them. */
export function exportTrouble(checked: CheckedExport, trouble: ExportTrouble, words: string): LabwrightError {
  const { nas, path, clients } = checked;
  const steps = nas.kind === 'synology' ? dsmSteps(path, clients, trouble) : linuxSteps(path, clients, trouble);
  return new LabwrightError('LW7006', {
    what: `${path} of ${nas.name} cannot be used by the machines`,
    where: { nas: `${nas.name} (${nas.address})`, export: path },
    why: words === '' ? reasons[trouble] : `${reasons[trouble]}: ${words}`,
    fix: steps,
  });
}
