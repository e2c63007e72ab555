// Where container images may be: a registry, or a mirror's folder beside the programs.
import { isAbsolute } from 'node:path';
import type { BuildContext } from '../debian-root.ts';
import { Silent, Unavailable } from './download.ts';
import { openLayout } from './image-layout.ts';
import type { Descriptor, ImageStore } from './image-store.ts';
import { findImage, takeImage, type ImageRepository } from './image-transfer.ts';
import { openRegistry } from './registry.ts';

/** A server, "https://registry.k8s.io", or an absolute folder with an OCI image layout. */
export type ImagePlace = string;

export interface AskedPlaces {
  readonly places: readonly ImagePlace[];
  /** How often one that is silent is asked: more than once where nothing can take its place. */
  readonly tries: number;
}

/** For images that nothing can take the place of. */
export const triesOfNeeded = 3;

/** For people: "registry.k8s.io", "/srv/mirror/images". */
function nameOfPlace(place: ImagePlace): string {
  return isAbsolute(place) ? place : new URL(place).host;
}

/** Out of the first place that has it. Throws Unavailable with what each of them said, LW4001 for a blob that is another. */
export async function takeFromPlaces(
  store: ImageStore,
  name: string,
  asked: AskedPlaces,
  { signal, onProgress }: BuildContext,
): Promise<Descriptor> {
  return await askPlaces(name, asked, signal, async (repository, place) => {
    onProgress(`taking ${name} from ${place}`);
    return await takeImage(store, name, repository, signal);
  });
}

/** Asks, and takes nothing. Throws Unavailable as taking it would. */
export async function assertInPlaces(name: string, asked: AskedPlaces, signal: AbortSignal): Promise<void> {
  await askPlaces(name, asked, signal, async (repository) => await findImage(name, repository));
}

async function askPlaces<Answer>(
  name: string,
  { places, tries }: AskedPlaces,
  signal: AbortSignal,
  ask: (repository: ImageRepository, placeName: string) => Promise<Answer>,
): Promise<Answer> {
  const refusals: string[] = [];
  for (const place of places) {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const repository = isAbsolute(place) ? openLayout(place, name, signal) : openRegistry(place, name, signal);
        return await ask(repository, nameOfPlace(place));
      } catch (error) {
        if (!(error instanceof Unavailable)) throw error;
        if (error instanceof Silent && attempt < tries) continue;
        refusals.push(error.message);
        break;
      }
    }
  }
  throw new Unavailable(refusals.length === 0 ? 'no source is known that has container images' : refusals.join('; '));
}
