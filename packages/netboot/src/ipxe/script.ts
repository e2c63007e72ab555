// The iPXE script a machine boots by. Written for the oldest iPXE in use, Debian 12's of 2019, in a BIOS ROM and in EFI.
import { prefixLength } from '@labwright/core/addresses/ipv4';
import { invariant } from '@labwright/core/errors/error';
import type { BootMachine, BootNetwork } from '../boot-network.ts';
import { staticBootFiles } from '@labwright/core/blueprint/static-boot-files';
import { bootUrl } from '../dhcp/boot-choice.ts';

/** How a script of ours is told from a loader binary that bears the same name. */
const scriptFirstLine = '#!ipxe';

/** Linux's command line: where to fetch the rest, who the machine is, and how it reaches the network. */
function kernelArguments(machine: BootMachine, network: BootNetwork, token: string): readonly string[] {
  const pairs = {
    'labwright.url': bootUrl({ ...network, token }),
    'labwright.lab': machine.lab,
    'labwright.machine': machine.name,
    'labwright.generation': String(machine.generation),
    'labwright.mac': machine.mac,
    'labwright.address': `${machine.address}/${prefixLength(network.cidr)}`,
    'labwright.gateway': network.gateway,
    'labwright.resolvers': network.resolvers.join(','),
    'labwright.domain': network.domain,
  };
  const own = [...Object.entries(pairs).map(([name, value]) => `${name}=${value}`), ...(machine.kernelArguments ?? [])];
  for (const argument of own) {
    // iPXE would expand a dollar sign and split at a space.
    invariant(/^[\w.:/,=+-]+$/.test(argument), `"${argument}" can stand in an iPXE script`);
  }
  return [...own, 'console=tty0', 'console=ttyS0,115200'];
}

/** How often the same files are asked for, five seconds apart, before the boot begins anew. */
const triesBeforeAnew = 6;

/** 'unconfigured': iPXE asked for its autoexec.ipxe, which is before it has an address. */
export type ScriptStart = 'configured' | 'unconfigured';

/**
 * A failed fetch is tried again for ever: the image may be built at this moment. A Labwright that was started again knows
 * nothing of this boot's token, so after a while the machine asks for an address, and with it for a script, once more.
 * The tries are counted in strokes: with the iPXE of 2019 a number that was added to was not seen to reach its end.
 */
export function renderIpxeScript(
  machine: BootMachine,
  network: BootNetwork,
  token: string,
  start: ScriptStart = 'configured',
): string {
  const url = bootUrl({ ...network, token });
  return `${scriptFirstLine}
# Labwright boots ${machine.name} of lab ${machine.lab}, generation ${machine.generation}.
${start === 'unconfigured' ? askAddress : ''}clear tries ||
:fetch
imgfree
echo Labwright: fetching the kernel for ${machine.name}
kernel ${url}/kernel initrd=initrd ${kernelArguments(machine, network, token).join(' ')} || goto failed
echo Labwright: fetching the initramfs for ${machine.name}
initrd --name initrd ${url}/initrd || goto failed
boot || goto failed
:failed
echo Labwright: this did not work; trying again in 5 seconds
sleep 5
set tries \${tries}x
iseq \${tries} ${'x'.repeat(triesBeforeAnew)} || goto fetch
clear tries ||
echo Labwright: asking anew what to boot
${askAnew(network)} || goto fetch
`;
}

/**
 * For an iPXE that fetched the script above by TFTP and nothing of what it names: it has no HTTP, or none that works. A full one
 * is loaded in its place.
 */
export function renderFullIpxeScript(network: BootNetwork, token: string, full: string): string {
  return `${scriptFirstLine}
echo Labwright: this iPXE fetched nothing over HTTP; loading a full one
chain --replace tftp://${network.address}/b/${token}/${full} || ${askAnew(network)}
`;
}

/** In 'router' mode no DHCP of ours would name another script, and the router's answer has not changed. */
function askAnew(network: BootNetwork): string {
  return network.mode === 'router'
    ? `chain --replace tftp://${network.address}/${staticBootFiles.script}`
    : 'dhcp && chain --replace ${filename}';
}

const askAddress = `:address
dhcp || goto address
`;
