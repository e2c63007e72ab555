// What differs where control planes are emulated without KVM: the one table of it. On hardware every component keeps its
// default. docs/fidelity.md names each.
//
// There a request that takes milliseconds may take seconds while a neighbour boots, and the default limits would take that
// for a death: etcd would elect, leaders would step down, kubelets would kill API servers that only needed longer. And what
// costs an idle cluster nothing on hardware leaves it no time for its work there.

export interface SlowHostSettings {
  /** Defaults 100 and 1000. */
  readonly etcd: { readonly 'heartbeat-interval': string; readonly 'election-timeout': string };
  /** Of kube-controller-manager and kube-scheduler; defaults 15s, 10s, 2s. */
  readonly leaderElection: {
    readonly 'leader-elect-lease-duration': string;
    readonly 'leader-elect-renew-deadline': string;
    readonly 'leader-elect-retry-period': string;
  };
  /** Default 40s, from 1.32 on 50s. */
  readonly controllerManager: { readonly 'node-monitor-grace-period': string };
  /** kubeadm writes 8 failures of 15 s, and 24 for the start. */
  readonly probes: { readonly timeoutSeconds: number; readonly failures: number; readonly startFailures: number };
  /** How often an API server is asked by its kubelet whether it is ready; default 1 s. A managed router asks as often by its own rule. */
  readonly readySeconds: number;
  /**
   * An idle API server spends nearly half of its time on the measurements of its queues; default true. Without the queues it has
   * the plain limits that it had before them.
   */
  readonly apiServer: { readonly 'enable-priority-and-fairness': string };
  /** How long a kubelet waits for the container runtime to start a container; default 2m. */
  readonly kubelet: { readonly runtimeRequestTimeout: string };
  /** How often it measures each container; default 10s. */
  readonly kubeletArguments: { readonly 'housekeeping-interval': string };
  /** How long kubeadm waits for the control plane; default 4m. */
  readonly controlPlaneTimeout: string;
}

export const slowHostSettings: SlowHostSettings = {
  etcd: { 'heartbeat-interval': '500', 'election-timeout': '5000' },
  leaderElection: {
    'leader-elect-lease-duration': '60s',
    'leader-elect-renew-deadline': '40s',
    'leader-elect-retry-period': '5s',
  },
  controllerManager: { 'node-monitor-grace-period': '120s' },
  probes: { timeoutSeconds: 60, failures: 24, startFailures: 60 },
  readySeconds: 5,
  apiServer: { 'enable-priority-and-fairness': 'false' },
  kubelet: { runtimeRequestTimeout: '10m0s' },
  kubeletArguments: { 'housekeeping-interval': '60s' },
  controlPlaneTimeout: '10m0s',
};
