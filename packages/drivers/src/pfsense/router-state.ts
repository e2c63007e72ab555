// The router as it is now: its version and its configuration as a tree, read again only when it has changed.
import { gunzipSync } from 'node:zlib';
import { LabwrightError } from '@labwright/core/errors/error';
import { XmlProblem, type XmlDocument, configBounds, parseXml } from './config/xml-tree.ts';
import type { Owner } from './config/mark.ts';
import type { PfsenseConnection } from './connection.ts';
import { stateAnswer } from './snippet.ts';
import { type VersionProfile, profileOf } from './version-profile.ts';
import { type Writer, formatOwner } from './write-request.ts';

export interface RouterState {
  readonly profile: VersionProfile;
  /** SHA-256 of the text, as the router told it. */
  readonly hash: string;
  /** Holds the router's keys and password hashes: for memory, and for a backup that its owner asked for; never for a log. */
  readonly text: string;
  readonly document: XmlDocument;
  /** Something was written and its reload never finished. */
  readonly isPending: boolean;
  readonly hasBalancer: boolean;
  /** Another text after the resolver was started anew, by whomever; empty while it does not run. */
  readonly resolver: string;
  /** Another process has the right to write for the owner that was asked for. */
  readonly heldBy?: string;
}

/** Who asks for the right to write, and for whom. */
export interface WriterClaim {
  readonly owner: Owner;
  readonly writer: Writer;
}

/** One call; short when the configuration is still the known one. Throws as PfsenseConnection.execute does. */
export async function fetchRouterState(
  connection: PfsenseConnection,
  known: RouterState | undefined,
  signal: AbortSignal,
  claim?: WriterClaim,
): Promise<RouterState> {
  const asked = claim === undefined ? {} : { owner: formatOwner(claim.owner), writer: claim.writer };
  const answer = await connection.execute('state', { known: known?.hash ?? '', ...asked }, stateAnswer, signal);
  if (answer.kind === 'failed') {
    throw new LabwrightError('LW8004', {
      what: `the router ${connection.router.name} could not tell its state`,
      where: { router: connection.router.name },
      why: answer.message,
      fix: ['see Status > System Logs on the router'],
    });
  }
  const { hash, isPending, hasBalancer, heldBy, resolver } = answer;
  const profile = profileOf(answer.version, answer.platform);
  const passing = { profile, hash, isPending, hasBalancer, resolver, ...(heldBy === '' ? {} : { heldBy }) };
  if (known !== undefined && known.hash === hash) return { ...passing, text: known.text, document: known.document };
  const text = decodeConfig(connection, answer.config);
  return { ...passing, text, document: parseConfig(connection, text) };
}

function decodeConfig(connection: PfsenseConnection, packed: string): string {
  try {
    return gunzipSync(Buffer.from(packed, 'base64'), { maxOutputLength: configBounds.characters }).toString('utf8');
  } catch (error) {
    throw unreadable(connection, error);
  }
}

function parseConfig(connection: PfsenseConnection, text: string): XmlDocument {
  try {
    return parseXml(text);
  } catch (error) {
    if (error instanceof XmlProblem) throw unreadable(connection, error);
    throw error;
  }
}

function unreadable(connection: PfsenseConnection, cause: unknown): LabwrightError {
  const offset = cause instanceof XmlProblem ? ` (at character ${cause.offset})` : '';
  return new LabwrightError('LW8005', {
    what: `the configuration of the router ${connection.router.name} cannot be read`,
    where: { router: connection.router.name, file: '/conf/config.xml' },
    why: `${cause instanceof Error ? cause.message : String(cause)}${offset}`,
    fix: ['on the router: Diagnostics > Backup & Restore > Config History'],
    cause,
  });
}
