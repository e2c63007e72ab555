// Randomness comes in through this port, so that a test can repeat it.

export interface Random {
  /** Cryptographically strong in the product. */
  bytes(count: number): Uint8Array;
}

export function randomHex(random: Random, byteCount: number): string {
  return Buffer.from(random.bytes(byteCount)).toString('hex');
}
