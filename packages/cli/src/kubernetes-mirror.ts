// Where Kubernetes is mirrored: a variable of the environment goes before the lab file, whose folders are meant from where it lies.
import { dirname, resolve } from 'node:path';
import type { Lab } from '@labwright/core/lab/lab-schema';

const variable = 'LABWRIGHT_KUBERNETES_MIRROR';

/** The lab with its mirror as a URL or an absolute folder. */
export function settleMirror(
  lab: Lab,
  labFile: string,
  {
    environment,
    directory,
  }: { readonly environment: Readonly<Record<string, string | undefined>>; readonly directory: string },
): Lab {
  const { kubernetes } = lab;
  if (kubernetes === undefined) return lab;
  const override = environment[variable];
  const mirror =
    override !== undefined && override !== ''
      ? settle(override, directory)
      : kubernetes.mirror === undefined
        ? undefined
        : settle(kubernetes.mirror, dirname(labFile));
  return mirror === undefined ? lab : { ...lab, kubernetes: { ...kubernetes, mirror } };
}

function settle(place: string, from: string): string {
  return /^https?:\/\//.test(place) ? place : resolve(from, place);
}
