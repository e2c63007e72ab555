import { mac } from '@labwright/core/addresses/mac';
import { labId } from '@labwright/core/addresses/names';
import { formatMark } from '@labwright/drivers/proxmox/mark';
import { makeBlueprint, makeHypervisors, makeMachine, makeVm } from '@labwright/machines/sample-lab.test-data';
import { describe, expect, test } from 'vitest';
import { makeBootKnowledge, renderMachineIgnition } from './boot-knowledge.ts';

const machine = makeMachine(101);
const blueprint = makeBlueprint([machine, makeMachine(102)]);

/** Its VM as the hypervisors show it, with a mark that differs in this. */
function vmMarked(change: Partial<Parameters<typeof formatMark>[0]>) {
  const mark = { lab: blueprint.lab, machine: machine.name, pool: machine.pool, vmId: machine.vmId, generation: 1 };
  const vm = makeVm(101);
  return { ...vm, config: { ...vm.config!, description: formatMark({ ...mark, ...change }) } };
}

describe('what netboot knows of a machine', () => {
  test('is in the lab file, and a stranger is in none', () => {
    const knowledge = makeBootKnowledge(blueprint);
    expect(knowledge.findByMac(machine.mac)).toMatchObject({
      name: 'node101',
      address: machine.address,
      generation: 1,
    });
    expect(knowledge.findByMac(mac('02:00:00:00:00:99'))).toBeUndefined();
  });

  test('its generation stands on its VM, so one that is to be installed anew is, also after a restart of ours', () => {
    const knowledge = makeBootKnowledge(blueprint);
    knowledge.observed(makeHypervisors(blueprint, [vmMarked({ generation: 3 })]));
    expect(knowledge.findByMac(machine.mac)?.generation).toBe(3);
    knowledge.wiped(machine.name, 4);
    expect(knowledge.findByMac(machine.mac)?.generation).toBe(4);
  });

  test.each([
    ['another lab', { lab: labId('other') }],
    ['the VM it was copied from', { vmId: makeMachine(102).vmId }],
  ])('the mark of %s says nothing about it', (_whose, change) => {
    const knowledge = makeBootKnowledge(blueprint);
    knowledge.observed(makeHypervisors(blueprint, [vmMarked({ generation: 9, ...change })]));
    expect(knowledge.findByMac(machine.mac)?.generation).toBe(1);
  });

  test('a host that is down changes nothing', () => {
    const knowledge = makeBootKnowledge(blueprint);
    knowledge.observed(makeHypervisors(blueprint, [vmMarked({ generation: 3 })]));
    const { config: _config, ...unseen } = makeVm(101, { status: 'unknown' });
    knowledge.observed(makeHypervisors(blueprint, [unseen]));
    expect(knowledge.findByMac(machine.mac)?.generation).toBe(3);
  });
});

describe('the Ignition config', () => {
  const bootMachine = makeBootKnowledge(blueprint).findByMac(machine.mac)!;
  const render = (accept: string | undefined) =>
    renderMachineIgnition(
      { ...blueprint, ssh: { user: 'admin', authorizedKeys: ['ssh-ed25519 AAAA you@laptop'] } },
      'ssh-ed25519 BBBB labwright',
      bootMachine,
      accept,
    );

  test('lets in Labwright and the people of the file, under the name of the file', () => {
    const { status, contentType, body } = render('application/vnd.coreos.ignition+json;version=3.4.0, */*;q=0.1');
    expect([status, contentType]).toEqual([200, 'application/vnd.coreos.ignition+json']);
    expect(JSON.parse(body)).toMatchObject({
      ignition: { version: '3.4.0' },
      passwd: {
        users: [{ name: 'admin', sshAuthorizedKeys: ['ssh-ed25519 BBBB labwright', 'ssh-ed25519 AAAA you@laptop'] }],
      },
    });
    expect(body).toContain('node101');
  });

  test('an Ignition that is too old is told what it would need', () => {
    expect(render('application/vnd.coreos.ignition+json;version=3.2.0')).toEqual({
      status: 406,
      contentType: 'text/plain',
      body: 'this Ignition takes up to 3.2.0; Labwright writes 3.3.0 and 3.4.0\n',
    });
  });
});
