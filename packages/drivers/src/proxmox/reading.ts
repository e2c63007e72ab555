// Permissive readers for what Proxmox answers: numbers come as strings in places, booleans as 0 and 1 (proxmox.md §3.1).
import { z } from 'zod';

/** A number, or digits in a string: memory became a string in qemu-server 8.0.8, sizes are either. */
export const looseNumber = z.union([z.number(), z.string().regex(/^-?\d+(\.\d+)?$/)]).transform(Number);

/** 0, 1, "0", "1", true or false. */
export const looseBoolean = z
  .union([z.boolean(), z.number(), z.enum(['0', '1', ''])])
  .transform((value) => value !== false && value !== 0 && value !== '0' && value !== '');

/** Tags are stored joined by semicolons; commas and spaces are accepted as well. Lower-cased, sorted, each once. */
export const tagList = z
  .string()
  .optional()
  .transform((text) => parseTags(text ?? ''));

/** Compared normalised, because the datacenter's tag-style decides how they are stored. */
export function parseTags(text: string): readonly string[] {
  const tags = text
    .toLowerCase()
    .split(/[;,\s]+/)
    .filter((tag) => tag !== '');
  return [...new Set(tags)].toSorted();
}
