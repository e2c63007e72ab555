// The image of a cluster machine: Debian with containerd, the programs of one release, and its role's container images in place.
import { createHash } from 'node:crypto';
import { chmod, copyFile, mkdir, readFile, readdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ClusterRole } from '@labwright/core/blueprint/blueprint';
import { ensureDebianImage, type DebianImage, type ImageVariant } from '../debian/debian-image.ts';
import { ensureDebianRoot, type BuildContext, type DebianRootSpec } from '../debian-root.ts';
import { guestFolder } from '../debian/initramfs.ts';
import { nodePackages } from '../debian/packages.ts';
import type { Overlay } from '../debian/rootfs.ts';
import { runInRoot } from '../root-program.ts';
import { nodeBinaries } from './binaries.ts';
import { ensureClusterImages, type ClusterImages } from './cluster-images.ts';
import type { ClusterImageNames } from './image-names.ts';
import { ImageStore, mediaTypes } from './image-store.ts';
import { nodeKernelArguments } from './kernel-arguments.ts';
import { clusterPackages, partPackages } from './packages.ts';
import type { KubernetesRelease } from './release.ts';

/** Changes whenever the way the image is put together does. */
const recipe = 2;

export interface NodeImageSpec {
  readonly role: ClusterRole;
  readonly release: KubernetesRelease;
}

export interface NodeImage extends DebianImage {
  readonly role: ClusterRole;
  /** For the kernel, over the network and from the disk. */
  readonly kernelArguments: readonly string[];
  /** The container images it has. */
  readonly images: readonly string[];
}

/** What cluster machines are installed from. */
export const clusterNodeRoot: DebianRootSpec = {
  name: 'kubernetes-node',
  packages: [...nodePackages, ...clusterPackages],
};

const guest = join(guestFolder, 'kubernetes');

/** Built when it is not in the cache (about a minute, as root). Throws what ensureDebianRoot throws. */
export async function ensureNodeImage(spec: NodeImageSpec, context: BuildContext): Promise<NodeImage> {
  const { role, release } = spec;
  const node = await ensureDebianRoot(clusterNodeRoot, context);
  const clusterImages = await ensureClusterImages(release, node, context);
  const images = imagesOf(role, clusterImages);
  const variant: ImageVariant = {
    name: `kubernetes-${release.version}-${role}`,
    node,
    key: await variantKey(spec, clusterImages, images),
    disabledUnits,
    makeOverlays: async (building) => [
      await writeFiles(join(building, 'files'), spec, clusterImages, context),
      await importImages(join(building, 'containerd'), node.directory, clusterImages, images, context),
    ],
  };
  const image = await ensureDebianImage(context, variant);
  return { ...image, role, images, kernelArguments: nodeKernelArguments(release.version) };
}

/** Debian starts them at boot; nothing here needs them before somebody mounts NFS version 3, which then starts them itself. */
const disabledUnits = [
  'multi-user.target.wants/nfs-client.target',
  'multi-user.target.wants/rpcbind.service',
  'remote-fs.target.wants/nfs-client.target',
  'sockets.target.wants/rpcbind.socket',
];

/** For hardware and programs that a cluster machine does not have; each costs a machine without KVM part of a second. */
const maskedUnits = [
  'modprobe@configfs.service',
  'modprobe@dm_mod.service',
  'modprobe@drm.service',
  'modprobe@fuse.service',
  'modprobe@loop.service',
  'sys-fs-fuse-connections.mount',
  'sys-kernel-config.mount',
];

function imagesOf(role: ClusterRole, { names, manifests }: ClusterImages): readonly string[] {
  // CoreDNS may run anywhere.
  const onWorkers = [names.pause, names.kubeProxy, names.coreDns];
  return names.all.filter((name) => manifests.has(name) && (role === 'control-plane' || onWorkers.includes(name)));
}

async function variantKey(
  { role, release }: NodeImageSpec,
  { manifests }: ClusterImages,
  images: readonly string[],
): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify([recipe, role, release.version, partPackages]));
  for (const name of nodeBinaries) hash.update(`\n${name} ${release.sums[name]}`);
  for (const name of images) hash.update(`\n${name} ${manifests.get(name)?.digest}`);
  for (const name of (await readdir(guest)).sort())
    hash.update(`\n${name}\n`).update(await readFile(join(guest, name)));
  return hash.digest('hex');
}

