// Builds a datagram byte by byte; every number is checked against its width.

/** A value that the format cannot carry: a mistake of the caller, never of a peer. */
export class EncodeError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'EncodeError';
  }
}

export class ByteWriter {
  #bytes = new Uint8Array(256);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  u8(value: number): void {
    this.#number(value, 1);
  }

  u16(value: number): void {
    this.#number(value, 2);
  }

  u32(value: number): void {
    this.#number(value, 4);
  }

  bytes(value: Uint8Array): void {
    this.#reserve(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
  }

  /** Text as one byte a character (ISO 8859-1). */
  text(value: string): void {
    this.bytes(bytesOf(value));
  }

  /** Text and a zero byte behind it. */
  terminated(value: string): void {
    if (value.includes('\0')) throw new EncodeError(`"${value}" contains a zero byte`);
    this.text(value);
    this.u8(0);
  }

  zeros(count: number): void {
    this.bytes(new Uint8Array(count));
  }

  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #number(value: number, size: 1 | 2 | 4): void {
    if (!Number.isInteger(value) || value < 0 || value >= 256 ** size) {
      throw new EncodeError(`${value} does not fit into ${size * 8} bits`);
    }
    this.#reserve(size);
    for (let index = size - 1; index >= 0; index -= 1) {
      this.#bytes[this.#length + index] = value % 256;
      value = Math.floor(value / 256);
    }
    this.#length += size;
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + count));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}

/** The inverse of `textOf`. */
export function bytesOf(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code > 255) throw new EncodeError(`"${text}" has a character that is not one byte`);
    bytes[index] = code;
  }
  return bytes;
}
