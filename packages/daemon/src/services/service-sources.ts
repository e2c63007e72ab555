// What the services of a lab are made from, besides the lab file itself: given by whoever opens the lab.
import type { SecretReader } from '@labwright/cluster/services/chart-values';

export interface ServiceSources {
  /** Folder of the lab file: charts and mirrors in it are named relative to it. */
  readonly directory: string;
  /** Of the caller: PATH, on which helm may be, and proxies. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Throws LW1003 for a secret that cannot be had. */
  readonly readSecret: SecretReader;
}
