// HTTP answers that boot clients understand: exact Content-Length, no redirect, no chunks, no empty header.
import { open } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { parseByteRange } from './byte-range.ts';

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Aborted when the server stops waiting for transfers. */
  readonly signal: AbortSignal;
}

export interface FileTransfer {
  readonly path: string;
  readonly size: number;
  /** Called about once a mebibyte, and at the end. */
  readonly onSent: (sentBytes: number) => void;
}

const chunkBytes = 1024 * 1024;

export function replyBytes(exchange: Exchange, status: number, contentType: string, body: Uint8Array): void {
  const { request, response } = exchange;
  const range = status === 200 ? parseByteRange(request.headers.range, body.length) : ({ kind: 'whole' } as const);
  if (range.kind === 'unsatisfiable') return replyUnsatisfiable(exchange, body.length);
  const part = range.kind === 'part' ? body.subarray(range.first, range.last + 1) : body;
  response.writeHead(range.kind === 'part' ? 206 : status, {
    'content-type': contentType,
    'content-length': part.length,
    'cache-control': 'no-store',
    ...(status === 200 ? { 'accept-ranges': 'bytes' } : {}),
    ...(range.kind === 'part' ? { 'content-range': `bytes ${range.first}-${range.last}/${body.length}` } : {}),
  });
  response.end(request.method === 'HEAD' ? undefined : part);
}

export function replyText(exchange: Exchange, status: number, text: string): void {
  replyBytes(exchange, status, 'text/plain; charset=utf-8', new TextEncoder().encode(`${text}\n`));
}

/** "Come again": never 404, which Ignition and firmware take as final. */
export function replyNotReady(exchange: Exchange, text: string): void {
  exchange.response.setHeader('retry-after', '5');
  replyText(exchange, 503, text);
}

export function replyNothing(exchange: Exchange, status: 204): void {
  exchange.response.writeHead(status);
  exchange.response.end();
}

/** Streams a file or a part of it. Rejects when the client goes away in the middle. */
export async function replyFile(exchange: Exchange, file: FileTransfer): Promise<'sent' | 'not-as-described'> {
  const { request, response, signal } = exchange;
  const handle = await open(file.path);
  try {
    // The length is a promise to the client: better nothing than a file that changed under us.
    if ((await handle.stat()).size !== file.size) return 'not-as-described';
    const range = parseByteRange(request.headers.range, file.size);
    if (range.kind === 'unsatisfiable') {
      replyUnsatisfiable(exchange, file.size);
      return 'sent';
    }
    const { first, last } = range.kind === 'part' ? range : { first: 0, last: file.size - 1 };
    response.writeHead(range.kind === 'part' ? 206 : 200, {
      'content-type': 'application/octet-stream',
      'content-length': last - first + 1,
      'accept-ranges': 'bytes',
      'cache-control': 'no-store',
      ...(range.kind === 'part' ? { 'content-range': `bytes ${first}-${last}/${file.size}` } : {}),
    });
    if (request.method === 'HEAD' || file.size === 0) {
      response.end();
      return 'sent';
    }
    const source = handle.createReadStream({ start: first, end: last, highWaterMark: chunkBytes, autoClose: false });
    await pipeline(source, counted(first, file.onSent), response, { signal });
    file.onSent(last + 1);
    return 'sent';
  } finally {
    await handle.close();
  }
}

function counted(first: number, onSent: (sentBytes: number) => void) {
  return async function* count(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    let sent = first;
    for await (const chunk of chunks) {
      yield chunk;
      sent += chunk.length;
      onSent(sent);
    }
  };
}

function replyUnsatisfiable({ response }: Exchange, size: number): void {
  response.writeHead(416, { 'content-range': `bytes */${size}`, 'content-length': 0 });
  response.end();
}
