// A lab file edited under a Labwright that serves, with labs that only say what is done to them.
import { LabwrightError } from '@labwright/core/errors/error';
import { silentLog } from '@labwright/core/ports/log';
import { Secret } from '@labwright/core/ports/secret';
import { systemClock, systemRandom } from '@labwright/core/ports/system';
import { makeBlueprint, makeMachine } from '@labwright/machines/sample-lab.test-data';
import { beforeEach, describe, expect, test } from 'vitest';
import type { OpenLab } from './open-lab.ts';
import { openServedLab, type ServedLab } from './served-lab.ts';
import type { ServeOptions } from './serve-options.ts';

/** The digest in the lab file as it is now. */
let file: string;
let told: string[];
let run: string | undefined;
/** Digests by which the lab cannot be opened. */
let bad: Set<string>;
let unreachable: boolean;

const optionsOf = (labDigest: string): ServeOptions => ({
  blueprint: makeBlueprint([makeMachine(101)]),
  labDigest,
  reread: async () => {
    told.push('reread');
    if (file === 'nonsense') throw new LabwrightError('LW1002', { what: 'it has problems' });
    return optionsOf(file);
  },
  credentials: { kind: 'token', id: 'labwright@pve!test', secret: new Secret('secret') },
  expect: 'hardware',
  stateDirectory: '/nowhere',
  cacheDirectory: '/nowhere',
  socket: '/nowhere',
  boot: true,
  waitsForHosts: true,
  clock: systemClock,
  random: systemRandom,
  log: silentLog,
});

type PlayedLab = OpenLab & { readonly digest: string };

/** Of a service only whether a run is under way is asked. */
function play(digest: string): PlayedLab {
  const service = { runUnderWay: () => run } as OpenLab['service'];
  return {
    digest,
    service,
    probe: async () => {
      if (unreachable) throw new LabwrightError('LW2001', { what: 'no Proxmox host answers' });
    },
    close: async () => void told.push(`close ${digest}`),
  };
}

async function openLab({ labDigest = '' }: ServeOptions): Promise<OpenLab> {
  told.push(`open ${labDigest}`);
  if (bad.has(labDigest)) throw new LabwrightError('LW0005', { what: `${labDigest} cannot be opened` });
  return play(labDigest);
}

const askFor = async (lab: ServedLab, digest: string | undefined, purpose: 'look' | 'act' = 'act'): Promise<string> =>
  await lab.use({ digest, purpose }, async (open) => (open as PlayedLab).digest);

let lab: ServedLab;
beforeEach(async () => {
  [file, told, run, bad, unreachable] = ['one', [], undefined, new Set(), false];
  lab = await openServedLab(optionsOf('one'), openLab);
  told = [];
});

describe('a lab file that was edited', () => {
  test('is not read again for who has read the same, or none', async () => {
    expect([await askFor(lab, 'one'), await askFor(lab, undefined)]).toEqual(['one', 'one']);
    expect(told).toEqual([]);
  });

  test('is what a command is answered by, and everybody after it', async () => {
    file = 'two';
    expect(await askFor(lab, 'two')).toBe('two');
    expect(await askFor(lab, undefined)).toBe('two');
    expect(told).toEqual(['reread', 'close one', 'open two']);
    file = 'three';
    expect(await askFor(lab, 'three', 'look')).toBe('three');
  });

  test('is read once for many that ask at once', async () => {
    file = 'two';
    expect(await Promise.all(Array.from({ length: 5 }, () => askFor(lab, 'two')))).toEqual(Array(5).fill('two'));
    expect(told).toEqual(['reread', 'close one', 'open two']);
  });

  test('waits for those who are at the lab', async () => {
    const work = Promise.withResolvers<undefined>();
    const first = lab.use({ digest: 'one', purpose: 'act' }, () => work.promise);
    file = 'two';
    const second = askFor(lab, 'two');
    await expect.poll(() => told).toEqual(['reread']);
    work.resolve(undefined);
    await first;
    expect(await second).toBe('two');
  });
});

describe('the lab stays as it was', () => {
  test('while a run goes by it; a look is answered all the same', async () => {
    file = 'two';
    run = 'ab12';
    await expect(askFor(lab, 'two')).rejects.toMatchObject({
      code: 'LW5003',
      message: expect.stringContaining('ab12'),
    });
    expect(await askFor(lab, 'two', 'look')).toBe('one');
    expect(told).toEqual([]);
    run = undefined;
    expect(await askFor(lab, 'two')).toBe('two');
  });

  test('when the file is another one than the command has read', async () => {
    file = 'three';
    await expect(askFor(lab, 'two')).rejects.toMatchObject({ code: 'LW5004' });
    expect(await askFor(lab, 'one')).toBe('one');
    expect(told).toEqual(['reread']);
  });

  test('when the file is not sound, and when its hosts do not answer', async () => {
    file = 'nonsense';
    await expect(askFor(lab, 'two')).rejects.toMatchObject({ code: 'LW1002' });
    file = 'two';
    unreachable = true;
    await expect(askFor(lab, 'two')).rejects.toMatchObject({ code: 'LW2001' });
    expect(await askFor(lab, 'one')).toBe('one');
    expect(told).not.toContain('close one');
  });

  test('when it cannot be opened by the new file: then it is opened again by the former', async () => {
    file = 'two';
    bad.add('two');
    await expect(askFor(lab, 'two')).rejects.toMatchObject({ code: 'LW0005' });
    expect(await askFor(lab, 'one')).toBe('one');
    expect(told).toEqual(['reread', 'close one', 'open two', 'open one']);
  });

  test('of a command that does not outlast its file', async () => {
    const { reread: _none, ...options } = optionsOf('one');
    const short = await openServedLab(options, openLab);
    await expect(askFor(short, 'two')).rejects.toMatchObject({ code: 'LW5003' });
    expect(await askFor(short, 'two', 'look')).toBe('one');
  });
});

test('a lab that can be opened by neither file is tried again for whoever comes next', async () => {
  file = 'two';
  bad = new Set(['one', 'two']);
  await expect(askFor(lab, 'two')).rejects.toMatchObject({ message: 'one cannot be opened' });
  await expect(askFor(lab, undefined, 'look')).rejects.toMatchObject({ code: 'LW0005' });
  bad.clear();
  expect(await askFor(lab, undefined, 'look')).toBe('two');
});