async function writeFiles(
  directory: string,
  { role, release }: NodeImageSpec,
  { names }: ClusterImages,
  context: BuildContext,
): Promise<Overlay> {
  const paths: string[] = [];
  const place = async (path: string): Promise<string> => {
    paths.push(path);
    await mkdir(dirname(join(directory, path)), { recursive: true });
    return join(directory, path);
  };
  const put = async (path: string, content: string): Promise<void> => {
    const file = await place(path);
    await writeFile(file, content);
    await chmod(file, 0o644);
  };
  const read = async (name: string): Promise<string> => await readFile(join(guest, name), 'utf8');
  const program = async (name: string, from: string): Promise<void> => {
    const file = await place(`usr/bin/${name}`);
    await copyFile(from, file);
    await chmod(file, 0o755);
  };

  for (const name of nodeBinaries) await program(name, release.binaries[name]);
  if (role === 'control-plane') {
    const parts = await ensureDebianRoot({ name: 'kubernetes-parts', packages: partPackages, kind: 'files' }, context);
    await program('etcdctl', join(parts.directory, 'usr/bin/etcdctl'));
  }
  // A kubelet that misses it, on a worker, says so each second.
  await mkdir(await place('etc/kubernetes/manifests'));
  await put('etc/containerd/config.toml', await containerdConfig(names));
  await put('usr/lib/systemd/system/kubelet.service', await read('kubelet.service'));
  await put('usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf', await read('10-kubeadm.conf'));
  await symlink(
    '/lib/systemd/system/kubelet.service',
    await place('etc/systemd/system/multi-user.target.wants/kubelet.service'),
  );
  for (const unit of maskedUnits) await symlink('/dev/null', await place(`etc/systemd/system/${unit}`));
  await put('etc/modules-load.d/kubernetes.conf', await read('modules.conf'));
  await put('etc/sysctl.d/90-kubernetes.conf', await read('sysctl.conf'));
  await put('etc/systemd/networkd.conf.d/kubernetes.conf', await read('networkd.conf'));
  return { directory, paths };
}

async function containerdConfig({ pause }: ClusterImageNames): Promise<string> {
  return (await readFile(join(guest, 'containerd.toml'), 'utf8')).replace('@PAUSE@', pause);
}

/** /var/lib/containerd as it is after all images were pulled and unpacked. */
async function importImages(
  directory: string,
  node: string,
  { names, manifests }: ClusterImages,
  images: readonly string[],
  context: BuildContext,
): Promise<Overlay> {
  context.onProgress(`node image: unpacking ${images.length} container images`);
  const store = await ImageStore.open(context.cacheDir);
  const [state, description] = [join(directory, 'var/lib/containerd'), `${directory}.import`];
  await mkdir(state, { recursive: true, mode: 0o711 });
  await mkdir(description);
  const found = images.flatMap((name) => {
    const manifest = manifests.get(name);
    return manifest === undefined ? [] : [{ ...manifest, annotations: { 'io.containerd.image.name': name } }];
  });
  const blobs = await Promise.all(found.map(async (manifest) => await store.listBlobs(manifest)));
  const index = { schemaVersion: 2, mediaType: mediaTypes.index, manifests: found };
  await writeFile(join(description, 'index.json'), JSON.stringify(index));
  await writeFile(join(description, 'oci-layout'), '{"imageLayoutVersion": "1.0.0"}\n');
  await writeFile(join(description, 'config.toml'), await containerdConfig(names));
  await writeFile(join(description, 'names'), images.join('\n'));
  await copyFile(join(guest, 'import-images'), join(description, 'import-images'));
  const paths = new Set(blobs.flat().map(({ digest }) => `blobs/${digest.replace(':', '/')}`));
  const layers = new Set(blobs.flatMap(([, , ...list]) => list.map(({ digest }) => digest)));
  await runInRoot(
    {
      root: node,
      program: '/bin/sh',
      args: ['/srv/import-images', ...layers, '--', ...paths],
      binds: [
        { from: state, to: 'opt' },
        { from: store.directory, to: 'mnt' },
        { from: description, to: 'srv' },
      ],
      signal: context.signal,
    },
    'the container images could not be put into the image of the machines',
  );
  return { directory, paths: ['var/lib/containerd'] };
}
