// Kubernetes built from the source package of Debian 12, for computers that reach a Debian mirror and nothing else.
import { copyFile, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { kubernetesVersion, type KubernetesVersion } from '@labwright/core/addresses/kubernetes-version';
import { readAptSources } from '../apt-sources.ts';
import { ensureDebianRoot, type BuildContext } from '../debian-root.ts';
import { runOrFail } from '../program.ts';
import { runInRoot } from '../root-program.ts';
import { imageBinaries, kubernetesBinaries } from './binaries.ts';
import { Unavailable } from './download.ts';
import { upstreamRegistry, type ReleaseSource } from './release-sources.ts';

/**
 * Debian 12 has 1.20.2 (1.20.5+really1.20.2). The other is the same code under the next number, for rehearsing an upgrade; it is
 * not upstream's 1.20.3.
 */
const versions: readonly KubernetesVersion[] = [kubernetesVersion('1.20.2'), kubernetesVersion('1.20.3')];

const suite = 'bookworm';
const buildPackages = ['gcc', 'golang-1.19-go', 'golang-github-modern-go-reflect2-dev', 'libc6-dev', 'make', 'rsync'];
const script = join(import.meta.dirname, 'build-from-source.sh');

/** Five minutes and 6 GiB of disk on two cores. */
export const debianSource: ReleaseSource & { readonly versions: readonly KubernetesVersion[] } = {
  name: 'Debian’s source package kubernetes',
  versions,
  // For CoreDNS, which is not among its programs.
  imagePlaces: [upstreamRegistry],
  listOwnImages: (version) => {
    assertMade(version);
    const others = ['pause:3.2', 'etcd:3.4.13-0', 'coredns:1.7.0'];
    return [...imageBinaries.map((name) => `${name}:v${version}`), ...others].map((name) => `k8s.gcr.io/${name}`);
  },
  fill: async (version, folder, context) => {
    assertMade(version);
    const root = await ensureDebianRoot({ name: 'kubernetes-build', packages: buildPackages, suite }, context);
    const work = join(folder, 'work');
    await mkdir(work);
    context.onProgress(`Kubernetes ${version}: fetching Debian's source package`);
    await fetchSource(root.directory, work, context);
    await copyFile(script, join(work, 'build.sh'));
    context.onProgress(`Kubernetes ${version}: building it (about five minutes)`);
    await runInRoot(
      {
        root: root.directory,
        program: '/bin/sh',
        args: ['/mnt/build.sh', `v${version}`],
        binds: [{ from: work, to: 'mnt' }],
        signal: context.signal,
        onLine: (line) => {
          const target = /Building go targets for \S+:/.exec(line) ?? /^\s+(cmd\/[\w-]+)$/.exec(line);
          if (target?.[1] !== undefined) context.onProgress(`Kubernetes ${version}: ${target[1]}`);
        },
      },
      `Kubernetes ${version} could not be built from Debian's source`,
    );
    for (const name of kubernetesBinaries) await rename(join(work, 'out', name), join(folder, name));
    await rm(work, { recursive: true });
  },
};

function assertMade(version: KubernetesVersion): void {
  if (!versions.includes(version)) throw new Unavailable(`it makes ${versions.join(' and ')} only`);
}

/** Into `work`, by this computer's own apt, with lists and a cache of their own so that its state stays as it is. */
async function fetchSource(root: string, work: string, { signal }: BuildContext): Promise<void> {
  const keyring = join(root, 'usr/share/keyrings/debian-archive-keyring.gpg');
  const sources = (await readAptSources(suite, signal)).filter((line) => line.endsWith(` ${suite} main`));
  const list = join(work, 'sources.list');
  await writeFile(
    list,
    sources.map((line) => `${line.replace(/^deb /, `deb-src [signed-by=${keyring}] `)}\n`).join(''),
  );
  await mkdir(join(work, 'lists/partial'), { recursive: true });
  await mkdir(join(work, 'cache/archives/partial'), { recursive: true });
  const options = [
    `Dir::Etc::SourceList=${list}`,
    'Dir::Etc::SourceParts=-',
    `Dir::State::Lists=${join(work, 'lists')}`,
    `Dir::Cache=${join(work, 'cache')}`,
    // The folder is root's own.
    'APT::Sandbox::User=root',
  ].flatMap((option) => ['-o', option]);
  const what = "Debian's source package kubernetes could not be fetched";
  const install = 'run Labwright on Debian or Ubuntu, where apt is part of the system';
  await runOrFail({ program: 'apt-get', args: ['-q', ...options, 'update'], signal, install }, what);
  const args = ['-q', ...options, 'source', '--download-only', 'kubernetes'];
  await runOrFail({ program: 'apt-get', args, directory: work, signal, install }, what);
}
