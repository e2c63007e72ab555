// Programs the rehearsal runs from a Debian root of its own in the cache: nothing of them is installed on the user's machine.

export const toolPackages = [
  'qemu-system-x86',
  'qemu-utils',
  'ovmf',
  'ipxe-qemu',
  'ipxe',
  'iproute2',
  'unbound',
] as const;
