// What the schema, the reference and editors say of a key.

/** The example is what stands after the colon in a lab file. (zod drops JSON Schema's `examples` where it transforms.) */
export const about = (description: string, example?: string) => ({
  description,
  ...(example === undefined ? {} : { example }),
});
