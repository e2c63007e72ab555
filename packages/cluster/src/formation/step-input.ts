// The data each kind of cluster step carries.

export type ClusterFormInput = {
  /** The control plane that `kubeadm init` runs on. */
  readonly name: string;
  /** Further control planes whose disks have to be asked first whether there is a cluster already. */
  readonly unsure: readonly string[];
};

export type ClusterJoinInput = {
  readonly name: string;
};

export type ClusterReadyInput = {
  readonly name: string;
};

export type ClusterSettleInput = {
  /** A control plane, which runs kubeadm's add-on phase. */
  readonly name: string;
};
