// A program run from a Debian root in the cache, with one file of ours in the place of its own; the root stays as it is.

export interface TreeCommand {
  readonly tree: string;
  /** A file of the user's side, and what it stands in for in the tree. */
  readonly file: { readonly from: string; readonly to: string };
  readonly command: readonly string[];
}

// `ip netns exec` gives each process a mount namespace of its own, so these mounts end with it.
const enterTree = `
tree=$1 from=$2 to=$3; shift 3
mount --make-rprivate /
mount --bind "$from" "$tree$to"
mount --rbind /dev "$tree/dev"
exec chroot "$tree" "$@"
`;

/** As a process of a device takes it. */
export function formatTreeCommand({ tree, file, command }: TreeCommand): string[] {
  return ['sh', '-euc', enterTree, 'sh', tree, file.from, file.to, ...command];
}
