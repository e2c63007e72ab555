// Whether an NFS server of version 4 answers on a NAS: told from here, without mounting anything.
import type { Random } from '@labwright/core/ports/random';
import { converse } from './conversation.ts';
import { decodeNullReply, encodeNullCall } from './rpc-null.ts';

const nfsPort = 2049;
const probeTimeoutMs = 5_000;

export type NfsAnswer =
  | { readonly kind: 'serves' }
  /** NFS, and no version 4: `highest` is what it has. */
  | { readonly kind: 'old'; readonly highest: number }
  | { readonly kind: 'unreachable'; readonly why: string }
  | { readonly kind: 'not-nfs'; readonly why: string };

/** Throws only the signal's reason. */
export async function probeNfs(
  address: string,
  {
    random,
    signal,
    port = nfsPort,
    timeoutMs = probeTimeoutMs,
  }: { random: Random; signal: AbortSignal; port?: number; timeoutMs?: number },
): Promise<NfsAnswer> {
  const xid = new DataView(Uint8Array.from(random.bytes(4)).buffer).getUint32(0);
  const result = await converse({
    ...{ address, port, timeoutMs, signal },
    say: encodeNullCall(xid),
    hear: (bytes) => {
      const reply = decodeNullReply(bytes, xid);
      return reply.kind === 'incomplete' ? undefined : reply;
    },
  });
  if (result.kind === 'unreachable') return result;
  if (result.kind === 'speechless') return { kind: 'not-nfs', why: result.why };
  const { answer } = result;
  switch (answer.kind) {
    case 'success':
      return { kind: 'serves' };
    case 'mismatch':
      return { kind: 'old', highest: answer.highest };
    case 'refused':
      return { kind: 'not-nfs', why: 'the server there refuses NFS' };
    default:
      return { kind: 'not-nfs', why: 'something else than NFS answers there' };
  }
}
