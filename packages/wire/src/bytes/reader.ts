// A cursor over received bytes that never reads past the end: every short read is a DecodeError with its offset.

/** The bytes are not what the format says; the only error decoders throw. */
export class DecodeError extends Error {
  /** Where in the datagram it was noticed. */
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(`${message} (at byte ${offset})`);
    this.name = 'DecodeError';
    this.offset = offset;
  }
}

export class ByteReader {
  readonly #bytes: Uint8Array;
  /** Offset of the first byte in the whole datagram, so that errors inside a slice point at the right place. */
  readonly #base: number;
  #at = 0;

  constructor(bytes: Uint8Array, base = 0) {
    this.#bytes = bytes;
    this.#base = base;
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  /** Offset of the next byte in the whole datagram. */
  get offset(): number {
    return this.#base + this.#at;
  }

  u8(): number {
    return this.#number(1);
  }

  u16(): number {
    return this.#number(2);
  }

  u32(): number {
    return this.#number(4);
  }

  /** A copy, so that the value outlives the receive buffer. */
  bytes(count: number): Uint8Array {
    this.#need(count);
    const taken = this.#bytes.slice(this.#at, this.#at + count);
    this.#at += count;
    return taken;
  }

  rest(): Uint8Array {
    return this.bytes(this.remaining);
  }

  /** A reader of the next bytes alone. */
  slice(count: number): ByteReader {
    const base = this.offset;
    return new ByteReader(this.bytes(count), base);
  }

  /** Text up to the next zero byte, which is consumed too. One character a byte (ISO 8859-1), so nothing is lost. */
  terminated(what: string): string {
    const end = this.#bytes.indexOf(0, this.#at);
    if (end === -1) throw this.error(`${what} does not end with a zero byte`);
    const text = textOf(this.#bytes.subarray(this.#at, end));
    this.#at = end + 1;
    return text;
  }

  error(message: string): DecodeError {
    return new DecodeError(message, this.offset);
  }

  #number(size: 1 | 2 | 4): number {
    this.#need(size);
    let value = 0;
    for (let index = 0; index < size; index += 1) value = value * 256 + (this.#bytes[this.#at + index] ?? 0);
    this.#at += size;
    return value;
  }

  #need(count: number): void {
    if (count > this.remaining) {
      throw this.error(`${count} more bytes expected where ${this.remaining} are left`);
    }
  }
}

/** One character a byte (ISO 8859-1): every byte sequence has a text and the other way round. */
export function textOf(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

export function hexOf(bytes: Uint8Array, separator = ''): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(separator);
}
