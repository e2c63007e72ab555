// What is said of a container image that a cluster needs and nobody has.
import { LabwrightError } from '@labwright/core/errors/error';
import type { KubernetesVersion } from '@labwright/core/addresses/kubernetes-version';
import type { Unavailable } from './download.ts';

export function missingImage(name: string, version: KubernetesVersion, cause: Unavailable): LabwrightError {
  return new LabwrightError('LW4004', {
    what: `no source has the container image ${name}`,
    where: { image: name, version },
    why: cause.message,
    fix: [
      'connect this computer to the Internet and run the command again',
      `or put it into the folder that the lab file names at kubernetes.mirror: skopeo copy docker://${name} oci:MIRROR/images:${name}`,
    ],
    cause,
  });
}
