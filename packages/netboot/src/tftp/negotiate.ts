// Which of the options a client asked for are granted, and with which values. RFC 2347: only those that were asked for.
import type { TftpOptions } from '@labwright/wire/tftp/options';

export interface Negotiated {
  readonly blockSize: number;
  readonly windowSize: number;
  readonly timeoutMs: number;
  /** What goes into the OACK; none is sent when it is empty. */
  readonly granted: TftpOptions;
}

const classicBlockSize = 512;
const classicTimeoutMs = 1_000;
/** Beyond it transfers do not get faster (RFC 7440 §5), and a lost block costs more. */
const largestWindow = 32;
/** Headers of IP (20), UDP (8) and TFTP (4): a larger block is fragmented, which firmware does not always put together. */
const headerBytes = 32;

export function negotiate(asked: TftpOptions, file: { readonly size: number; readonly mtu: number }): Negotiated {
  const granted: { -readonly [Name in keyof Omit<TftpOptions, 'other'>]: number } = {};
  // Both may only be lowered (RFC 2348, RFC 7440 §3).
  if (asked.blockSize !== undefined) granted.blockSize = Math.min(asked.blockSize, file.mtu - headerBytes);
  if (asked.windowSize !== undefined) granted.windowSize = Math.min(asked.windowSize, largestWindow);
  // The same value or none (RFC 2349).
  if (asked.timeoutSeconds !== undefined) granted.timeoutSeconds = asked.timeoutSeconds;
  if (asked.transferSize !== undefined) granted.transferSize = file.size;
  return {
    blockSize: granted.blockSize ?? classicBlockSize,
    windowSize: granted.windowSize ?? 1,
    timeoutMs: granted.timeoutSeconds === undefined ? classicTimeoutMs : granted.timeoutSeconds * 1000,
    granted,
  };
}
