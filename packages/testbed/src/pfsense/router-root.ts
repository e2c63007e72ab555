// The Debian root of the emulated router, built once and kept in the cache.
import { ensureDebianRoot } from '@labwright/images/debian-root';
import { ensureHostPrograms, imagePrograms } from '@labwright/images/host-programs';
import { routerPackages } from '@labwright/rehearsal/pfsense/router-packages';
import { testCacheDirectory } from '../roots.ts';

/** PHP, unbound, dnsmasq, HAProxy, ISC dhcpd and Kea. LABWRIGHT_ROUTER_ROOT names a tree made before. */
export async function routerRoot(): Promise<string> {
  const given = process.env['LABWRIGHT_ROUTER_ROOT'];
  if (given !== undefined) return given;
  const context = {
    cacheDir: testCacheDirectory(),
    signal: new AbortController().signal,
    onProgress: (message: string): void => console.log(message),
  };
  await ensureHostPrograms(imagePrograms, { ...context, environment: process.env });
  return (await ensureDebianRoot({ name: 'router', packages: routerPackages }, context)).directory;
}
