// What the emulated host asks of a guest, whichever kind it is: a QEMU process with firmware and disks, or a stand-in process.
import type { TaskLog } from './task.ts';
import type { VmValues } from './vm-config-file.ts';

export interface GuestFile {
  readonly path: string;
  readonly format: 'raw' | 'qcow2';
}

interface GuestStart {
  readonly vmId: number;
  readonly values: VmValues;
  /** The image behind each disk option of the configuration, by option name. */
  readonly disks: Readonly<Record<string, GuestFile>>;
}

export type RunState = 'running' | 'paused' | 'prelaunch' | 'shutdown' | 'io-error';

export interface GuestUse {
  readonly residentBytes: number;
  /** Through all its cards, as the guest sees it; absent where guests have none. */
  readonly network?: { readonly inBytes: number; readonly outBytes: number };
  readonly uptimeSeconds: number;
}

export interface Guests {
  /** Refuses with the reason the guest process gave. */
  start(guest: GuestStart, log: TaskLog): Promise<void>;
  /** Undefined when there is no such guest process; a guest of an earlier emulator process counts. */
  getPid(vmId: number): Promise<number | undefined>;
  getRunState(vmId: number): Promise<RunState>;
  getUse(vmId: number): Promise<GuestUse>;
  /** ACPI: asks the guest's operating system. */
  powerDown(vmId: number): Promise<void>;
  quit(vmId: number): Promise<void>;
  reset(vmId: number): Promise<void>;
  pause(vmId: number): Promise<void>;
  resume(vmId: number): Promise<void>;
  signal(vmId: number, name: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  resizeDisk(vmId: number, option: string, bytes: number): Promise<void>;
  /** The guest agent's answer; throws when no agent answers. */
  runAgent(vmId: number, command: string): Promise<unknown>;
  /** Removes what a guest that ended left on the host. */
  cleanUp(vmId: number, values: VmValues): Promise<void>;
  /** Makes, grows and inspects images of this kind of guest. */
  readonly images: Images;
  readonly version: { readonly machine: string; readonly emulator: string };
}

export interface Images {
  create(file: GuestFile, bytes: number): Promise<void>;
  /** A new, unused variable store of the firmware; gives its size in bytes. */
  createFirmwareVariables(file: GuestFile, kind: '2m' | '4m', hasKeys: boolean): Promise<number>;
  resize(file: GuestFile, bytes: number): Promise<void>;
}
