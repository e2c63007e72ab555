// Downloads that are bounded, checked while they stream to disk, and give up on a server that does not answer.
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { LabwrightError } from '@labwright/core/errors/error';

/** Short: a computer without the Internet must not hold its user up. */
const answerMs = 5_000;

/** A source that does not have what was asked, or cannot be asked; the message is for a person. */
export class Unavailable extends Error {
  override readonly name: string = 'Unavailable';
}

/** It did not answer, or not to the end: asked once more it may. */
export class Silent extends Unavailable {
  override readonly name = 'Silent';
}

/** The answer's head. Throws Silent when nobody answers in time; any status is an answer. */
export async function fetchAnswer(
  url: URL,
  signal: AbortSignal,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  const patience = AbortSignal.timeout(answerMs);
  const giveUp = new AbortController();
  const onPatience = (): void => giveUp.abort();
  patience.addEventListener('abort', onPatience, { once: true });
  try {
    return await fetch(url, { headers, signal: AbortSignal.any([signal, giveUp.signal]) });
  } catch (error) {
    signal.throwIfAborted();
    const why = giveUp.signal.aborted ? `did not answer within ${answerMs / 1000} s` : reasonOf(error);
    throw new Silent(`${url.host} ${why}`, { cause: error });
  } finally {
    // The body may take its time (a silence of five minutes ends it, which is fetch's own limit).
    patience.removeEventListener('abort', onPatience);
  }
}

/** A small text. Undefined for 404. */
export async function fetchText(url: URL, maxBytes: number, signal: AbortSignal): Promise<string | undefined> {
  const answer = await fetchAnswer(url, signal);
  if (!answer.ok) {
    await answer.body?.cancel();
    if (answer.status === 404) return undefined;
    throw new Unavailable(`${url.host} answered ${answer.status} for ${url.pathname}`);
  }
  return new TextDecoder().decode(await readBounded(answer, maxBytes, signal));
}

export async function readBounded(answer: Response, maxBytes: number, signal: AbortSignal): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of bodyOf(answer, signal)) {
    size += chunk.length;
    if (size > maxBytes) throw new Unavailable(`${answer.url} is longer than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

export interface Expected {
  /** Hex. */
  readonly sha256: string;
  readonly maxBytes: number;
  /** For the message: "https://dl.k8s.io/...". */
  readonly from: string;
}

/** Writes the answer's body to a new file. LW4001, and no file, when it is not what was expected. */
export async function saveAnswer(
  answer: Response,
  file: string,
  expected: Expected,
  signal: AbortSignal,
): Promise<number> {
  return await saveChecked(Readable.from(bodyOf(answer, signal)), file, expected, signal);
}

/** As saveAnswer, from a file of this computer. */
export async function copyChecked(
  from: string,
  file: string,
  expected: Expected,
  signal: AbortSignal,
): Promise<number> {
  return await saveChecked(createReadStream(from, { highWaterMark: 2 ** 20 }), file, expected, signal);
}

async function saveChecked(
  source: Readable,
  file: string,
  { sha256, maxBytes, from }: Expected,
  signal: AbortSignal,
): Promise<number> {
  const hash = createHash('sha256');
  let size = 0;
  const check = async function* (chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      size += chunk.length;
      if (size > maxBytes) throw new Unavailable(`${from} is longer than ${maxBytes} bytes`);
      hash.update(chunk);
      yield chunk;
    }
  };
  try {
    await pipeline(source, check, createWriteStream(file), { signal });
    const found = hash.digest('hex');
    if (found === sha256) return size;
    throw new LabwrightError('LW4001', {
      what: `${from} is not what it should be`,
      where: { from },
      why: `its SHA-256 is ${found}, and ${sha256} was promised`,
      fix: ['run the command again; when it stays so, do not use this source'],
    });
  } catch (error) {
    await rm(file, { force: true });
    throw error;
  }
}

async function* bodyOf(answer: Response, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  if (answer.body === null) return;
  try {
    yield* answer.body as ReadableStream<Uint8Array>;
  } catch (error) {
    signal.throwIfAborted();
    throw new Silent(`${answer.url} broke off: ${reasonOf(error)}`, { cause: error });
  }
}

/** fetch hides what happened in the cause. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (!(cause instanceof Error)) return String(cause);
  return 'code' in cause && typeof cause.code === 'string' ? `could not be reached (${cause.code})` : cause.message;
}
