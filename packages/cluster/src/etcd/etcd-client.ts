// What Labwright asks of etcd: who is in it, how each member is, changes of membership and a snapshot.
import { createHash } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { LabwrightError } from '@labwright/core/errors/error';
import * as z from 'zod';
import { callEtcd, etcdRefused, parseJson, streamEtcd, type CallLimits, type EtcdPeer } from './etcd-call.ts';

export interface EtcdMember {
  /** Hexadecimal, as etcdctl writes it. */
  readonly id: string;
  /** Empty for one that was added and has never started. */
  readonly name: string;
  readonly peerUrls: readonly string[];
  readonly clientUrls: readonly string[];
  readonly learner: boolean;
}

export interface EtcdStatus {
  readonly member: string;
  /** Undefined while there is none. */
  readonly leader?: string;
  /** "3.4.23" */
  readonly version: string;
  readonly revision: bigint;
  readonly raftIndex: bigint;
  readonly databaseBytes: number;
  /** Alarms and the like, in etcd's words. */
  readonly problems: readonly string[];
}

const decimalId = z
  .string()
  .regex(/^\d+$/)
  .transform((text) => BigInt(text).toString(16));
const bigNumber = z.string().regex(/^\d+$/).transform(BigInt);

const memberRow = z
  .looseObject({
    ID: decimalId,
    // The gateway leaves out what is empty, zero or false.
    name: z.string().default(''),
    peerURLs: z.array(z.string()).default([]),
    clientURLs: z.array(z.string()).default([]),
    isLearner: z.boolean().default(false),
  })
  .transform((row): EtcdMember => ({
    id: row.ID,
    name: row.name,
    peerUrls: row.peerURLs,
    clientUrls: row.clientURLs,
    learner: row.isLearner,
  }));
const memberList = z.looseObject({ members: z.array(memberRow).default([]) });
const added = z.looseObject({ member: memberRow });
const nothing = z.looseObject({});
const status = z.looseObject({
  header: z.looseObject({ member_id: decimalId, revision: bigNumber.optional() }),
  version: z.string(),
  dbSize: bigNumber.optional(),
  leader: decimalId.optional(),
  raftIndex: bigNumber.optional(),
  errors: z.array(z.string()).default([]),
});

/** As the asked member knows them; ask the leader where it matters. */
export async function fetchMembers(peer: EtcdPeer, limits: CallLimits): Promise<readonly EtcdMember[]> {
  return (await callEtcd(peer, '/v3/cluster/member/list', {}, memberList, limits)).members;
}

/** Of this member alone; says nothing about whether the group decides. */
export async function fetchStatus(peer: EtcdPeer, limits: CallLimits): Promise<EtcdStatus> {
  const answer = await callEtcd(peer, '/v3/maintenance/status', {}, status, limits);
  return {
    member: answer.header.member_id,
    ...(answer.leader === undefined || answer.leader === '0' ? {} : { leader: answer.leader }),
    version: answer.version,
    revision: answer.header.revision ?? 0n,
    raftIndex: answer.raftIndex ?? 0n,
    databaseBytes: Number(answer.dbSize ?? 0n),
    problems: answer.errors,
  };
}

/** A read that a majority has to agree to, as `etcdctl endpoint health` does it. Throws when the group does not decide. */
export async function checkDecides(peer: EtcdPeer, limits: CallLimits): Promise<void> {
  await callEtcd(peer, '/v3/kv/range', { key: Buffer.from('health').toString('base64') }, nothing, limits);
}

/** A learner has no vote until it is promoted (etcd 3.4 and later). */
export async function addMember(
  peer: EtcdPeer,
  { peerUrl, as }: { readonly peerUrl: string; readonly as: 'voter' | 'learner' },
  limits: CallLimits,
): Promise<EtcdMember> {
  const body = { peerURLs: [peerUrl], isLearner: as === 'learner' };
  return (await callEtcd(peer, '/v3/cluster/member/add', body, added, limits)).member;
}

/** etcd refuses it (LW6032) until the learner has caught up. */
export async function promoteMember(peer: EtcdPeer, member: string, limits: CallLimits): Promise<void> {
  await callEtcd(peer, '/v3/cluster/member/promote', { ID: toDecimal(member) }, nothing, limits);
}

