// The command line of a guest, word for word, and the SMBIOS table that keeps secrets out of it.
import { expect, it } from 'vitest';
import { makeQemuArgv, type GuestFiles, type QemuArgvOptions } from './qemu-argv.ts';
import { encodeSystemInformation } from './smbios.ts';
import type { VmValues } from './vm-config-file.ts';

const files: GuestFiles = {
  pidFile: '/run/101.pid',
  monitorSocket: '101.qmp',
  agentSocket: '101.qga',
  serialSocket: (port) => `101.serial${port}`,
  serialLog: (port) => `/log/101.serial${port}.log`,
  systemInformation: '/run/101.smbios',
  temporaryVariables: '/run/101.vars',
  disks: {
    scsi0: { path: '/images/vm-101-disk-0', format: 'raw' },
    efidisk0: { path: '/images/vm-101-disk-1', format: 'raw' },
  },
};
const options: QemuArgvOptions = {
  profile: '9.2',
  accelerator: 'tcg',
  translationCacheMiB: 256,
  toolsRoot: '/tools',
  emulatorRoot: '/tools',
};

const values: VmValues = {
  name: 'node101',
  bios: 'ovmf',
  machine: 'q35',
  efidisk0: 'local-lvm:vm-101-disk-1,efitype=4m,size=4M',
  memory: '2048',
  cores: '2',
  cpu: 'x86-64-v2-AES',
  scsihw: 'virtio-scsi-single',
  scsi0: 'local-lvm:vm-101-disk-0,discard=on,iothread=1,size=8G,ssd=1',
  net0: 'virtio=02:00:00:00:01:01,bridge=vmbr0',
  serial0: 'socket',
  vga: 'serial0',
  rng0: 'source=/dev/urandom',
  agent: '1',
  smbios1: 'uuid=00112233-4455-6677-8899-aabbccddeeff,serial=c2VjcmV0,base64=1',
  boot: 'order=scsi0;net0',
};

it('has the devices of the configuration in its boot order', () => {
  const argv = makeQemuArgv(101, values, files, options);
  expect(
    argv
      .join(' ')
      .replaceAll(/ (?=-)/g, '\n')
      .split('\n'),
  ).toEqual([
    '-name node101',
    '-no-user-config',
    '-nodefaults',
    '-display none',
    '-L /tools/usr/share/qemu',
    '-L /tools/usr/share/seabios',
    '-L /tools/usr/lib/ipxe/qemu',
    '-pidfile /run/101.pid',
    '-daemonize',
    '-chardev socket,id=qmp,path=101.qmp,server=on,wait=off',
    '-mon chardev=qmp,mode=control',
    '-machine q35,graphics=off',
    '-accel tcg,thread=multi,tb-size=256',
    '-cpu qemu64,+aes,+popcnt,+pni,+sse4.1,+sse4.2,+ssse3,+pclmulqdq',
    '-smp 2,sockets=1,cores=2,maxcpus=2',
    '-m 2048',
    '-smbios file=/run/101.smbios',
    '-rtc base=utc',
    '-drive if=pflash,unit=0,format=raw,readonly=on,file=/tools/usr/share/OVMF/OVMF_CODE_4M.fd',
    '-drive if=pflash,unit=1,id=drive-efidisk0,format=raw,file=/images/vm-101-disk-1',
    '-chardev socket,id=serial0,path=101.serial0,server=on,wait=off,logfile=/log/101.serial0.log,logappend=on',
    '-device isa-serial,chardev=serial0',
    '-chardev socket,id=qga0,path=101.qga,server=on,wait=off',
    '-device virtio-serial,id=qga0',
    '-device virtserialport,chardev=qga0,name=org.qemu.guest_agent.0',
    '-object rng-random,filename=/dev/urandom,id=rng0',
    '-device virtio-rng-pci,rng=rng0',
    '-drive file=/images/vm-101-disk-0,format=raw,if=none,id=drive-scsi0,cache=unsafe,discard=unmap,detect-zeroes=off',
    '-device virtio-scsi-pci,id=virtioscsi0',
    '-device scsi-hd,bus=virtioscsi0.0,channel=0,scsi-id=0,lun=0,drive=drive-scsi0,id=scsi0,rotation_rate=1,bootindex=100',
    '-netdev tap,ifname=tap101i0,script=no,downscript=no,vhost=off,id=net0',
    '-device virtio-net-pci,mac=02:00:00:00:01:01,netdev=net0,id=net0,bootindex=101',
    '-device virtio-balloon-pci,id=balloon0,free-page-reporting=on',
  ]);
});

it('gives the processor that the configuration names', () => {
  const cpuOf = (cpu: string): string | undefined => {
    const argv = makeQemuArgv(101, { ...values, cpu }, files, options);
    return argv[argv.indexOf('-cpu') + 1];
  };
  expect(cpuOf('host')).toBe('max');
  expect(cpuOf('Nehalem,flags=+aes;-x2apic')).toBe('Nehalem,+aes,-x2apic');
  expect(cpuOf('cputype=x86-64-v2')).toBe('qemu64,+popcnt,+pni,+sse4.1,+sse4.2,+ssse3');
  const { cpu: _, ...without } = values;
  expect(makeQemuArgv(101, without, files, options)).toContain('kvm64');
});

it('has no balloon when the configuration says so', () => {
  expect(makeQemuArgv(101, { ...values, balloon: '0' }, files, options).join(' ')).not.toContain('balloon');
});

it('takes network boot from a UEFI guest without rng0 in the newer line only', () => {
  const { rng0: _, ...without } = values;
  const newer = makeQemuArgv(101, without, files, options).join(' ');
  expect(newer).toContain('id=net0,romfile= ');
  expect(newer).toContain('name=opt/org.tianocore/IPv4PXESupport,string=n');
  expect(makeQemuArgv(101, without, files, { ...options, profile: '8.4' }).join(' ')).not.toContain('PXESupport');
  expect(makeQemuArgv(101, { ...without, bios: 'seabios' }, files, options).join(' ')).toContain(
    'id=net0,bootindex=101',
  );
});

it('keeps what smbios1 says in a file', () => {
  expect(makeQemuArgv(101, values, files, options).join(' ')).not.toMatch(/secret|c2VjcmV0/);
  const table = encodeSystemInformation(values['smbios1'] ?? '');
  expect(table.slice(0, 4)).toEqual(Uint8Array.of(0x01, 0x1b, 0x00, 0x01));
  expect(Buffer.from(table.slice(8, 24)).toString('hex')).toBe('33221100554477668899aabbccddeeff');
  expect(Buffer.from(table.slice(0x1b)).toString('latin1')).toBe('QEMU\0Standard PC\0secret\0\0');
  expect(table[7]).toBe(3);
});
