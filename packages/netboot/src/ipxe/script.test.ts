import { expect, test } from 'vitest';
import { hostName } from '@labwright/core/addresses/names';
import { makeMachine, makeNetwork } from '../make-boot.ts';
import { renderFullIpxeScript, renderIpxeScript } from './script.ts';

const token = '0123456789abcdef0123456789abcdef';

test('the script, word for word', async () => {
  await expect(renderIpxeScript(makeMachine(), makeNetwork(), token)).toMatchFileSnapshot('testdata/node101.ipxe');
});

test('nothing that iPXE would expand or split gets into it', () => {
  const network = makeNetwork({ domain: 'home.arpa ${net0/mac}' });
  expect(() => renderIpxeScript(makeMachine(), network, token)).toThrow('can stand in an iPXE script');
  expect(renderIpxeScript(makeMachine({ name: hostName('a-b') }), makeNetwork(), token)).toContain('machine=a-b');
});

test('in router mode it asks us anew and not DHCP, and an iPXE without HTTP is sent to a full one', () => {
  const network = makeNetwork({ mode: 'router' });
  const script = renderIpxeScript(makeMachine(), network, token);
  expect(script).toMatch(/\nchain --replace tftp:\/\/10\.1\.0\.9\/labwright\.ipxe \|\| goto fetch\n$/);
  expect(script).not.toContain('dhcp');
  expect(renderFullIpxeScript(network, token, 'ipxe.pxe')).toBe(
    '#!ipxe\necho Labwright: this iPXE fetched nothing over HTTP; loading a full one\n' +
      `chain --replace tftp://10.1.0.9/b/${token}/ipxe.pxe || chain --replace tftp://10.1.0.9/labwright.ipxe\n`,
  );
});

test('what the image wants its kernel to be told comes with the rest', () => {
  const machine = makeMachine({ kernelArguments: ['systemd.unified_cgroup_hierarchy=0'] });
  expect(renderIpxeScript(machine, makeNetwork(), token)).toMatch(
    /^kernel \S+ initrd=initrd labwright\.url=.* systemd\.unified_cgroup_hierarchy=0 console=tty0 /m,
  );
});

test('a script for an iPXE without an address asks for one first, and is the same otherwise', () => {
  const early = renderIpxeScript(makeMachine(), makeNetwork(), token, 'unconfigured');
  expect(early).toContain('\n:address\ndhcp || goto address\n');
  expect(early.replace(':address\ndhcp || goto address\n', '')).toBe(
    renderIpxeScript(makeMachine(), makeNetwork(), token),
  );
});