/** For good. Ask the quorum rule first, and send it to another member than the one that goes. */
export async function removeMember(peer: EtcdPeer, member: string, limits: CallLimits): Promise<void> {
  await callEtcd(peer, '/v3/cluster/member/remove', { ID: toDecimal(member) }, nothing, limits);
}

/** Only the leader itself takes this. */
export async function moveLeader(leader: EtcdPeer, to: string, limits: CallLimits): Promise<void> {
  await callEtcd(leader, '/v3/maintenance/transfer-leadership', { targetID: toDecimal(to) }, nothing, limits);
}

export interface WrittenSnapshot {
  /** Of the file with the trailing hash, as it lies on disk; hexadecimal. */
  readonly sha256: string;
  readonly bytes: number;
}

const streamPart = z.looseObject({
  result: z.looseObject({ blob: z.string().default(''), remaining_bytes: z.string().optional() }).optional(),
  error: z.looseObject({ message: z.string().optional() }).optional(),
});
const hashBytes = 32;
/** Parts are some 44 KiB of JSON each; a line longer than this is no part. */
const mostLineBytes = 16 * 1024 * 1024;

/**
 * The database as it is at one revision, with the SHA-256 that etcd puts behind it, checked here. The file appears whole
 * or not at all, readable by its owner only. Throws LW6034 when the stream ends early or the hash is another.
 */
export async function writeSnapshot(peer: EtcdPeer, file: string, limits: CallLimits): Promise<WrittenSnapshot> {
  const partial = `${file}.partial`;
  await rm(partial, { force: true });
  const handle = await open(partial, 'wx', 0o600);
  try {
    const written = await receiveSnapshot(peer, handle, limits);
    await handle.sync();
    await handle.close();
    await rename(partial, file);
    return written;
  } catch (error) {
    await handle.close().catch(() => undefined); // Closed already; the first error is the one to tell.
    await rm(partial, { force: true });
    throw error;
  }
}

async function receiveSnapshot(peer: EtcdPeer, handle: FileHandle, limits: CallLimits): Promise<WrittenSnapshot> {
  const ofDatabase = createHash('sha256');
  const ofFile = createHash('sha256');
  // The last 32 bytes of all are the hash; whatever may be among them is held back from hashing.
  let held: Buffer = Buffer.alloc(0);
  let bytes = 0;
  for await (const blob of readBlobs(peer, limits)) {
    bytes += blob.length;
    ofFile.update(blob);
    await handle.writeFile(blob);
    const seen = Buffer.concat([held, blob]);
    const cut = Math.max(0, seen.length - hashBytes);
    ofDatabase.update(seen.subarray(0, cut));
    held = seen.subarray(cut);
  }
  // A database is a whole number of pages, each a multiple of 512 bytes.
  if (bytes % 512 !== hashBytes || !ofDatabase.digest().equals(held)) {
    throw new LabwrightError('LW6034', {
      what: `the snapshot that etcd on ${peer.address.name} sent is not whole`,
      where: { member: `${peer.address.host}:${peer.address.port}` },
      why: `after ${bytes} bytes the hash behind it is not that of what came`,
      fix: [
        'run the command again',
        `look at the disk of ${peer.address.name}: a damaged database sends damaged snapshots`,
      ],
    });
  }
  return { sha256: ofFile.digest('hex'), bytes };
}

async function* readBlobs(peer: EtcdPeer, limits: CallLimits): AsyncGenerator<Buffer> {
  const path = '/v3/maintenance/snapshot';
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of streamEtcd(peer, path, {}, limits)) {
    let text = Buffer.concat([rest, chunk]);
    for (let end = text.indexOf(0x0a); end >= 0; end = text.indexOf(0x0a)) {
      yield parsePart(peer, path, text.subarray(0, end));
      text = text.subarray(end + 1);
    }
    if (text.length > mostLineBytes) throw etcdRefused(peer, path, 'what it sends is not a snapshot');
    rest = text;
  }
  if (rest.length > 0) yield parsePart(peer, path, rest);
}

function parsePart(peer: EtcdPeer, path: string, line: Buffer): Buffer {
  const part = streamPart.safeParse(parseJson(line.toString('utf8')));
  if (!part.success) throw etcdRefused(peer, path, 'what it sends is not a snapshot');
  if (part.data.error !== undefined) throw etcdRefused(peer, path, part.data.error.message ?? 'no reason was given');
  return Buffer.from(part.data.result?.blob ?? '', 'base64');
}

const toDecimal = (id: string): string => BigInt(`0x${id}`).toString(10);
