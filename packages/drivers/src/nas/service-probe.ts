// Whether a service outside the cluster answers: on its port, and in its own protocol where that is known.
import type { ServiceKind } from '@labwright/core/lab/service-schema';
import { converse } from './conversation.ts';

export type ServiceAnswer =
  /** `what` in its own words where it gave some: "11.8.3-MariaDB". */
  | { readonly kind: 'well'; readonly what?: string }
  /** It answers, and says that it does not serve us: "Host '10.1.1.1' is not allowed to connect". */
  | { readonly kind: 'refuses'; readonly why: string }
  | { readonly kind: 'unreachable'; readonly why: string }
  /** Something else has its port. */
  | { readonly kind: 'stranger'; readonly why: string };

const probeTimeoutMs = 5_000;

interface Protocol {
  readonly say?: Uint8Array;
  /** Undefined asks for more bytes. */
  readonly hear: (bytes: Uint8Array, reply: (bytes: Uint8Array) => void) => ServiceAnswer | undefined;
}

const protocols: Readonly<Record<ServiceKind, () => Protocol>> = {
  mariadb: () => ({ hear: mariadbListener() }),
  // SSLRequest (PostgreSQL "Message Formats"): answered by one byte, before any login.
  postgres: () => ({ say: Uint8Array.of(0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f), hear: decodePostgresAnswer }),
  redis: () => ({ say: Buffer.from('PING\r\n'), hear: decodeRedisAnswer }),
  // A connection is all that can be asked for.
  other: () => ({ hear: () => ({ kind: 'well' }) }),
};

/** Throws only the signal's reason. Nothing is logged in to, and nothing counts as an attack by the service's own rules. */
export async function probeService(
  service: { readonly kind: ServiceKind; readonly address: string; readonly port: number },
  { signal, timeoutMs = probeTimeoutMs }: { readonly signal: AbortSignal; readonly timeoutMs?: number },
): Promise<ServiceAnswer> {
  const { kind, address, port } = service;
  const { say, hear } = protocols[kind]();
  const result = await converse({ address, port, timeoutMs, signal, hear, ...(say === undefined ? {} : { say }) });
  if (result.kind === 'answered') return result.answer;
  return result.kind === 'unreachable' ? result : { kind: 'stranger', why: `no ${kind} speaks there: ${result.why}` };
}

/** What is known of MariaDB's packets (https://mariadb.com/kb/en/clientserver-protocol/); the others are not asked for. */
export type MariadbPacket =
  | { readonly kind: 'greeting'; readonly version: string }
  | { readonly kind: 'error'; readonly words: string }
  | { readonly kind: 'other'; readonly number: number };

//  length (3 bytes, low first)  number (1)  10  version, NUL …                    Protocol::HandshakeV10
//  length (3)                   number (1)  255  code (2)  words …                ERR_Packet
//  length (3)                   number (1)  254  name of another way to log in …  AuthSwitchRequest
/** The packets that are whole; undefined for what cannot be MariaDB's. */
export function decodeMariadbPackets(bytes: Uint8Array): readonly MariadbPacket[] | undefined {
  const packets: MariadbPacket[] = [];
  for (let at = 0; at + 5 <= bytes.length;) {
    const byte = (offset: number): number => bytes[at + offset] ?? 0;
    const length = byte(0) + byte(1) * 256 + byte(2) * 65_536;
    if (length === 0 || length > 4096 || (at === 0 && (byte(3) !== 0 || ![10, 255].includes(byte(4)))))
      return undefined;
    if (at + 4 + length > bytes.length) break;
    const body = Buffer.from(bytes.subarray(at + 4, at + 4 + length));
    const end = body.indexOf(0, 1);
    if (body[0] === 255) packets.push({ kind: 'error', words: readable(body.subarray(3)) });
    else if (at > 0) packets.push({ kind: 'other', number: byte(3) });
    else if (end === -1) return undefined;
    // For clients of MySQL, MariaDB writes "5.5.5-" before its own version.
    else packets.push({ kind: 'greeting', version: readable(body.subarray(1, end)).replace(/^5\.5\.5-/, '') });
    at += 4 + length;
  }
  return packets;
}

/**
 * A client that hangs up after the greeting counts as an attack: after a hundred (max_connect_errors) the server shuts its host out. So
 * the conversation goes on to a login that is refused, which does not count: of a user that nobody has, without a password.
 */
function mariadbListener(): Protocol['hear'] {
  let answered = 0;
  return (bytes, reply) => {
    const packets = decodeMariadbPackets(bytes);
    if (packets === undefined) return { kind: 'stranger', why: 'what answers there does not greet like MariaDB' };
    const [first, last] = [packets[0], packets.at(-1)];
    if (first === undefined || last === undefined) return undefined;
    if (first.kind !== 'greeting')
      return { kind: 'refuses', why: first.kind === 'error' ? first.words : 'without a word' };
    if (last.kind === 'error') return { kind: 'well', what: first.version };
    if (packets.length > answered) {
      answered = packets.length;
      // Whatever other way to log in it wants next gets nothing at all.
      reply(last.kind === 'other' ? Uint8Array.of(0, 0, 0, last.number + 1) : loginOfNobody());
    }
    return undefined;
  };
}

//  flags (4)  largest packet (4)  character set (1)  zeros (23)  user, NUL  0=no password (1)  plugin, NUL    HandshakeResponse41
function loginOfNobody(): Uint8Array {
  // PROTOCOL_41, SECURE_CONNECTION, PLUGIN_AUTH.
  const flags = 0x0000_0200 | 0x0000_8000 | 0x0008_0000;
  const head = Buffer.alloc(32);
  head.writeUInt32LE(flags, 0);
  head.writeUInt32LE(1 << 24, 4);
  head[8] = 33;
  const body = Buffer.concat([head, Buffer.from('labwright-probe\0\0mysql_native_password\0')]);
  return Buffer.concat([Uint8Array.of(body.length, 0, 0, 1), body]);
}

export function decodePostgresAnswer(bytes: Uint8Array): ServiceAnswer | undefined {
  if (bytes.length === 0) return undefined;
  // Exactly one byte: "SSH-2.0-…" begins alike.
  const words = Buffer.from(bytes).toString('latin1');
  if (words === 'S' || words === 'N') return { kind: 'well' };
  return { kind: 'stranger', why: 'what answers there does not speak PostgreSQL' };
}

export function decodeRedisAnswer(bytes: Uint8Array): ServiceAnswer | undefined {
  const text = Buffer.from(bytes.subarray(0, 512)).toString('latin1');
  if (!text.includes('\r\n') && bytes.length < 512) return undefined;
  // One that wants a password first is well all the same.
  if (/^(\+PONG|-NOAUTH|-NOPERM)/.test(text)) return { kind: 'well' };
  if (text.startsWith('-')) return { kind: 'refuses', why: readable(bytes.subarray(1)) };
  return { kind: 'stranger', why: 'what answers there does not speak Redis' };
}

/** A peer's words on one line, without anything a terminal would act on. */
function readable(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString('utf8')
    .replaceAll(/[^\u0020-\u007E\u00A0-\uFFFC]+/g, ' ')
    .trim()
    .slice(0, 200);
}
