// JSON Schema of the lab file: editors complete from it, diagnostics and the reference take names and examples from it.
import { z } from 'zod';
import type { LabPath } from './diagnostic.ts';
import { labSchema } from './lab-schema.ts';

/** The part of JSON Schema (draft 7) that the lab file needs. */
export interface JsonSchema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  /** As text of a lab file; not a keyword of JSON Schema, and editors pass it over. */
  readonly example?: string;
  readonly enum?: readonly (string | number)[];
  readonly const?: string | number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  /** The value of each name in a map by name; false in a map with fixed keys. */
  readonly additionalProperties?: JsonSchema | false;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
}

/** What a person writes (before defaults), in draft 7: the newest that editors' YAML plug-ins read in full. */
export function labJsonSchema(): JsonSchema {
  made ??= makeSchema();
  return made;
}

/** Made when first asked for: it takes some milliseconds, and most commands need none. */
let made: JsonSchema | undefined;

function makeSchema(): JsonSchema {
  const schema = z.toJSONSchema(labSchema, {
    io: 'input',
    target: 'draft-07',
    override: ({ jsonSchema }) => {
      // zod writes the bounds of safe integers where the schema has none.
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
    },
  });
  return schema as JsonSchema;
}

/** The schemas a value at this path may have; more than one where a value has several forms. */
export function schemasAt(root: JsonSchema, path: LabPath): readonly JsonSchema[] {
  let schemas = forms(root);
  for (const step of path) {
    schemas = schemas.flatMap((schema) => {
      const next =
        typeof step === 'number'
          ? schema.items
          : (schema.properties?.[step] ?? (schema.additionalProperties || undefined));
      return next === undefined ? [] : forms(next);
    });
  }
  return schemas;
}

function forms(schema: JsonSchema): readonly JsonSchema[] {
  return schema.anyOf === undefined ? [schema] : [schema, ...schema.anyOf.flatMap(forms)];
}
