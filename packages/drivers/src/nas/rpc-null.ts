// The NULL procedure of NFS version 4 over ONC RPC: the smallest question an NFS server answers (RFC 5531, RFC 7530 §16.1).
//
//   call    mark  xid  0=call  2=RPC  program  version  0=NULL  credentials 0,0  verifier 0,0
//   reply   mark  xid  1=reply  0=accepted  verifier flavour,length,…  0=success
//                                                                     2=mismatch  lowest  highest
//                              1=denied
//   Every word is 32 bits, most significant byte first; the mark has the top bit set and the length of what follows.

const nfsProgram = 100_003;
const nfsVersion = 4;
const lastFragment = 0x8000_0000;
/** Longer ones are not answers to this question. */
const mostReplyBytes = 1024;

export function encodeNullCall(xid: number): Uint8Array {
  const words = [xid, 0, 2, nfsProgram, nfsVersion, 0, 0, 0, 0, 0];
  const bytes = new Uint8Array(4 + words.length * 4);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, lastFragment + words.length * 4);
  for (const [index, word] of words.entries()) view.setUint32(4 + index * 4, word);
  return bytes;
}

export type NullReply =
  /** More bytes are needed to tell. */
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'success' }
  /** An NFS server without version 4. */
  | { readonly kind: 'mismatch'; readonly lowest: number; readonly highest: number }
  /** An RPC server that refuses, or serves no NFS. */
  | { readonly kind: 'refused' }
  /** Something else answers on this port. */
  | { readonly kind: 'not-rpc' };

/** Total: any bytes give an answer. */
export function decodeNullReply(bytes: Uint8Array, xid: number): NullReply {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 4) return { kind: 'incomplete' };
  const mark = view.getUint32(0);
  const length = mark % lastFragment;
  if (mark < lastFragment || length > mostReplyBytes || length < 12 || length % 4 !== 0) return { kind: 'not-rpc' };
  if (bytes.length < 4 + length) return { kind: 'incomplete' };
  const word = (index: number): number | undefined =>
    index * 4 + 4 <= length ? view.getUint32(4 + index * 4) : undefined;
  if (word(0) !== xid || word(1) !== 1) return { kind: 'not-rpc' };
  if (word(2) !== 0) return { kind: 'refused' };
  const verifierWords = Math.ceil((word(4) ?? 0) / 4);
  const at = 5 + verifierWords;
  switch (word(at)) {
    case 0:
      return { kind: 'success' };
    case 2:
      return { kind: 'mismatch', lowest: word(at + 1) ?? 0, highest: word(at + 2) ?? 0 };
    case undefined:
      return { kind: 'not-rpc' };
    default:
      return { kind: 'refused' };
  }
}
