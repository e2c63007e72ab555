// What a Labwright is told to serve, and with what.
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import type { Clock } from '@labwright/core/ports/clock';
import type { Log } from '@labwright/core/ports/log';
import type { Random } from '@labwright/core/ports/random';
import type { PkiPlace } from '@labwright/cluster/pki/pki-vault';
import type { Credentials, NoCredentials } from '@labwright/drivers/proxmox/credentials';
import type { Expectation, TlsPolicy } from '@labwright/drivers/proxmox/tls-pin';
import type { RouterLogin } from './router/router-area.ts';
import type { ServiceSources } from './services/service-sources.ts';

export interface ServeOptions {
  readonly blueprint: Blueprint;
  /** Of the lab file that the blueprint was made from. */
  readonly labDigest?: string;
  /** For a service that outlasts edits of its lab file: reads it again. Throws what reading it throws. */
  readonly reread?: () => Promise<ServeOptions>;
  /** Of Proxmox; none for a command that does not ask it. */
  readonly credentials: Credentials | NoCredentials;
  /** Of the router; a lab whose router is not managed needs none, and without one it is not asked for anything. */
  readonly routerLogin?: RouterLogin;
  readonly expect: Expectation;
  /** Certificates are pinned in the store without it. */
  readonly tls?: TlsPolicy;
  /** Store, SSH identity and known hosts. */
  readonly stateDirectory: string;
  readonly cacheDirectory: string;
  readonly socket: string;
  /** Where the keys of the cluster are kept, or made; a lab without one needs none. */
  readonly clusterKeys?: Omit<PkiPlace, 'lab'>;
  /** What runs in the cluster is made from; a lab without one needs none. */
  readonly serviceSources?: ServiceSources;
  /** Without it machines are looked at and changed but not booted over the network. */
  readonly boot: boolean;
  /** A service outlasts its hosts: after a power cut it may be up before any of them. A command gives up instead. */
  readonly waitsForHosts: boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}
