// Proxmox's comma-separated option values ("virtio=02:..,bridge=vmbr0"): parsed against a format, printed in the one order
// in which Proxmox writes them, which makes a difference visible only where there is one.

export interface PropertyField {
  readonly type: 'string' | 'integer' | 'number' | 'boolean';
  readonly optional?: true;
  /** The field that may be written without its name. */
  readonly isDefault?: true;
  /** Another name of the field, as `volume` is of `file`. */
  readonly alias?: string;
  /** With `alias`: the key itself is a value of this field, as `virtio=MAC` sets model=virtio. */
  readonly keyAlias?: string;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: RegExp;
  readonly requires?: string;
  /** Says why a value is wrong. */
  readonly check?: (value: string) => string | undefined;
  readonly format?: 'disk-size';
}

export type PropertyFormat = Readonly<Record<string, PropertyField>>;
export type Properties = Record<string, string>;

export type PropertyResult =
  | { readonly ok: true; readonly properties: Properties }
  /** The text under the parameter's name and, by field, what is wrong. */
  | { readonly ok: false; readonly problem: string; readonly fields: Readonly<Record<string, string>> };

/** Total: says what is wrong instead of throwing. The value is also checked by the format (types, bounds, required fields). */
export function parsePropertyString(format: PropertyFormat, text: string): PropertyResult {
  const properties: Properties = {};
  const fail = (problem: string): PropertyResult => ({ ok: false, problem, fields: {} });
  const defaultKey = Object.keys(format).find((key) => format[key]?.isDefault === true);
  for (const part of text.split(',')) {
    const trimmed = part.trim();
    if (trimmed === '') continue;
    const separator = trimmed.indexOf('=');
    if (separator > 0) {
      let key = trimmed.slice(0, separator);
      const value = trimmed.slice(separator + 1);
      const field = format[key];
      if (field === undefined) return fail(`invalid key in comma-separated list property: ${key}\n`);
      if (field.alias !== undefined) {
        if (field.keyAlias !== undefined) properties[field.keyAlias] = key;
        key = field.alias;
      }
      if (Object.hasOwn(properties, key)) return fail(`duplicate key in comma-separated list property: ${key}\n`);
      properties[key] = format[key]?.type === 'boolean' ? normaliseBoolean(value) : value;
      continue;
    }
    if (defaultKey === undefined) return fail('value without key, but schema does not define a default key\n');
    if (Object.hasOwn(properties, defaultKey))
      return fail(`duplicate key in comma-separated list property: ${defaultKey}\n`);
    properties[defaultKey] = trimmed;
  }
  const fields = checkProperties(format, properties);
  if (Object.keys(fields).length > 0) return { ok: false, problem: 'format error\n', fields };
  return { ok: true, properties };
}

/** The fields of a value that was checked when it was stored; none when there is no value or no such format. */
export function readProperties(format: PropertyFormat | undefined, text: string | undefined): Properties {
  const result = text === undefined || format === undefined ? undefined : parsePropertyString(format, text);
  return result?.ok === true ? result.properties : {};
}

/** The canonical order: `model=MAC` or the default field first, then the required fields, then the rest by name. */
export function formatPropertyString(format: PropertyFormat, properties: Readonly<Properties>): string {
  const parts: string[] = [];
  const done = new Set<string>();
  const defaultKey = Object.keys(format).find((key) => format[key]?.isDefault === true);
  const alias = Object.values(format).find((field) => field.keyAlias !== undefined);
  if (alias?.keyAlias !== undefined && alias.alias !== undefined) {
    const model = properties[alias.keyAlias];
    const value = properties[alias.alias];
    if (model !== undefined) parts.push(value === undefined ? model : `${model}=${value}`);
    done.add(alias.keyAlias).add(alias.alias);
  } else if (defaultKey !== undefined && properties[defaultKey] !== undefined) {
    parts.push(properties[defaultKey]);
    done.add(defaultKey);
  }
  const rest = Object.keys(properties)
    .filter((key) => !done.has(key))
    .sort();
  const isRequired = (key: string): boolean => format[key]?.optional === undefined;
  for (const key of [...rest.filter(isRequired), ...rest.filter((key) => !isRequired(key))])
    parts.push(`${key}=${properties[key]}`);
  return parts.join(',');
}

