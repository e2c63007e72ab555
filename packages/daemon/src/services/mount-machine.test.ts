import { hostName } from '@labwright/core/addresses/names';
import { Secret } from '@labwright/core/ports/secret';
import { makeBlueprint, makeMachine, makeVm } from '@labwright/machines/sample-lab.test-data';
import { expect, test } from 'vitest';
import { findMountMachine } from './mount-machine.ts';

const call = { privateKey: new Secret('KEY'), signal: new AbortController().signal };
const blueprint = makeBlueprint([
  makeMachine(101),
  makeMachine(102, { role: 'worker' }),
  makeMachine(103, { role: 'worker' }),
  makeMachine(104, { role: 'worker' }),
]);
const report = (name: string) => ({
  name: hostName(name),
  generation: 1,
  bootId: '1',
  sshHostKey: `key ${name}`,
  at: 0,
});

test('the first of the cluster that runs and whose key is known', () => {
  const vms = [makeVm(101), makeVm(102, { status: 'stopped' }), makeVm(103), makeVm(104)];
  const reports = ['node101', 'node102', 'node104'].map(report);
  expect(findMountMachine(blueprint, { vms }, reports, call)).toMatchObject({
    host: '10.1.0.104',
    user: 'admin',
    hostKey: 'key node104',
  });
});

test('none', () => {
  expect(findMountMachine(blueprint, { vms: [makeVm(101)] }, [report('node101')], call)).toBeUndefined();
});
