// Whatever the router's configuration held before: every subtree without our mark keeps its bytes and its order, through any
// sequence of our changes, with a person's pages saved between and during them.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ipv4 } from '@labwright/core/addresses/ipv4';
import { mac } from '@labwright/core/addresses/mac';
import { hostName } from '@labwright/core/addresses/names';
import {
  type Arbitrary,
  array,
  assert,
  asyncProperty,
  boolean,
  constantFrom,
  integer,
  oneof,
  option,
  property,
  record,
} from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type HandEdit, anyConfig, anyEdit, editByHand } from './any-config.ts';
import { isMap, parseText, parseValue } from './config/config-value.ts';
import { type XmlDocument, type XmlElement, findElement, formatXml, isElement, parseXml } from './config/xml-tree.ts';
import { applyChanges } from './edits/apply.ts';
import { type Change, invertChanges, judgeEntryChange } from './edits/change.ts';
import { type OwnedEntry, entriesOf } from './edits/plan-edits.ts';
import { backEndEntry, frontEndEntry } from './entries/balancer-entry.ts';
import { type NetworkBoot, bootFields, leaseEntry, poolEntry } from './entries/lease-entry.ts';
import { domainEntry, hostEntries } from './entries/name-entry.ts';
import { virtualIpEntry } from './entries/virtual-ip-entry.ts';
import { type DesiredRouter, planRouter } from './keeper/desired.ts';
import { noRecords } from './names/name-records.ts';
import { everyPlace, markFor, owner, residueOf } from './test-config.ts';
import { findPhp, openPhpRouter } from './test-php.ts';
import { formatWriteRequest } from './write-request.ts';

const parts = ['name', 'forwarded name', 'domain', 'address', 'balancer', 'lease', 'pool'] as const;

/** An entry of each kind that Labwright has. */
function entriesFor(number: number, part: (typeof parts)[number], port: number): readonly OwnedEntry[] {
  const [mark, address, name] = [markFor(`s${number}`), `192.0.2.${200 + number}`, `lw-s${number}`];
  switch (part) {
    case 'name':
      return hostEntries(
        mark,
        { name: `s${number}.svc`, addresses: [address], aliases: [`t${number}.svc`] },
        'unbound',
      );
    case 'forwarded name':
      return hostEntries(mark, { name: `s${number}.svc`, addresses: [address, '2001:db8::1'] }, 'dnsmasq');
    case 'domain':
      return [domainEntry(mark, { domain: `d${number}`, address, port }, 'unbound')];
    case 'address':
      return [virtualIpEntry(mark, 'lan', address)];
    case 'balancer':
      return [
        backEndEntry(mark, {
          name,
          check: { kind: 'tcp', intervalMs: 1000 },
          servers: [{ name: 'node1', address: '192.0.2.21', port }],
        }),
        frontEndEntry(mark, { name, address: { kind: 'one', address }, port, routing: { kind: 'tcp', backEnd: name } }),
      ];
    case 'lease': {
      const [card, node] = [mac(`02:00:5e:00:01:0${number}`), hostName(`node${number}`)];
      return [
        leaseEntry(mark, { interface: 'lan', mac: card, address: ipv4(`192.0.2.2${number}`), name: node }, 'isc'),
      ];
    }
    case 'pool': {
      const range = { first: ipv4(`192.0.2.1${number}0`), last: ipv4(`192.0.2.1${number}9`) };
      return [poolEntry(mark, 'lan', range)];
    }
  }
}

const boots: readonly NetworkBoot[] = [
  { nextServer: ipv4('192.0.2.5'), uefi64: 'ipxe.efi' },
  { nextServer: ipv4('192.0.2.6'), bios: 'undionly.kpxe' },
];

const desired: Arbitrary<DesiredRouter> = record({
  services: array(
    record({ number: integer({ min: 1, max: 4 }), part: constantFrom(...parts), port: constantFrom(31_000, 8080) }),
    { maxLength: 6 },
  ),
  hasBoot: boolean(),
  boot: option(constantFrom(...boots), { nil: undefined }),
}).map(({ services, hasBoot, boot }) => {
  const entries = services.flatMap(({ number, part, port }) => entriesFor(number, part, port));
  // One entry a mark and place, as a desired state has them.
  const single = new Map(entries.map((entry) => [JSON.stringify([entry.place, entry.mark]), entry]));
  const base = { owner, entries: [...single.values()], managed: everyPlace };
  return hasBoot ? { ...base, boot: new Map([['lan', boot]]) } : base;
});

