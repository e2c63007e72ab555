// The processor a guest sees: Proxmox's own types by what they are made of (PVE::QemuServer::CPUConfig, 8.x and 9.x), any other by
// its name, which is QEMU's.
import { cpuFormat } from './property-formats.ts';
import { readProperties } from './property-string.ts';
import type { VmValues } from './vm-config-file.ts';

const v2 = ['+popcnt', '+pni', '+sse4.1', '+sse4.2', '+ssse3'];
const v3 = ['+aes', ...v2, '+avx', '+avx2', '+bmi1', '+bmi2', '+f16c', '+fma', '+abm', '+movbe', '+xsave'];
const v4 = [...v3, '+avx512f', '+avx512bw', '+avx512cd', '+avx512dq', '+avx512vl'];

const ownTypes: Readonly<Record<string, readonly string[]>> = {
  'x86-64-v2': v2,
  'x86-64-v2-AES': ['+aes', ...v2],
  'x86-64-v3': v3,
  'x86-64-v4': v4,
};

/**
 * The word after -cpu. Linux 6.1 multiplies without carry wherever there is AES, and on hardware it may: KVM hides an instruction from
 * the list of features only. An emulated processor refuses what is not in the list, so there it is in the list. Without a type it is kvm64, as in Proxmox; `host` is all that
 * the accelerator can do.
 */
export function formatCpu(values: VmValues, accelerator: 'tcg' | 'kvm'): string {
  const { cputype = 'kvm64', flags = '' } = readProperties(cpuFormat, values['cpu']);
  const own = Object.hasOwn(ownTypes, cputype) ? ownTypes[cputype] : undefined;
  const model = own !== undefined ? 'qemu64' : cputype === 'host' && accelerator === 'tcg' ? 'max' : cputype;
  const unhidden = accelerator === 'tcg' && own?.includes('+aes') === true ? ['+pclmulqdq'] : [];
  return [model, ...(own ?? []), ...unhidden, ...flags.split(/[; ]/).filter((flag) => flag !== '')].join(',');
}
