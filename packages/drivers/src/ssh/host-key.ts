// Recognising a machine by its SSH host key (RFC 4253 §6.6, fingerprints as in OpenSSH).
import { createHash } from 'node:crypto';

/** "ssh-ed25519 AAAA… comment" as in a .pub file, or "SHA256:…" as ssh-keygen -l prints it. */
export type PinnedHostKey = string;

/** Compares the key a server showed (its wire form) with the pinned one. */
export function isPinnedHostKey(pinned: PinnedHostKey, shown: Uint8Array): boolean {
  if (pinned.startsWith('SHA256:')) return formatFingerprint(shown) === pinned.replace(/=+$/, '');
  const [, blob = ''] = pinned.trim().split(/\s+/);
  return blob !== '' && Buffer.from(blob, 'base64').equals(shown);
}

/** SHA256:… without padding, as OpenSSH prints it. */
export function formatFingerprint(key: Uint8Array): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

const signatures = {
  'ssh-ed25519': ['ssh-ed25519'],
  'ecdsa-sha2-nistp256': ['ecdsa-sha2-nistp256'],
  'ecdsa-sha2-nistp384': ['ecdsa-sha2-nistp384'],
  'ecdsa-sha2-nistp521': ['ecdsa-sha2-nistp521'],
  // The key's type is the old name, its signatures are the new ones (RFC 8332).
  'ssh-rsa': ['rsa-sha2-512', 'rsa-sha2-256'],
} as const;

type HostKeySignature = (typeof signatures)[keyof typeof signatures][number];

/**
 * The signature algorithms to offer. A server with keys of several types shows the one of the first algorithm it
 * shares with us, so only the pinned key's own are offered; for a fingerprint, whose type is unknown, all.
 */
export function signaturesFor(pinned: PinnedHostKey): HostKeySignature[] {
  const type = pinned.trim().split(/\s+/)[0] ?? '';
  if (Object.hasOwn(signatures, type)) return [...signatures[type as keyof typeof signatures]];
  return Object.values(signatures).flat();
}
