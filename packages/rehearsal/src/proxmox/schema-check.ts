// Parameter verification as pve-common's JSONSchema does it: every problem at once, in Proxmox's words, under the parameter's
// name. Values stay the texts that were sent, as they do in Proxmox.
import { parameterError } from './error.ts';
import { checkValue, parsePropertyString, type CheckedValue, type PropertyFormat } from './property-string.ts';

export interface Parameter extends CheckedValue {
  readonly properties?: PropertyFormat;
  /** The value may be sent several times; the first level of a JSON array. */
  readonly isArray?: true;
}

/** By name; "net[n]" stands for net0, net1 and so on. */
export type ParameterSchema = Readonly<Record<string, Parameter>>;
export type Parameters = Readonly<Record<string, string>>;

/** Throws the one 400 with all problems. */
export function checkParameters(
  schema: ParameterSchema,
  parameters: Parameters,
  isKnown: (name: string) => Parameter | undefined,
): void {
  const problems: Record<string, string> = {};
  const add = (name: string, problem: string): void => {
    // Perl's join('\n') is in single quotes: the two characters, not a newline.
    problems[name] = problems[name] === undefined ? problem : `${problems[name]}\\n${problem}`;
  };
  for (const [name, parameter] of Object.entries(schema)) {
    if (parameters[name] === undefined && parameter.optional === undefined && !name.endsWith('[n]'))
      add(name, 'property is missing and it is not optional');
  }
  for (const name of Object.keys(parameters).sort()) {
    const value = parameters[name] ?? '';
    const parameter = isKnown(name);
    if (parameter === undefined) {
      add(name, 'property is not defined in schema and the schema does not allow additional properties');
      continue;
    }
    if (parameter.requires !== undefined && parameters[parameter.requires] === undefined)
      add(parameter.requires, `missing property required by '${name}'`);
    const problem = checkParameter(name, parameter, value);
    if (problem !== undefined) add(name, problem);
  }
  if (Object.keys(problems).length > 0) throw parameterError(problems);
}

function checkParameter(name: string, parameter: Parameter, value: string): string | undefined {
  if (parameter.properties !== undefined) {
    const result = parsePropertyString(parameter.properties, value);
    if (!result.ok) {
      const fields = Object.keys(result.fields)
        .sort()
        .map((field) => `${name}.${field}: ${result.fields[field]}\n`);
      return `invalid format - ${result.problem}${fields.join('')}\n`;
    }
  }
  return checkValue(parameter, value);
}

/** The parameter a name stands for in a schema with templates. */
export function findParameter(schema: ParameterSchema, name: string): Parameter | undefined {
  if (Object.hasOwn(schema, name) && !name.endsWith('[n]')) return schema[name];
  const template = `${name.replace(/\d+$/, '')}[n]`;
  return /\d$/.test(name) && Object.hasOwn(schema, template) ? schema[template] : undefined;
}
