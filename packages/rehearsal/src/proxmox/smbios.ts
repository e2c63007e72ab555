// The System Information table (type 1) a guest's firmware shows, as a file: QEMU would take the same on its command line,
// where every user of the machine could read the secrets in it. DMTF DSP0134 §7.2.
//
//   type 01 | length 1b | handle 0100 | manufacturer | product | version | serial | UUID (16) | wake-up 06 | SKU | family
//   then the strings, each ended by a zero byte, and one more zero byte
import { parsePropertyString } from './property-string.ts';
import { smbiosFormat } from './property-formats.ts';

const textFields = ['manufacturer', 'product', 'version', 'serial', 'sku', 'family'] as const;

/** The table for the value of `smbios1`; what it does not set reads as QEMU's own. */
export function encodeSystemInformation(smbios1: string): Uint8Array {
  const result = parsePropertyString(smbiosFormat, smbios1);
  const properties = result.ok ? result.properties : {};
  const defaults: Readonly<Record<string, string>> = { manufacturer: 'QEMU', product: 'Standard PC' };
  const strings: Uint8Array[] = [];
  const indexOf = (field: (typeof textFields)[number]): number => {
    const value = properties[field];
    const bytes =
      value === undefined
        ? new TextEncoder().encode(defaults[field] ?? '')
        : properties['base64'] === '1'
          ? Buffer.from(value, 'base64')
          : new TextEncoder().encode(value);
    const text = bytes.filter((byte) => byte !== 0);
    return text.length === 0 ? 0 : strings.push(text);
  };
  const [manufacturer = 0, product = 0, version = 0, serial = 0, sku = 0, family = 0] = textFields.map(indexOf);
  const header = [0x01, 0x1b, 0x00, 0x01, manufacturer, product, version, serial];
  const body = strings.flatMap((text) => [...text, 0]);
  const end = strings.length === 0 ? [0, 0] : [0];
  return Uint8Array.from([...header, ...encodeUuid(properties['uuid']), 0x06, sku, family, ...body, ...end]);
}

/** SMBIOS 2.6 and later: the first three fields are little-endian. */
function encodeUuid(uuid: string | undefined): number[] {
  const hex = (uuid ?? '').replaceAll('-', '').padEnd(32, '0');
  const bytes = Array.from({ length: 16 }, (_, index) => Number.parseInt(hex.slice(index * 2, index * 2 + 2), 16));
  return [
    ...bytes.slice(0, 4).reverse(),
    ...bytes.slice(4, 6).reverse(),
    ...bytes.slice(6, 8).reverse(),
    ...bytes.slice(8),
  ];
}
