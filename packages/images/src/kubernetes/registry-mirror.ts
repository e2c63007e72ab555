// How containerd on a cluster machine is told to ask the boot server first for any image (containerd 1.5 and later, docs/hosts.md).

/** `server` is "http://10.1.0.9:8080". An image it does not have is pulled from its own registry. */
export function registryMirrorFile(server: string): {
  readonly path: string;
  readonly mode: number;
  readonly content: string;
} {
  return {
    path: '/etc/containerd/certs.d/_default/hosts.toml',
    mode: 0o644,
    content: `[host."${server}"]\n  capabilities = ["pull", "resolve"]\n`,
  };
}
