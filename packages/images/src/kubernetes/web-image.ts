// A web server to try a cluster with, as a container image that no registry has: busybox of Debian, with the tools to look around.
import { join } from 'node:path';
import { ensureDebianRoot, type BuildContext } from '../debian-root.ts';
import { readPrograms } from './cluster-images.ts';
import { packImage, type ImageEntry } from './container-image.ts';
import { ImageStore } from './image-store.ts';
import { partPackages } from './packages.ts';

export const webImageName = 'labwright.local/web:1';

const applets = [
  'cat',
  'env',
  'hostname',
  'ip',
  'ls',
  'mkdir',
  'nc',
  'nslookup',
  'ping',
  'sh',
  'sleep',
  'sync',
  'wget',
];
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** GET / says hello, GET /cgi-bin/hostname which pod answers; port 80. Puts it into the store that the boot server serves. */
export async function ensureWebImage(context: BuildContext): Promise<typeof webImageName> {
  const spec = { name: 'kubernetes-parts', packages: partPackages, kind: 'files' } as const;
  const { directory } = await ensureDebianRoot(spec, context);
  const store = await ImageStore.open(context.cacheDir);
  await packImage(
    store,
    {
      names: [webImageName],
      entries: [
        // With its libraries: a static program of glibc resolves names only where it finds the same libraries all the same.
        ...(await readPrograms(directory, ['/bin/busybox'], context.signal)),
        ...applets.map((name): ImageEntry => ({ kind: 'link', path: `bin/${name}`, target: 'busybox' })),
        // Hands the signal to end on: as the first process busybox would not hear it.
        { kind: 'copy', path: 'init', mode: 0o755, from: join(directory, 'usr/bin/catatonit') },
        { kind: 'file', path: 'www/index.html', mode: 0o644, content: bytes('served by labwright.local/web\n') },
        {
          kind: 'file',
          path: 'www/cgi-bin/hostname',
          mode: 0o755,
          content: bytes('#!/bin/sh\nprintf "Content-Type: text/plain\\r\\n\\r\\n"\nhostname\n'),
        },
        { kind: 'directory', path: 'tmp', mode: 0o1777 },
      ],
      entrypoint: ['/init', '--', '/bin/busybox', 'httpd', '-f', '-p', '80', '-h', '/www'],
    },
    context.signal,
  );
  return webImageName;
}
