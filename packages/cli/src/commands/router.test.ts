// The command against a stand-in of the Labwright that serves: what is agreed to is what was shown.
import type { RouterAdoptAnswer } from '@labwright/core/contract/contract';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { exitCodes, type ExitCode, type GlobalOptions } from '../program.ts';
import { routerAdopt } from './router.ts';
import { serveLab, type ServedLab } from './served-lab.test-data.ts';

const seen: RouterAdoptAnswer = {
  router: 'fw1',
  place: 'unbound/hosts',
  before: 'host=web, domain=svc, ip=10.77.51.9',
  after: 'host=web, domain=svc, ip=10.77.51.100',
  hash: 'a'.repeat(64),
  isDone: false,
};

describe('router adopt', () => {
  let lab: ServedLab;
  let asked: unknown[] = [];

  beforeEach(async () => {
    asked = [];
    lab = await serveLab((_path, body) => {
      asked.push(body);
      return { ...seen, isDone: (body as { readonly agreedTo?: string }).agreedTo !== undefined };
    });
  });
  afterEach(async () => await lab.close());

  const run = async (options: Partial<GlobalOptions>, typed?: string): Promise<{ code: ExitCode; text: string }> => {
    const { program, lines } = lab.open(options, typed);
    const code = await routerAdopt(program, { words: ['web.svc'], flags: {} });
    return { code, text: lines().join('\n') };
  };
  const all = [{ name: 'web.svc' }, { name: 'web.svc', agreedTo: seen.hash }];

  test('agrees to the entry that was shown, and to no other', async () => {
    expect(await run({}, 'y')).toMatchObject({ code: exitCodes.done, text: expect.stringContaining('ip=10.77.51.9') });
    expect(asked).toEqual(all);
    const { text } = await run({ yes: true, json: true });
    expect(JSON.parse(text)).toEqual({ ...seen, hash: undefined, isDone: true });
    expect(asked).toEqual([...all, ...all]);
  });

  test('is not agreed to by anything else, nor by nobody', async () => {
    await expect(run({}, 'n')).rejects.toMatchObject({ code: 'LW0003' });
    await expect(run({})).rejects.toMatchObject({ code: 'LW0002' });
    expect(asked).toEqual([all[0], all[0]]);
  });
});
