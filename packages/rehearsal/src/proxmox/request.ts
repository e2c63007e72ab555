// A request as pveproxy reads it: limits first, then the parameters of query and body as plain texts.
import type { IncomingMessage } from 'node:http';
import { ApiError, refusal } from './error.ts';

const maxBodyBytes = 512 * 1024;
const maxHeaders = 64;
const maxHeaderBytes = 8 * 1024;

/** Proxmox drops such a connection without an answer. */
export function hasTooManyHeaders(request: IncomingMessage): boolean {
  const { rawHeaders } = request;
  const bytes = rawHeaders.reduce((sum, text) => sum + text.length + 2, 0);
  return rawHeaders.length / 2 + 1 >= maxHeaders || bytes >= maxHeaderBytes;
}

/** The body, refused as Proxmox refuses it when it may not be there, is too large or of a type it does not read. */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const length = Number(request.headers['content-length'] ?? 0);
  if (length === 0) return Buffer.alloc(0);
  if (request.method !== 'PUT' && request.method !== 'POST')
    throw new ApiError(501, `Unexpected content for method '${request.method}'`);
  if (length > maxBodyBytes) throw new ApiError(501, 'for data too large');
  const type = request.headers['content-type'];
  const plainType = getMediaType(type);
  if (!['', 'application/x-www-form-urlencoded', 'application/json'].includes(plainType))
    throw new ApiError(506, `upload 'Content-Type '${type}' not implemented`);
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

const getMediaType = (header: string | undefined): string => (header ?? '').split(';')[0]?.trim().toLowerCase() ?? '';

export function parseParameters(query: string, body: Buffer, contentType: string | undefined): Record<string, string> {
  const parameters: Record<string, string> = {};
  addForm(parameters, query);
  if (body.length > 0) {
    if (getMediaType(contentType) === 'application/json') addJson(parameters, body.toString('utf8'));
    else addForm(parameters, body.toString('utf8'));
  }
  // Browsers add it to get past caches.
  delete parameters['_dc'];
  return parameters;
}

/** A key sent several times is a list; NUL separates the items of a list, as it does in Proxmox. */
function addForm(parameters: Record<string, string>, text: string): void {
  const given = new URLSearchParams(text);
  for (const key of new Set(given.keys())) parameters[key] = given.getAll(key).join('\0');
}

function addJson(parameters: Record<string, string>, text: string): void {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw refusal(error instanceof Error ? error.message : String(error));
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refusal('hash expected');
  for (const [key, item] of Object.entries(value)) {
    if (item !== null) parameters[key] = Array.isArray(item) ? item.map(toText).join('\0') : toText(item);
  }
}

/** JSON's true is Perl's 1. */
function toText(value: unknown): string {
  if (typeof value === 'boolean') return value ? '1' : '0';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
