// The text of /etc/pve/qemu-server/ID.conf, read and written as Proxmox does: description as # lines, sorted keys, then
// [PENDING] and the snapshots. What is unknown survives; the digest is of the raw bytes.
//
//   #first line of the description
//   boot: order=scsi0;net0
//   memory: 2048
//
//   [PENDING]
//   delete: balloon
//   memory: 4096
import { createHash } from 'node:crypto';

export type VmValues = Record<string, string>;

export interface VmConfig {
  readonly values: VmValues;
  readonly pending: VmValues;
  /** Options that the next start removes; `force` also frees their disks. */
  readonly pendingDelete: Record<string, { readonly force: boolean }>;
  readonly snapshots: Record<string, VmValues>;
}

export function makeVmConfig(values: VmValues = {}): VmConfig {
  return { values, pending: {}, pendingDelete: {}, snapshots: {} };
}

/** SHA-1 in hexadecimal of the file as it stands, which is what a client sends back to change it safely. */
export function getDigest(raw: string): string {
  return createHash('sha1').update(raw, 'utf8').digest('hex');
}

export function parseVmConfig(raw: string): VmConfig {
  const config = makeVmConfig();
  let section: VmValues | undefined = config.values;
  const descriptions = new Map<VmValues, string[]>();
  for (const line of raw.split('\n')) {
    const header = /^\[([^\]]*)\]\s*$/.exec(line);
    if (header !== null) {
      const name = header[1] ?? '';
      if (/^pending$/i.test(name)) section = config.pending;
      else if (/^[a-z][a-z0-9_-]+$/i.test(name)) section = config.snapshots[name] = {};
      else section = undefined;
      continue;
    }
    if (section === undefined) continue;
    if (line.startsWith('#')) {
      descriptions.set(section, [...(descriptions.get(section) ?? []), decodeText(line.slice(1))]);
      continue;
    }
    const entry = /^([a-z][a-z_-]*\d*):\s*(.+?)\s*$/.exec(line);
    if (entry === null) continue;
    const [, key = '', value = ''] = entry;
    if (section === config.pending && key === 'delete') {
      for (const name of value.split(/[,;\s]+/)) {
        const force = name.startsWith('!');
        config.pendingDelete[force ? name.slice(1) : name] = { force };
      }
    } else section[key] = value;
  }
  for (const [values, lines] of descriptions) values['description'] = lines.join('\n').trimEnd();
  return config;
}

export function formatVmConfig(config: VmConfig): string {
  let raw = formatValues(config.values);
  const names = Object.keys(config.pendingDelete).sort();
  const pending: VmValues = { ...config.pending };
  if (names.length > 0)
    pending['delete'] = names.map((name) => (config.pendingDelete[name]?.force === true ? `!${name}` : name)).join(',');
  if (Object.keys(pending).length > 0) raw += `\n[PENDING]\n${formatValues(pending)}`;
  for (const name of Object.keys(config.snapshots).sort())
    raw += `\n[${name}]\n${formatValues(config.snapshots[name] ?? {})}`;
  return raw;
}

function formatValues(values: VmValues): string {
  const description = values['description'];
  const lines =
    description === undefined || description === ''
      ? []
      : description.split('\n').map((line) => `#${encodeText(line)}`);
  for (const key of Object.keys(values).sort()) if (key !== 'description') lines.push(`${key}: ${values[key]}`);
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}

/** Escapes control characters, everything beyond ASCII, the colon and the percent sign, as Proxmox's comments are. */
function encodeText(text: string): string {
  return [...new TextEncoder().encode(text)]
    .map((byte) => {
      const isPlain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25 && byte !== 0x3a;
      return isPlain ? String.fromCodePoint(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    })
    .join('');
}

function decodeText(text: string): string {
  const bytes = text
    .split(/(%[0-9A-Fa-f]{2})/)
    .flatMap((part, index) =>
      index % 2 === 1 ? [Number.parseInt(part.slice(1), 16)] : Array.from(new TextEncoder().encode(part)),
    );
  return new TextDecoder().decode(Uint8Array.from(bytes));
}

/** Lower case, sorted, without doubles: how tags are stored unless the data centre's tag style says otherwise. */
export function normaliseTags(tags: string): string {
  const unique = new Set(
    tags
      .split(/[,;\s\0]+/)
      .filter((tag) => tag !== '')
      .map((tag) => tag.toLowerCase()),
  );
  return [...unique].sort().join(';');
}
