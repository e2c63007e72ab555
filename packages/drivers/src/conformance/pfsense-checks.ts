// What the product does to a pfSense, as checks: it looks at what the snippets use, and puts one entry of its own there and takes it away.
import { hostName, type LabId } from '@labwright/core/addresses/names';
import { LabwrightError } from '@labwright/core/errors/error';
import { z } from 'zod';
import { parseXml } from '../pfsense/config/xml-tree.ts';
import { isOwnedBy, type Owner } from '../pfsense/config/mark.ts';
import { markOf, places } from '../pfsense/config/place.ts';
import type { PfsenseConnection } from '../pfsense/connection.ts';
import { entriesOf, planEdits } from '../pfsense/edits/plan-edits.ts';
import { hostEntries } from '../pfsense/entries/name-entry.ts';
import { formatRestoreLook } from '../pfsense/restore/restore-request.ts';
import { fetchRouterState } from '../pfsense/router-state.ts';
import {
  balancerAnswer,
  namesAnswer,
  restoreAnswer,
  stateAnswer,
  writeAnswer,
  writerAnswer,
  probeAnswer,
} from '../pfsense/snippet.ts';
import { formatOwner, formatWriteRequest } from '../pfsense/write-request.ts';
import type { Check } from './check.ts';
import { type Observation, observeAnswer } from './observation.ts';
import { configReaders, pfsenseFunctions, pfsensePrograms } from './pfsense-uses.ts';

export interface PfsenseSubject {
  readonly connection: PfsenseConnection;
  readonly lab: LabId;
}

type PfsenseCheck = Check<PfsenseSubject>;

/** Entries of these checks have an owner of their own, which no cluster has. */
const ownerOf = ({ lab }: PfsenseSubject): Owner => ({ lab, cluster: hostName('labwright-conformance') });

/** A name and an address that nobody has (RFC 2606, RFC 5737). */
const testName = { name: 'conformance.labwright.invalid', addresses: ['192.0.2.1'] };

async function observe(
  run: () => Promise<unknown>,
  schema: z.ZodType,
  tell: (value: unknown) => unknown = (value) => value,
): Promise<Observation> {
  try {
    const value = await run();
    return observeAnswer(tell(value), schema.safeParse(value).success);
  } catch (error) {
    if (!(error instanceof LabwrightError) || error.code !== 'LW8004') throw error;
    return { kind: 'refusal', status: error.where['fault'] ?? '', message: error.why ?? error.message };
  }
}

/** Words that stand for themselves: they are compared, and not only their type. */
function tellWords(value: unknown): Observation {
  const flat = (at: unknown, path: string): readonly (readonly [string, string])[] =>
    typeof at === 'object' && at !== null
      ? Object.entries(at).flatMap(([name, inner]) => flat(inner, path === '' ? name : `${path}.${name}`))
      : [[path, String(at)]];
  return { kind: 'answer', fields: Object.fromEntries(flat(value, '')), isRead: true };
}

const reads: readonly PfsenseCheck[] = [
  {
    appliance: 'pfsense',
    name: 'firmware',
    call: 'host_firmware_version',
    kind: 'read',
    run: async ({ connection }, signal) => await observe(() => connection.fetchFirmware(signal), z.unknown()),
  },
  {
    appliance: 'pfsense',
    name: 'state',
    call: 'exec_php state',
    kind: 'read',
    run: async ({ connection }, signal) =>
      await observe(() => connection.execute('state', { known: '' }, z.unknown(), signal), stateAnswer),
  },
  {
    appliance: 'pfsense',
    name: 'what is used',
    call: 'exec_php probe',
    kind: 'read',
    run: async ({ connection }, signal) => {
      const values = { functions: [...pfsenseFunctions, ...configReaders], programs: pfsensePrograms };
      const answer = await connection.execute('probe', values, probeAnswer, signal);
      if (answer.kind === 'failed') return { kind: 'refusal', status: 'failed', message: answer.message };
      const { functions, backups, balancer, ...rest } = answer;
      const readers = configReaders.map(({ name }) => functions[name]);
      const others = Object.entries(functions).filter(([name]) =>
        configReaders.every((reader) => reader.name !== name),
      );
      return tellWords({
        ...rest,
        functions: Object.fromEntries(others),
        'reading anew': readers.includes('as used') ? 'as used' : readers.join(', '),
        // A router that was never changed has none.
        ...(backups === 'none' ? {} : { backups: `${backups}?` }),
        ...(balancer === 'none' ? {} : { balancer: `${balancer}?` }),
      });
    },
  },
];

