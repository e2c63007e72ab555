import { describe, expect, test } from 'vitest';
import { paths } from '@labwright/core/contract/contract';
import { LabwrightError } from '@labwright/core/errors/error';
import { silentLog } from '@labwright/core/ports/log';
import { makeEventBus } from '../event-bus.ts';
import type { OpenLab } from '../open-lab.ts';
import type { ServedLab } from '../served-lab.ts';
import { makeApi } from './server.ts';

/** The certificates name what was seen of the hosts before they were asked for. */
function makeServer(look: () => Promise<string>) {
  let seen = 'nothing';
  const open = {
    service: { look: async () => void (seen = await look()) },
    cluster: { certificates: async () => ({ asOf: 0, certificates: [], silent: [{ name: seen, why: '' }] }) },
  } as unknown as OpenLab;
  const lab = { use: async (_: unknown, work: (it: OpenLab) => Promise<unknown>) => await work(open) };
  return makeApi({
    lab: lab as unknown as ServedLab,
    bus: makeEventBus(),
    log: silentLog,
    signal: new AbortController().signal,
  });
}
const refuse = (code: 'LW2001' | 'LW2002') => async (): Promise<string> => {
  throw new LabwrightError(code, { what: 'no' });
};

describe('certificates of the cluster', () => {
  const ask = async (look: () => Promise<string>) => {
    const response = await makeServer(look).request(paths.clusterCertificates);
    return { status: response.status, body: await response.json() };
  };

  test('are asked after a look at who replaces whom', async () => {
    expect(await ask(async () => 'replaced')).toMatchObject({ status: 200, body: { silent: [{ name: 'replaced' }] } });
  });

  test('are told also while no host answers, by what was known, and not when a host refuses us', async () => {
    expect(await ask(refuse('LW2001'))).toMatchObject({ status: 200, body: { silent: [{ name: 'nothing' }] } });
    expect(await ask(refuse('LW2002'))).toMatchObject({ status: 500, body: { code: 'LW2002' } });
  });
});