type Step =
  | { readonly kind: 'ours'; readonly wanted: DesiredRouter; readonly during: readonly HandEdit[] }
  | { readonly kind: 'back' }
  | { readonly kind: 'hand'; readonly edit: HandEdit }
  | { readonly kind: 'open' }
  | { readonly kind: 'save'; readonly edit: HandEdit };

const step: Arbitrary<Step> = oneof(
  {
    weight: 4,
    arbitrary: record({ kind: constantFrom('ours'), wanted: desired, during: array(anyEdit, { maxLength: 2 }) }),
  },
  { weight: 1, arbitrary: record({ kind: constantFrom('back') }) },
  { weight: 2, arbitrary: record({ kind: constantFrom('hand'), edit: anyEdit }) },
  { weight: 1, arbitrary: record({ kind: constantFrom('open') }) },
  { weight: 1, arbitrary: record({ kind: constantFrom('save'), edit: anyEdit }) },
);

const bootNames = Object.keys(
  bootFields({
    nextServer: ipv4('192.0.2.5'),
    bios: '',
    uefi32: '',
    uefi64: '',
    uefiArm32: '',
    uefiArm64: '',
    uefiHttp: '',
  }),
);

/** Fields of network boot have no room for a mark: they are told of apart (a note of ours says which we set). */
function withoutBootFields(root: XmlElement): XmlElement {
  const section = findElement(root, ['dhcpd', 'lan']);
  if (section === undefined) return root;
  const kept = section.children.filter((child) => !isElement(child) || !bootNames.includes(child.name));
  const replace = (at: XmlElement): XmlElement =>
    at === section
      ? { ...section, children: kept }
      : { ...at, children: at.children.map((child) => (isElement(child) ? replace(child) : child)) };
  return replace(root);
}

const residue = (text: string, boot: 'with boot' | 'without boot'): readonly string[] => {
  const { root } = parseXml(text);
  return residueOf(boot === 'with boot' ? root : withoutBootFields(root), owner);
};

function bootValues(text: string): Readonly<Record<string, unknown>> {
  const section = findElement(parseXml(text).root, ['dhcpd', 'lan']);
  const value = section === undefined ? undefined : parseValue(section);
  return Object.fromEntries(Object.entries(isMap(value) ? value : {}).filter(([name]) => bootNames.includes(name)));
}

/** The containers of entries that are there; none of them may go. */
const containersOf = (text: string): readonly string[] => {
  const { root } = parseXml(text);
  const paths = everyPlace.flatMap(({ path }) => path.map((_, index) => path.slice(0, index + 1)));
  return [...new Set(paths.filter((path) => findElement(root, path) !== undefined).map((path) => path.join('/')))];
};

/** As the router does it: all of the changes, or none when what was read has moved. */
function write(text: string, changes: readonly Change[]): string {
  let document: XmlDocument = parseXml(text);
  for (const change of changes) {
    if (!canBeMade(document, change)) return text;
    document = applyChanges(document, [change]);
  }
  return formatXml(document);
}

function canBeMade(document: XmlDocument, change: Change): boolean {
  if (change.kind === 'fields') {
    const section = findElement(document.root, change.path);
    const value = section === undefined ? undefined : parseValue(section);
    if (!isMap(value)) return false;
    const current = Object.entries(value);
    return Object.entries(change.after).every(([name, after]) => {
      const now = current.find(([key]) => key === name)?.[1] ?? null;
      return now === after || now === (change.before[name] ?? null);
    });
  }
  const { path, mayMake } = change.place;
  const hasRoom = findElement(document.root, path.slice(0, path.length - mayMake)) !== undefined;
  const holdsText = path.some((_, index) => {
    const at = findElement(document.root, path.slice(0, index + 1));
    return at !== undefined && !at.children.some(isElement) && parseText(at).trim() !== '';
  });
  if ((!hasRoom || holdsText) && change.after !== undefined) return false;
  return judgeEntryChange(change, entriesOf(document, change.place)).kind !== 'moved';
}

interface Standing {
  readonly text: string;
  /** The page that is open: the whole file as it was then. */
  readonly opened?: string;
  /** What we changed last. */
  readonly made: readonly Change[];
  readonly hasSetBoot?: boolean;
}

/** The configuration that a step of ours writes over: as it is by then, with what was saved while we planned. */
function textBefore({ text, opened }: Standing, one: Step): string {
  switch (one.kind) {
    case 'ours':
      return one.during.reduce(editByHand, text);
    case 'hand':
      return editByHand(text, one.edit);
    case 'save':
      return opened === undefined ? text : editByHand(opened, one.edit);
    case 'back':
    case 'open':
      return text;
  }
}

