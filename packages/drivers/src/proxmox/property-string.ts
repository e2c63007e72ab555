// Proxmox's property strings: "virtio=BC:24:11:00:01:01,bridge=vmbr0,tag=20", "local-lvm:32,discard=on,iothread=1".
import { invariant } from '@labwright/core/errors/error';

/**
 * One value without a key may come first (a disk's volume, a cpu's type); the rest are key=value pairs. A network
 * device leads with its model as a key (virtio=MAC): `lead` names the key that is written first.
 */
export interface PropertyString {
  readonly first?: string;
  readonly lead?: string;
  readonly properties: ReadonlyMap<string, string>;
}

/** Canonical order, as Proxmox stores it: the leading part, then the keys in alphabetical order. */
export function formatPropertyString(value: PropertyString): string {
  const keys = [...value.properties.keys()].toSorted((one, other) => {
    if (one === value.lead || other === value.lead) return one === value.lead ? -1 : 1;
    return one < other ? -1 : 1;
  });
  const pairs = keys.map((key) => {
    const text = value.properties.get(key) ?? '';
    invariant(/^[^\s,="]+$/.test(key) && !/[,\n"]/.test(text), `"${key}" and its value fit into a property string`);
    return `${key}=${text}`;
  });
  invariant(
    value.first === undefined || /^[^,=\n"]+$/.test(value.first),
    'a leading value has no comma and no equals sign',
  );
  return [...(value.first === undefined ? [] : [value.first]), ...pairs].join(',');
}

/** The parts, or undefined when the text breaks the grammar: a second bare value, an empty part, a key twice. */
export function parsePropertyString(text: string, lead?: readonly string[]): PropertyString | undefined {
  const properties = new Map<string, string>();
  let first: string | undefined;
  for (const [index, part] of text.split(',').entries()) {
    const equals = part.indexOf('=');
    if (equals < 0) {
      if (index > 0 || part === '') return undefined;
      first = part;
      continue;
    }
    const key = part.slice(0, equals);
    if (key === '' || properties.has(key)) return undefined;
    properties.set(key, part.slice(equals + 1));
  }
  const leading = lead?.find((key) => properties.has(key));
  return {
    ...(first === undefined ? {} : { first }),
    ...(leading === undefined ? {} : { lead: leading }),
    properties,
  };
}

const unitExponents: Readonly<Record<string, number>> = { '': 0, K: 1, M: 2, G: 3, T: 4 };

/** "32G", "528K" or a number of bytes, in GiB; undefined when the text is no size. */
export function parseSizeGiB(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)([KMGT]?)$/.exec(text);
  if (match === null) return undefined;
  return (Number(match[1]) * 1024 ** (unitExponents[match[2] ?? ''] ?? 0)) / 1024 ** 3;
}
