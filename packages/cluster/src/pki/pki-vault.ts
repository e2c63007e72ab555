// Where the keys of a cluster are kept: one age-encrypted file beside the lab file. Made once, never written again.
import { readFile } from 'node:fs/promises';
import { LabwrightError } from '@labwright/core/errors/error';
import type { LabId } from '@labwright/core/addresses/names';
import { decryptAge, encryptAge } from '@labwright/core/lab/age';
import {
  assertAgeIdentity,
  exists,
  readOrMakeAgeIdentity,
  type AgeIdentitySource,
} from '@labwright/core/lab/age-identity';
import { writeNewFile } from '@labwright/core/lab/new-file';
import type { Clock } from '@labwright/core/ports/clock';
import { Secret } from '@labwright/core/ports/secret';
import { formatPki, makeClusterPki, parsePki, type ClusterPki } from './pki.ts';

export interface PkiPlace {
  readonly lab: LabId;
  /** Absolute. */
  readonly file: string;
  readonly identity: AgeIdentitySource;
  /** Further files that the identity opens: while one of them is there, a missing identity is not made anew. */
  readonly alsoOpened: readonly string[];
}

/** Reads once and remembers. All throw LW1003 for an identity, LW6010 for a file that cannot be used. */
export interface PkiVault {
  readonly file: string;
  /** Undefined when there is no file: this lab never had a cluster. Asks for no identity then. */
  read(signal: AbortSignal): Promise<ClusterPki | undefined>;
  /** Whether `readOrMake` would find what it needs, without making anything. */
  assertUsable(signal: AbortSignal): Promise<void>;
  /** Made only when there is no file. */
  readOrMake(signal: AbortSignal): Promise<ClusterPki>;
}

export function openPkiVault(place: PkiPlace, clock: Clock): PkiVault {
  const { file } = place;
  let known: ClusterPki | undefined;
  const read = async (signal: AbortSignal): Promise<ClusterPki | undefined> => {
    known ??= (await exists(file)) ? await readPki(place, { clock, signal }) : undefined;
    return known;
  };
  return {
    file,
    read,
    assertUsable: async (signal) => {
      if ((await read(signal)) === undefined) await assertAgeIdentity(place.identity, [file, ...place.alsoOpened]);
    },
    readOrMake: async (signal) => {
      const there = await read(signal);
      if (there !== undefined) return there;
      await writePki(place, { clock, signal });
      // What counts is what is on disk: another Labwright may have been first.
      known = await readPki(place, { clock, signal });
      return known;
    },
  };
}

interface Access {
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

async function writePki({ lab, file, identity, alsoOpened }: PkiPlace, access: Access): Promise<void> {
  const identities = await readOrMakeAgeIdentity(identity, [file, ...alsoOpened], access);
  const pki = await makeClusterPki(lab, access.clock.now());
  await writeNewFile(file, await encryptAge(formatPki(lab, pki), identities));
}

async function readPki({ lab, file, identity, alsoOpened }: PkiPlace, access: Access): Promise<ClusterPki> {
  const identities = await readOrMakeAgeIdentity(identity, [file, ...alsoOpened], access);
  let plain: Uint8Array;
  try {
    plain = await decryptAge(await readFile(file, { signal: access.signal }), identities);
  } catch (error) {
    access.signal.throwIfAborted();
    const why = error instanceof Error ? error.message : String(error);
    throw unusable(file, why, [`check by hand: age --decrypt --identity IDENTITY ${file} > /dev/null`], error);
  }
  const parsed = parsePki(lab, new Secret(Buffer.from(plain).toString('utf8')));
  if (parsed.kind === 'pki') return parsed.pki;
  throw unusable(file, parsed.why, ['put the file of this lab back from your copy']);
}

function unusable(file: string, why: string, fix: readonly string[], cause?: unknown): LabwrightError {
  return new LabwrightError('LW6010', {
    what: 'the keys of the cluster could not be opened',
    where: { file },
    why,
    fix,
    cause,
  });
}
