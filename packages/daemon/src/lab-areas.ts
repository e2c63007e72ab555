// The areas of a lab that are open while it is served: its cluster, the life of that, and its services.
import { dirname } from 'node:path';
import { isRehearsal } from '@labwright/core/addresses/names';
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import { invariant } from '@labwright/core/errors/error';
import type { SshIdentity } from '@labwright/drivers/ssh/identity';
import { ensureCoreDns } from '@labwright/images/kubernetes/cluster-images';
import { ensureKubernetesRelease } from '@labwright/images/kubernetes/release';
import { networkBootOf } from '@labwright/network/router/network-boot';
import { ensureLabImages } from './boot-images.ts';
import { makeClusterArea, type ClusterArea } from './cluster/cluster-area.ts';
import { makeLifeArea, type LifeArea } from './cluster/life-area.ts';
import { makeExposuresArea, type ExposuresArea } from './exposures/exposures-area.ts';
import { makeNameCache } from './exposures/name-cache.ts';
import { makeRouterArea, type RouterArea } from './router/router-area.ts';
import { routerPins } from './router/router-pins.ts';
import { makeWriteCache } from './router/write-cache.ts';
import type { ServeOptions } from './serve-options.ts';
import { makeServicesArea, type ServicesArea } from './services/services-area.ts';
import type { Store } from './store/store.ts';

/** Nothing for a lab without a cluster. */
export function openCluster(
  options: ServeOptions,
  parts: {
    readonly store: Store;
    readonly identity: SshIdentity;
    readonly currentBlueprint: () => Blueprint;
    readonly signal: AbortSignal;
  },
): ClusterArea | undefined {
  const { store, identity, currentBlueprint, signal } = parts;
  const { blueprint, clusterKeys, clock, random, log } = options;
  if (blueprint.cluster === undefined) return undefined;
  invariant(clusterKeys !== undefined, 'whoever opens a lab with a cluster says where its keys are');
  return makeClusterArea({
    blueprint,
    currentBlueprint,
    cluster: blueprint.cluster,
    keys: clusterKeys,
    identity,
    currentReports: () => store.currentReports(),
    address: blueprint.netboot.address,
    cacheDirectory: options.cacheDirectory,
    signal,
    clock,
    random,
    log,
  });
}

/** Also for a lab without a cluster: it may have a NAS and services outside. */
export function openServices(
  options: ServeOptions,
  parts: {
    readonly store: Store;
    readonly identity: SshIdentity;
    readonly cluster?: ClusterArea;
    readonly signal: AbortSignal;
  },
): ServicesArea {
  const { blueprint, serviceSources, cacheDirectory, stateDirectory, clock, random, log } = options;
  const { store, identity, cluster, signal } = parts;
  const currentReports = () => store.currentReports();
  const shared = { blueprint, identity, currentReports, cacheDirectory, stateDirectory, signal, clock, random, log };
  if (cluster === undefined || blueprint.cluster === undefined) return makeServicesArea(shared);
  invariant(serviceSources !== undefined, 'whoever opens a lab with a cluster says what its services are made from');
  return makeServicesArea({
    ...shared,
    cluster: { blueprint: blueprint.cluster, area: cluster, sources: serviceSources },
  });
}

/** What lies beside the lab file is beside its keys. */
export function openLife(
  options: ServeOptions,
  { cluster, currentBlueprint }: { readonly cluster: ClusterArea; readonly currentBlueprint: () => Blueprint },
): LifeArea {
  const { blueprint, clusterKeys, clock, cacheDirectory, stateDirectory } = options;
  invariant(blueprint.cluster !== undefined && clusterKeys !== undefined, 'a lab with a cluster area has a cluster');
  const { mirror } = blueprint.cluster;
  return makeLifeArea({
    blueprint,
    currentBlueprint,
    cluster: blueprint.cluster,
    reach: cluster.reach,
    keys: clusterKeys,
    labFolder: dirname(clusterKeys.file),
    stateDirectory,
    prepareRelease: async (version, { signal, progress }) => {
      const context = { cacheDir: cacheDirectory, signal, onProgress: progress };
      // As the boot servers do in the background: the images are what the machines' registry offers.
      await ensureLabImages(blueprint, context);
      const release = await ensureKubernetesRelease({ version, ...(mirror === undefined ? {} : { mirror }) }, context);
      if (!isRehearsal(blueprint.lab)) await ensureCoreDns(release, context);
      const { kubeadm, kubelet, kubectl } = release.sums;
      const { address, httpPort } = blueprint.netboot;
      return { server: `http://${address}:${httpPort}`, binaries: { kubeadm, kubelet, kubectl } };
    },
    clock,
  });
}

/** Nothing for a lab without a router, or without a login for it. */
export function openRouter(
  options: ServeOptions,
  { store, signal }: { readonly store: Store; readonly signal: AbortSignal },
): RouterArea | undefined {
  const { blueprint, routerLogin, expect, stateDirectory, clock, log } = options;
  const { router } = blueprint;
  if (router === undefined || routerLogin === undefined) return undefined;
  const boot = networkBootOf(blueprint.netboot);
  return makeRouterArea({
    ...{ blueprint, router, expect, stateDirectory, clock, log, signal },
    login: routerLogin,
    pins: routerPins(store),
    writes: makeWriteCache(router.name, { caches: store.caches, clock, log }),
    ...(boot === undefined ? {} : { boot }),
  });
}

/** Nothing for a lab without a cluster. */
export function openExposures(
  { blueprint, clock, log }: ServeOptions,
  parts: {
    readonly store: Store;
    readonly cluster?: ClusterArea;
    readonly router?: RouterArea;
    readonly signal: AbortSignal;
  },
): ExposuresArea | undefined {
  const { store, cluster, router, signal } = parts;
  if (cluster === undefined) return undefined;
  const names = makeNameCache(store, log);
  return makeExposuresArea({
    ...{ blueprint, cluster, names, clock, log, signal },
    ...(router === undefined ? {} : { router }),
  });
}
