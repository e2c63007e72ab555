import { mac } from '@labwright/core/addresses/mac';
import { hostName, labId, vmId } from '@labwright/core/addresses/names';
import { Secret } from '@labwright/core/ports/secret';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Mark, findForeignReason, formatMark, formatTags, isOurs, parseMark } from './mark.ts';
import { formatPropertyString, parsePropertyString, parseSizeGiB } from './property-string.ts';
import { parseTags } from './reading.ts';
import { type VmSpec, formatVmConfig, formatVmUpdate, parseVmConfig, rawVmConfig } from './vm-config.ts';

const mark: Mark = {
  lab: labId('home'),
  machine: hostName('node101'),
  pool: 'workers',
  vmId: vmId(101),
  generation: 1,
};

const spec: VmSpec = {
  mark,
  cores: 2,
  memoryMiB: 2048,
  cpuType: 'x86-64-v2-AES',
  mac: mac('bc:24:11:00:01:01'),
  bridge: 'vmbr0',
  vlan: 20,
  storage: 'local-lvm',
  diskGiB: 32,
  firmware: 'uefi',
  identity: { uuid: '7b0c2f54-0f1e-4b1c-9a55-5e2b8c0d1f11', phoneHomeKey: new Secret('a key of 32 bytes') },
  startWithHost: true,
  startOrder: 3,
};

describe('a property string', () => {
  const key = fc.stringMatching(/^[a-z][a-z0-9_-]{0,8}$/);
  const value = fc.stringMatching(/^[A-Za-z0-9:+./=-]{0,12}$/);

  it('is read back as it was written', () => {
    const first = fc.option(fc.stringMatching(/^[A-Za-z0-9:./-]{1,12}$/), { nil: undefined });
    fc.assert(
      fc.property(first, fc.uniqueArray(fc.tuple(key, value), { selector: ([name]) => name }), (bare, pairs) => {
        fc.pre(bare !== undefined || pairs.length > 0);
        const written = { ...(bare === undefined ? {} : { first: bare }), properties: new Map(pairs) };
        expect(parsePropertyString(formatPropertyString(written))).toEqual(written);
      }),
    );
  });

  it('is written in one order whatever order it came in', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(key, value), { minLength: 1, selector: ([name]) => name }), (pairs) => {
        const write = (entries: typeof pairs): string => formatPropertyString({ properties: new Map(entries) });
        expect(write(pairs.toReversed())).toBe(write(pairs));
      }),
    );
  });

  it('that breaks the grammar is not guessed at', () => {
    expect(['a=1,a=2', 'a=1,,b=2', 'x,y', '=1', ''].map((text) => parsePropertyString(text))).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('leads with the model of a network device', () => {
    const text = 'virtio=BC:24:11:00:01:01,bridge=vmbr0,tag=20';
    const parsed = parsePropertyString('bridge=vmbr0,tag=20,virtio=BC:24:11:00:01:01', ['virtio']);
    expect(parsed === undefined ? '' : formatPropertyString(parsed)).toBe(text);
  });

  it('knows sizes with and without units', () => {
    expect(['32G', '512M', '1T', '34359738368', 'big'].map((text) => parseSizeGiB(text))).toEqual([
      32,
      0.5,
      1024,
      32,
      undefined,
    ]);
  });
});

describe('the mark', () => {
  const name = fc.stringMatching(/^[a-z]([a-z0-9-]{0,20}[a-z0-9])?$/).map((text) => hostName(text));
  const marks = fc.record({
    lab: fc.tuple(name, fc.constantFrom('', '+rehearsal')).map(([text, suffix]) => labId(text + suffix)),
    machine: name,
    pool: name,
    vmId: fc.integer({ min: 100, max: 999_999_999 }).map((id) => vmId(id)),
    generation: fc.integer({ min: 1, max: 99_999 }),
  });

  it('is read back from the description it was written to, whatever stands around it', () => {
    fc.assert(
      fc.property(marks, fc.string(), (written, note) => {
        fc.pre(!note.includes('```'));
        expect(parseMark(`${note}\n${formatMark(written)}\n${note}\n`)).toEqual(written);
      }),
    );
  });

  it('is ours with tags and description for this lab and this number, and only then', () => {
    const ours = { vmId: vmId(101), tags: formatTags(mark.lab), description: formatMark(mark) };
    expect(isOurs(ours, mark.lab)).toBe(true);
    expect(isOurs({ ...ours, tags: [...ours.tags, 'mine'] }, mark.lab)).toBe(true);
    const foreign = [
      { ...ours, tags: [] },
      { ...ours, tags: ['labwright'] },
      { ...ours, description: '' },
      { ...ours, description: `${ours.description}\n${ours.description}` },
      { ...ours, description: ours.description.replace('generation=1', 'generation=one') },
      { ...ours, description: ours.description.replaceAll('lab=home', 'lab=other') },
      { ...ours, vmId: vmId(900) },
    ];
    expect(foreign.map((vm) => isOurs(vm, mark.lab))).toEqual(foreign.map(() => false));
    expect(isOurs(ours, labId('home+rehearsal'))).toBe(false);
    expect(findForeignReason({ ...ours, vmId: vmId(900) }, mark.lab)).toMatch(/copy/);
  });

  it('never makes one damaged byte of it ours by another lab', () => {
    const description = formatMark(mark);
    fc.assert(
      fc.property(fc.nat(description.length - 1), fc.string({ minLength: 1, maxLength: 1 }), (at, letter) => {
        const damaged = description.slice(0, at) + letter + description.slice(at + 1);
        const found = parseMark(damaged);
        const vm = { vmId: vmId(101), tags: formatTags(mark.lab), description: damaged };
        expect(isOurs(vm, mark.lab)).toBe(found?.lab === mark.lab && found.vmId === 101);
      }),
    );
  });
});