function takeStep(standing: Standing, one: Step, theirs: string): Standing {
  const { opened: _, ...rest } = standing;
  if (one.kind === 'open') return { ...standing, opened: theirs };
  if (one.kind === 'save') return { ...rest, text: theirs };
  if (one.kind === 'hand') return { ...standing, text: theirs };
  const changes =
    one.kind === 'back' ? invertChanges(standing.made) : planRouter(parseXml(standing.text), one.wanted).changes;
  const text = write(theirs, changes);
  const hasSetBoot = changes.some(({ kind }) => kind === 'fields');
  return { ...standing, text, made: text === theirs ? [] : changes, hasSetBoot };
}

describe('whatever the router held before', () => {
  test('what has not our mark keeps its bytes and its order, with pages saved between and during our changes', () => {
    assert(
      property(anyConfig, array(step, { minLength: 1, maxLength: 8 }), (config, steps) => {
        let standing: Standing = { text: config, made: [] };
        for (const one of steps) {
          const theirs = textBefore(standing, one);
          standing = takeStep(standing, one, theirs);
          const boot = standing.hasSetBoot === true ? 'without boot' : 'with boot';
          expect(containersOf(standing.text)).toEqual(expect.arrayContaining([...containersOf(theirs)]));
          expect(residue(standing.text, boot)).toEqual(residue(theirs, boot));
        }
      }),
      { numRuns: 300 },
    );
  }, 60_000);

  test('what is wanted is planned once, and taken back leaves what was there', () => {
    assert(
      property(anyConfig, desired, (config, wanted) => {
        const nothing = { ...wanted, entries: [], boot: new Map([['lan', undefined]]) };
        const clean = write(config, planRouter(parseXml(config), nothing).changes);
        const text = write(clean, planRouter(parseXml(clean), wanted).changes);
        expect(planRouter(parseXml(text), wanted).changes).toEqual([]);
        const back = write(text, planRouter(parseXml(text), nothing).changes);
        expect(residue(back, 'without boot')).toEqual(residue(clean, 'without boot'));
        // A field that we set and gave back has its value again, in pfSense's own form.
        expect(bootValues(back)).toEqual(bootValues(clean));
      }),
      { numRuns: 200 },
    );
  }, 60_000);
});

const php = await findPhp();

describe.skipIf(php === undefined)('whatever the router held before, in its own PHP', () => {
  const version = '2.7.2-RELEASE';
  const save = record({
    wanted: desired,
    when: constantFrom('before', 'at-lock', 'at-backup', 'after-write'),
    /** The page was opened before the write that went before this one, and drops what that wrote. */
    isStale: boolean(),
    edit: anyEdit,
  });
  const withoutRevision = (text: string): string => text.replace(/\t<revision>[^]*?<\/revision>\n/, '');
  const theirs = (text: string): readonly string[] => residue(withoutRevision(text), 'without boot');

  test('what has not our mark is as the last page saved it, at whatever moment of our writes', async () => {
    await assert(
      asyncProperty(anyConfig, array(save, { minLength: 1, maxLength: 3 }), async (config, saves) => {
        if (php === undefined) return;
        await using stack = new AsyncDisposableStack();
        const router = await openPhpRouter(php, config);
        stack.defer(async () => {
          await router.close();
        });
        /** A page writes the file in the form of pfSense, whatever form it had. */
        const saved = async (text: string): Promise<string> => {
          await writeFile(join(router.folder, 'conf/page.xml'), text);
          const code = `global $g; $page = parse_xml_config("{$g['conf_path']}/page.xml", 'pfsense'); $toreturn = array('r' => dump_xml_config($page, 'pfsense'));`;
          return ((await router.execPhp(code)) as { readonly r: string }).r;
        };
        await router.writeConfig(await saved(config));
        let opened = await router.readConfig();
        for (const { wanted, when, isStale, edit } of saves) {
          const read = await router.readConfig();
          const page = await saved(editByHand(isStale ? opened : read, edit));
          opened = read;
          if (when === 'before') await router.writeConfig(page);
          else await router.slip(when, page);
          const { changes } = planRouter(parseXml(read), wanted);
          const request = formatWriteRequest({ owner, version, changes, names: noRecords });
          expect(['written', 'equal', 'moved']).toContain((await router.run('write', request))['kind']);
          const didSlip = when === 'before' || !(await router.dropSlip());
          expect(theirs(await router.readConfig())).toEqual(theirs(didSlip ? page : read));
        }
      }),
      // Each run starts PHP a dozen times; what there is time for on a busy computer is enough.
      { numRuns: 25, interruptAfterTimeLimit: 12_000, endOnFailure: true },
    );
  }, 60_000);
});
