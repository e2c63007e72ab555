// What the machines of this lab boot, and what cluster machines fetch later: made one after the other in the background. A client
// that comes too early is told to come again; who plans machines is told what is not to be had.
import { stat } from 'node:fs/promises';
import type { Blueprint, MachineBlueprint } from '@labwright/core/blueprint/blueprint';
import { asLabwrightError, type LabwrightError } from '@labwright/core/errors/error';
import type { Clock } from '@labwright/core/ports/clock';
import type { Log } from '@labwright/core/ports/log';
import type { BuildContext } from '@labwright/images/debian-root';
import { isKubernetesBinary } from '@labwright/images/kubernetes/binaries';
import { ImageStore } from '@labwright/images/kubernetes/image-store';
import type { KubernetesRelease } from '@labwright/images/kubernetes/release';
import type { BootArtifacts, BootImage, BootImages } from '@labwright/netboot/boot-network';
import { bootImageName, ensureLabImages } from './boot-images.ts';

export interface LabImages {
  readonly images: BootImages;
  readonly artifacts: BootArtifacts;
  /** Begins to make them. */
  start(): void;
  /**
   * Why what a machine of the cluster boots is not to be had: LW4003 and the like, found now or lately. Waits for a few seconds
   * while that is not known; undefined for what is here or may still come. Asking again later has it tried again.
   */
  findObstacle(
    machine: Pick<MachineBlueprint, 'image' | 'role'>,
    signal: AbortSignal,
  ): Promise<LabwrightError | undefined>;
}

export interface LabImagesOptions {
  readonly log: Log;
  readonly clock: Clock;
  readonly ensureImages?: typeof ensureLabImages;
}

/** A source that has a version says so within this; a download goes on behind it. */
const patienceMs = 15_000;
/** What failed is not tried more often. */
const againMs = 60_000;

interface Attempt {
  /** Over as soon as the release is here, or nothing comes of it. */
  readonly decided: Promise<void>;
  failure?: { readonly error: LabwrightError; readonly at: number };
}

/** `signal` of the context ends the building. */
export async function openLabImages(
  { machines, cluster }: Pick<Blueprint, 'machines' | 'cluster'>,
  context: BuildContext,
  { log, clock, ensureImages = ensureLabImages }: LabImagesOptions,
): Promise<LabImages> {
  const ready = new Map<string, BootImage>();
  const releases = new Map<string, KubernetesRelease>();
  const store = await ImageStore.open(context.cacheDir);
  const members = machines.filter(({ role }) => role !== undefined);
  const others = machines.filter(({ role }) => role === undefined);
  const onImage = (name: string, image: BootImage): void => void ready.set(name, image);
  const tell = (error: unknown): void => {
    if (!context.signal.aborted) log.error('the images of the machines could not be made', { error: String(error) });
  };
  let attempt: Attempt | undefined;

  const makeMembers = async (): Promise<void> => {
    const { promise: decided, resolve: decide } = Promise.withResolvers<void>();
    const own: Attempt = { decided };
    attempt = own;
    try {
      await ensureImages({ machines: members, ...(cluster === undefined ? {} : { cluster }) }, context, {
        onImage,
        onRelease: (release) => {
          releases.set(release.version, release);
          decide();
        },
      });
    } catch (error) {
      tell(error);
      if (!context.signal.aborted) own.failure = { error: asLabwrightError(error), at: clock.monotonic() };
    }
    decide();
  };

  return {
    images: { get: async (name) => ready.get(name) },
    artifacts: {
      findManifest: async (name) => await store.findManifest(name),
      findBlob: async (digest) => await store.findBlob(digest),
      findProgram: async (version, name) => {
        const release = releases.get(version);
        if (release === undefined || !isKubernetesBinary(name)) return undefined;
        const path = release.binaries[name];
        return { path, size: (await stat(path)).size, sha256: release.sums[name] };
      },
    },
    start: () => {
      // What has nothing to do with Kubernetes is made whatever becomes of that.
      void makeMembers().then(async () => {
        await ensureImages({ machines: others }, context, { onImage }).catch(tell);
      });
    },
    findObstacle: async (machine, signal) => {
      if (machine.role === undefined || attempt === undefined || ready.has(bootImageName(machine))) return undefined;
      if (attempt.failure !== undefined && clock.monotonic() - attempt.failure.at >= againMs) void makeMembers();
      const current = attempt;
      const over = new AbortController();
      const waited = clock.sleep(patienceMs, AbortSignal.any([signal, over.signal])).catch(() => undefined);
      await Promise.race([current.decided, waited]);
      over.abort();
      signal.throwIfAborted();
      return current.failure?.error;
    },
  };
}
