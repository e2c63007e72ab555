// Entry: builds what network and guest tests run and boot, before they enter namespaces that have no way out.
import { ensureBootLoaders } from '@labwright/images/boot-loaders';
import { ensureDebianImage } from '@labwright/images/debian/debian-image';
import { ensureWebImage } from '@labwright/images/kubernetes/web-image';
import { findPrograms } from './kubernetes/binaries.ts';
import { routerRoot } from './pfsense/router-root.ts';
import {
  nasClientsRoot,
  nasRoot,
  newIpxeFolder,
  nodeRoot,
  peersRoot,
  registryRoot,
  testCacheDirectory,
  toolsRoot,
} from './roots.ts';

const context = {
  cacheDir: testCacheDirectory(),
  signal: new AbortController().signal,
  onProgress: (message: string) => console.log(message),
};
await toolsRoot();
await Promise.all([ensureDebianImage(context), ensureBootLoaders(context), peersRoot(), newIpxeFolder()]);
await findPrograms();
await nodeRoot();
await ensureWebImage(context);
await nasRoot();
await nasClientsRoot();
await routerRoot();
await registryRoot();