describe('a machine as a Proxmox configuration', () => {
  it('is what an owner would type', () => {
    const { smbios1, description, ...parameters } = formatVmConfig(spec);
    expect(parameters).toEqual({
      vmid: 101,
      name: 'node101',
      tags: 'lab-home;labwright',
      ostype: 'l26',
      agent: '0',
      cores: 2,
      sockets: 1,
      cpu: 'x86-64-v2-AES',
      memory: '2048',
      net0: 'virtio=BC:24:11:00:01:01,bridge=vmbr0,tag=20',
      scsihw: 'virtio-scsi-single',
      scsi0: 'local-lvm:32,discard=on,iothread=1',
      boot: 'order=scsi0;net0',
      bios: 'ovmf',
      efidisk0: 'local-lvm:1,efitype=4m,pre-enrolled-keys=0',
      serial0: 'socket',
      rng0: 'source=/dev/urandom',
      onboot: true,
      startup: 'order=3',
    });
    expect(description).toBe(formatMark(mark));
    expect(String(smbios1)).toBe('•••');
    expect((smbios1 as Secret).reveal()).toBe(
      'base64=1,serial=YSBrZXkgb2YgMzIgYnl0ZXM=,uuid=7b0c2f54-0f1e-4b1c-9a55-5e2b8c0d1f11',
    );
  });

  it('asks for a start order and an EFI disk only when they are wanted', () => {
    const { startOrder: _without, ...plain } = spec;
    const parameters = formatVmConfig({ ...plain, firmware: 'bios' });
    expect([parameters['startup'], parameters['efidisk0'], parameters['bios']]).toEqual([
      undefined,
      undefined,
      'seabios',
    ]);
  });

  it('is read back from what Proxmox stores, in the types of either version', () => {
    const stored = {
      digest: '0123456789012345678901234567890123456789',
      name: 'node101',
      description: `${formatMark(mark)}\n`,
      tags: 'Labwright;lab-home',
      cores: 2,
      sockets: 1,
      bios: 'ovmf',
      onboot: 1,
      startup: 'order=3,up=30',
      net10: 'e1000=BC:24:11:00:01:0A,bridge=vmbr1',
      net0: 'virtio=BC:24:11:00:01:01,bridge=vmbr0,tag=20',
      scsi0: 'local-lvm:vm-101-disk-0,discard=on,iothread=1,size=32G',
      smbios1: (formatVmConfig(spec)['smbios1'] as Secret).reveal(),
      meta: 'creation-qemu=10.0.2,ctime=1700000000',
    };
    const expected = {
      digest: stored.digest,
      name: 'node101',
      description: stored.description,
      tags: ['lab-home', 'labwright'],
      cores: 2,
      memoryMiB: 2048,
      diskGiB: 32,
      storage: 'local-lvm',
      volume: 'local-lvm:vm-101-disk-0',
      macs: ['bc:24:11:00:01:01', 'bc:24:11:00:01:0a'],
      bootFirst: 'disk',
      firmware: 'uefi',
      startWithHost: true,
      startOrder: 3,
      uuid: spec.identity.uuid,
    };
    for (const memory of ['2048', 2048, 'current=2048']) {
      const { phoneHomeKey, ...config } = parseVmConfig(rawVmConfig.parse({ ...stored, memory }));
      expect(config).toEqual(expected);
      expect(phoneHomeKey?.reveal()).toBe('a key of 32 bytes');
    }
  });

  it('is changed by what is named only', () => {
    expect(formatVmUpdate({ memoryMiB: 4096, startOrder: 'none' })).toEqual({ memory: '4096', delete: 'startup' });
    expect(Object.keys(formatVmUpdate({ mark: { ...mark, generation: 2 } }))).toEqual(['name', 'description', 'tags']);
  });
});

describe('tags', () => {
  it('are compared whatever tag-style the datacenter has', () => {
    expect(parseTags('Zoo;labwright,lab-home  zoo')).toEqual(['lab-home', 'labwright', 'zoo']);
  });
});