const writer = (seconds: number): object => ({ holder: 'labwright-conformance', seconds });

function write(
  name: string,
  call: string,
  does: string,
  run: (subject: PfsenseSubject, signal: AbortSignal) => Promise<Observation>,
): PfsenseCheck {
  return { appliance: 'pfsense', name, call, kind: 'write', does, run };
}

const writes: readonly PfsenseCheck[] = [
  write(
    'right to write',
    'exec_php writer',
    'makes a file of ours in /var/run for a moment, and removes it',
    async (subject, signal) => {
      const ask = async (seconds: number): Promise<unknown> => {
        const values = { owner: formatOwner(ownerOf(subject)), writer: writer(seconds) };
        return await subject.connection.execute('writer', values, z.unknown(), signal);
      };
      try {
        return await observe(() => ask(10), writerAnswer);
      } finally {
        await ask(0);
      }
    },
  ),
  write(
    'live name',
    'exec_php names',
    `has the running resolver answer ${testName.name} for a moment; nothing is written`,
    async (subject, signal) => {
      const tell = async (remove: readonly string[], add: readonly string[]): Promise<unknown> => {
        const values = { owner: formatOwner(ownerOf(subject)), remove, add };
        return await subject.connection.execute('names', values, z.unknown(), signal);
      };
      try {
        return await observe(() => tell([], [`${testName.name}. 60 IN A 192.0.2.1`]), namesAnswer);
      } finally {
        await tell([`${testName.name}.`], []);
      }
    },
  ),
  write(
    'entry',
    'exec_php write',
    `writes a host override ${testName.name} and removes it again: two of the router's backups are used up`,
    async (subject, signal) => {
      try {
        return await writeEntry(subject, 'there', signal);
      } finally {
        await writeEntry(subject, 'gone', signal);
      }
    },
  ),
  write(
    'reading of a backup',
    'exec_php restore',
    'puts its own configuration into a file in /tmp that only root can read, reads that, and removes it; nothing is written',
    async ({ connection }, signal) => {
      const { text } = await fetchRouterState(connection, undefined, signal);
      const values = formatRestoreLook({ text, leftOut: [] });
      return await observe(() => connection.execute('restore', values, z.unknown(), signal), restoreAnswer);
    },
  ),
  write(
    'balancer test',
    'exec_php balancer',
    'has HAProxy test its configuration as it is, in a file of its own; nothing is reloaded',
    async (subject, signal) => {
      const values = { owner: formatOwner(ownerOf(subject)), action: 'check' };
      return await observe(() => subject.connection.execute('balancer', values, z.unknown(), signal), balancerAnswer);
    },
  ),
];

/** Told by its kind, how often it was written, and whether anything else became another. */
async function writeEntry(
  subject: PfsenseSubject,
  wanted: 'there' | 'gone',
  signal: AbortSignal,
): Promise<Observation> {
  const { connection } = subject;
  const owner = ownerOf(subject);
  const before = await fetchRouterState(connection, undefined, signal);
  if (before.profile.readOnly !== undefined) throw new Error(before.profile.readOnly);
  const entries = wanted === 'gone' ? [] : hostEntries({ ...owner, key: 'entry' }, testName, 'unbound');
  const { changes, conflicts } = planEdits(before.document, owner, entries, [places.resolverHosts]);
  const [conflict] = conflicts;
  if (conflict !== undefined) throw new Error(conflict.reason);
  const names = { remove: [`${testName.name}.`], add: [] };
  const request = formatWriteRequest({ owner, version: before.profile.version, changes, names });
  const answer = await connection.execute('write', request, writeAnswer, signal);
  const after = await fetchRouterState(connection, undefined, signal);
  const others = (text: string): string =>
    JSON.stringify(
      entriesOf(parseXml(text), places.resolverHosts).filter((entry) => {
        const mark = markOf(places.resolverHosts, entry);
        return mark === undefined || !isOwnedBy(mark, owner);
      }),
    );
  const isKept = others(before.text) === others(after.text);
  return tellWords({
    ...('hash' in answer ? { ...answer, hash: 'a hash' } : answer),
    others: isKept ? 'as they were' : 'changed',
  });
}

export const pfsenseChecks: readonly PfsenseCheck[] = [...reads, ...writes];
