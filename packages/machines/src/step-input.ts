// The data each kind of machine step carries: what its executor needs and nothing it has to guess.

export type VmInput = {
  readonly vmId: number;
  readonly name: string;
};

export type VmCreateInput = VmInput & {
  readonly host: string;
  readonly pool: string;
  readonly generation: number;
  readonly cores: number;
  readonly memoryMiB: number;
  readonly mac: string;
  readonly bridge: string;
  readonly vlan: number | null;
  readonly storage: string;
  readonly diskGiB: number;
  readonly firmware: 'bios' | 'uefi';
  readonly startOrder: number | null;
  /** VM ID of the machine it stands in for. */
  readonly replaces: number | null;
};

export type VmUpdateInput = VmInput & {
  readonly cores: number;
  readonly memoryMiB: number;
};

export type VmWipeInput = VmInput & {
  readonly pool: string;
  readonly generation: number;
  readonly replaces: number | null;
};

export type VmRediskInput = VmWipeInput & {
  readonly storage: string;
  readonly diskGiB: number;
};

export type VmResizeInput = VmInput & {
  readonly diskGiB: number;
};

export type MachineReadyInput = VmInput & {
  readonly address: string;
  readonly generation: number;
};
