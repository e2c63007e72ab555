// Renders docs/lab-file.md from the schema: every key with what it means, its default and an example.
import type { JsonSchema } from './lab-json-schema.ts';

export function formatLabReference(root: JsonSchema): string {
  const sections = Object.entries(root.properties ?? {}).flatMap(([key, schema]) => sectionsOf(key, schema));
  const top = table(root);
  return `${[introduction, '## The whole file', top, ...sections, rules].join('\n\n')}\n`;
}

const introduction = `# The lab file

One YAML file, \`lab.yaml\`, describes the lab. [examples/home/lab.yaml](../examples/home/lab.yaml) is a complete one.
\`labwright config check\` tells every problem at once; \`labwright config show --resolved\` shows each value with the
line or default it comes from. An unknown key is an error.

Sizes are written with a unit: \`512MiB\`, \`2GiB\`, \`1TiB\`. Names are lower-case letters, digits and inner dashes.
Secrets never stand in the file, only where they are: \`{env: NAME}\` (an environment variable), \`{file: PATH}\` (a file
only you can read, mode 0600; relative to the lab file), or \`{age: KEY}\` (a key of the encrypted file beside the lab file).`;

const rules = `## Names, MACs and addresses

Everything follows from the VM ID, so a machine is known before it exists and stays the same when it is made again:

${formatTable([
  ['of VM ID 102', 'by default', 'rule'],
  ['name', '`node102`', '`identity.name`, or `name` of the pool'],
  ['MAC', '`02:1a:b0:00:01:02`', '`identity.macPrefix`, then the VM ID in six decimal digits, two a byte'],
  ['address', '`10.1.1.2`', 'first usable address of the block + VM ID - `identity.baseVmId`'],
])}

The base is the lowest \`firstVmId\` of the pools unless \`identity.baseVmId\` states it. In the block 10.1.1.0/28 with base
101, VM ID 101 gets 10.1.1.1 and VM ID 114 the last one, 10.1.1.14. The first and last address of a block stay unused.

Several pools share one block: give each a \`firstVmId\` of its own, with room to grow (101, 111, 121, …). Their VM IDs
must not overlap; then MACs and addresses differ as well, and so do names that hold \`{vmId}\`. A template without it, such as
\`worker-{index}\`, or an exception under \`machines\` can give a name twice: like everything else that stands twice, that is
refused before anything is touched. So is a machine, pool or appliance with a name that every lab has already: \`localhost\`,
\`gateway\`, \`labwright\` and \`laptop\`.

Set \`identity.baseVmId\` before adding a pool with lower VM IDs than the others, or every address would move.`;

/** A section for what has keys of its own, and one for each such key below it. */
function sectionsOf(path: string, schema: JsonSchema): string[] {
  const { keyed, path: place } = keyedForm(path, schema);
  // A secret has the same three keys everywhere; the introduction says them once.
  if (keyed === undefined || isSecretRef(keyed)) return [];
  const intro = schema.description === undefined ? [] : [schema.description];
  const deeper = Object.entries(keyed.properties ?? {}).flatMap(([key, inner]) => sectionsOf(`${place}.${key}`, inner));
  return [`## ${place}`, ...intro, table(keyed), ...deeper];
}

/** The form of a value that has keys: itself, each value of a map by name, each of a list, or one of several forms. */
function keyedForm(path: string, schema: JsonSchema): { readonly keyed?: JsonSchema; readonly path: string } {
  if (schema.properties !== undefined) return { keyed: schema, path };
  if (schema.additionalProperties !== undefined && schema.additionalProperties !== false) {
    return keyedForm(`${path}.${path.endsWith('.machines') ? 'VMID' : 'NAME'}`, schema.additionalProperties);
  }
  if (schema.items !== undefined) return keyedForm(`${path}[]`, schema.items);
  const form = schema.anyOf?.find(({ properties }) => properties !== undefined);
  return form === undefined ? { path } : { keyed: form, path };
}

function isSecretRef({ properties }: JsonSchema): boolean {
  return properties !== undefined && Object.keys(properties).join(' ') === 'env file age';
}

function table(schema: JsonSchema): string {
  const rows = Object.entries(schema.properties ?? {}).map(([key, inner]) => {
    const isRequired = schema.required?.includes(key) === true;
    return [`\`${key}\``, kindOf(inner), isRequired ? 'required' : defaultOf(inner), meaningOf(inner)];
  });
  return formatTable([['key', 'value', 'default', 'meaning'], ...rows]);
}

/** Columns padded as the repository's formatter does. */
function formatTable(rows: readonly (readonly string[])[]): string {
  const escaped = rows.map((cells) => cells.map((cell) => cell.replaceAll('|', '\\|')));
  const widths = (escaped[0] ?? []).map((_, column) =>
    Math.max(3, ...escaped.map((cells) => cells[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const padded = escaped.map((cells) => line(cells.map((cell, column) => cell.padEnd(widths[column] ?? 0))));
  return [...padded.slice(0, 1), line(widths.map((width) => '-'.repeat(width))), ...padded.slice(1)].join('\n');
}

function kindOf(schema: JsonSchema): string {
  if (schema.const !== undefined) return `\`${schema.const}\``;
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${value}\``).join(', ');
  if (schema.anyOf !== undefined) return schema.anyOf.map(kindOf).join(' or ');
  if (schema.items !== undefined) return `list of ${kindOf(schema.items)}`;
  if (isSecretRef(schema)) return 'secret';
  if (schema.additionalProperties !== undefined && schema.additionalProperties !== false) return 'map by name';
  switch (schema.type) {
    case 'object':
      return 'map';
    case 'integer':
      return numberKind(schema);
    case 'boolean':
      return '`true` or `false`';
    default:
      return 'text';
  }
}

function numberKind({ minimum, maximum }: JsonSchema): string {
  if (minimum === undefined) return 'number';
  return maximum === undefined ? `number from ${minimum}` : `number, ${minimum} to ${maximum}`;
}

function defaultOf({ default: value }: JsonSchema): string {
  if (value === undefined || (typeof value === 'object' && value !== null && Object.keys(value).length === 0))
    return '';
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
}

function meaningOf({ description = '', example }: JsonSchema): string {
  return example === undefined ? description : `${description} Example: \`${example}\``;
}
