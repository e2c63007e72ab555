// Verifies a snapshot of etcd without etcd: the hash behind it, the database's structure, and what is in it.
import { createHash } from 'node:crypto';
import { LabwrightError } from '@labwright/core/errors/error';
import { openBolt } from './bolt-file.ts';

export interface SnapshotSummary {
  /** Of the whole file, hexadecimal. */
  readonly sha256: string;
  readonly bytes: number;
  /** The newest change in it. */
  readonly revision: bigint;
  /** Entries of the database in all, old revisions included: what `etcdctl snapshot status` calls keys. */
  readonly entries: number;
  /** Objects that are there at that revision. */
  readonly objects: number;
  /** Objects of Kubernetes by kind, as their keys in etcd begin: { pods: 12, deployments: 3 }. */
  readonly kinds: ReadonlyMap<string, number>;
}

const hashBytes = 32;
const registry = '/registry/';

/** Throws LW6034 with the reason. */
export function verifySnapshot(file: Uint8Array): SnapshotSummary {
  // A database is a whole number of pages, each a multiple of 512 bytes; what is more is the hash.
  if (file.length % 512 !== hashBytes) {
    throw unverified(
      'its length is not that of a database with a hash behind it: it is cut off, or it is a plain copy of a file',
    );
  }
  const database = file.subarray(0, file.length - hashBytes);
  const hash = createHash('sha256').update(database).digest();
  if (!hash.equals(file.subarray(file.length - hashBytes)))
    throw unverified('the hash behind it is not that of its content');
  const counted = countEntries(database);
  if (counted.objects === 0) throw unverified('there is not one object in it');
  return { sha256: createHash('sha256').update(file).digest('hex'), bytes: file.length, ...counted };
}

function countEntries(database: Uint8Array): Pick<SnapshotSummary, 'revision' | 'entries' | 'objects' | 'kinds'> {
  let entries = 0;
  let revision = 0n;
  const live = new Set<string>();
  for (const bucket of openBolt(database)) {
    const isKeys = text(bucket.name) === 'key';
    for (const { key, value } of bucket.entries()) {
      entries += 1;
      if (!isKeys) continue;
      const { main, isTombstone } = parseRevision(key);
      revision = main > revision ? main : revision;
      const name = parseKeyName(value);
      if (isTombstone) live.delete(name);
      else live.add(name);
    }
  }
  return { revision, entries, objects: live.size, kinds: countKinds(live) };
}

/** "/registry/pods/NAMESPACE/NAME"; of groups that etcd keeps apart, "/registry/apps.example/things/…", the group stands for the kind. */
function countKinds(names: Iterable<string>): ReadonlyMap<string, number> {
  const kinds = new Map<string, number>();
  for (const name of names) {
    if (!name.startsWith(registry)) continue;
    const kind = name.slice(registry.length).split('/')[0] ?? '';
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  return kinds;
}

/** etcd's key of a revision (server/mvcc/revision.go): main u64 | '_' | sub u64, and a 't' behind a deletion; big-endian. */
function parseRevision(key: Uint8Array): { readonly main: bigint; readonly isTombstone: boolean } {
  if (key.length < 17) throw unverified('an entry is not of a revision');
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  return { main: view.getBigUint64(0, false), isTombstone: key[17] === 0x74 };
}

/** Field 1 of the protobuf message KeyValue: tag 0x0a, a length, the key. It is always first. */
function parseKeyName(value: Uint8Array): string {
  if (value[0] !== 0x0a) throw unverified('an entry has no key');
  let length = 0;
  let at = 1;
  for (let shift = 0; ; shift += 7) {
    const byte = value[at];
    if (byte === undefined || shift > 28) throw unverified('an entry is cut off');
    length += (byte & 0x7f) * 2 ** shift;
    at += 1;
    if (byte < 0x80) break;
  }
  if (at + length > value.length) throw unverified('an entry is cut off');
  return text(value.subarray(at, at + length));
}

const text = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');

const unverified = (why: string): LabwrightError =>
  new LabwrightError('LW6034', {
    what: 'the snapshot does not verify, so it is not used',
    why,
    fix: ['use an older one', 'take a new one: labwright cluster snapshot'],
  });