/** "4M", "32G" or plain bytes: the largest unit that leaves no rest, as Proxmox prints the size of a disk. */
export function formatDiskSize(bytes: number): string {
  const units = ['', 'K', 'M', 'G', 'T'];
  let value = bytes;
  let unit = 0;
  while (unit < units.length - 1 && value !== 0 && value % 1024 === 0) {
    value /= 1024;
    unit += 1;
  }
  return `${value}${units[unit]}`;
}

/** Bytes of "32G", "528K" or "1073741824". */
export function parseDiskSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([KMGT]?)$/.exec(text);
  if (match === null) return 0;
  return Math.trunc(Number(match[1]) * 1024 ** ' KMGT'.indexOf(match[2] === '' ? ' ' : (match[2] ?? ' ')));
}

function checkProperties(format: PropertyFormat, properties: Readonly<Properties>): Record<string, string> {
  const problems: Record<string, string> = {};
  for (const [key, field] of Object.entries(format)) {
    if (field.alias !== undefined) continue;
    const value = properties[key];
    if (value === undefined) {
      if (field.optional === undefined) problems[key] = 'property is missing and it is not optional';
      continue;
    }
    if (field.requires !== undefined && properties[field.requires] === undefined)
      problems[field.requires] = `missing property required by '${key}'`;
    const problem = checkValue(field, value);
    if (problem !== undefined) problems[key] = problem;
  }
  return problems;
}

export type CheckedValue = Omit<PropertyField, 'isDefault' | 'alias' | 'keyAlias'>;

/** The reason Proxmox gives when a value is not of its type or within its bounds, in the order in which it looks. */
export function checkValue(field: CheckedValue, value: string): string | undefined {
  const wrongType = `type check ('${field.type}') failed - got '${value}'`;
  switch (field.type) {
    case 'integer':
      if (!/^[+-]?\d+$/.test(value)) return wrongType;
      break;
    case 'number':
      if (!/^(?:[+-]?)(?=\d|\.\d)\d*(?:\.\d*)?(?:[Ee][+-]?\d+)?$/.test(value)) return wrongType;
      break;
    case 'boolean':
      return value === '0' || value === '1' ? undefined : wrongType;
    case 'string':
      break;
  }
  if (field.type === 'string') {
    const reason = field.check?.(value);
    if (reason !== undefined) return `invalid format - ${reason}`;
    if (field.format === 'disk-size' && !/^\d+(?:\.\d+)?[KMGT]?$/.test(value))
      return `invalid format - value does not look like a valid disk size: ${value}`;
    if (field.pattern !== undefined && !field.pattern.test(value)) return 'value does not match the regex pattern';
    if (field.maxLength !== undefined && value.length > field.maxLength)
      return `value may only be ${field.maxLength} characters long`;
    if (field.minLength !== undefined && value.length < field.minLength)
      return `value must be at least ${field.minLength} characters long`;
  } else {
    if (field.maximum !== undefined && Number(value) > field.maximum)
      return `value must have a maximum value of ${field.maximum}`;
    if (field.minimum !== undefined && Number(value) < field.minimum)
      return `value must have a minimum value of ${field.minimum}`;
  }
  if (field.enum !== undefined && !field.enum.includes(value))
    return `value '${value}' does not have a value in the enumeration '${field.enum.join(', ')}'`;
  return undefined;
}

/** Inside property strings, unlike in top-level parameters, Proxmox takes words for booleans. */
function normaliseBoolean(value: string): string {
  if (/^(?:1|on|yes|true)$/i.test(value)) return '1';
  if (/^(?:0|off|no|false)$/i.test(value)) return '0';
  return value;
}
