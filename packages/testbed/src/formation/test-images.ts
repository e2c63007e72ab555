// Container images of programs that have nothing to do with Labwright, for pods of tests: packed from Debian, served by the registry of
// the boot server like any other.
import { join } from 'node:path';
import { ensureDebianRoot } from '@labwright/images/debian-root';
import { readPrograms } from '@labwright/images/kubernetes/cluster-images';
import { packImage, type ImageEntry } from '@labwright/images/kubernetes/container-image';
import { ImageStore } from '@labwright/images/kubernetes/image-store';
import { ensureWebImage } from '@labwright/images/kubernetes/web-image';
import { testCacheDirectory } from '../roots.ts';

/** MariaDB's client; the container itself only waits. */
export const databaseClientImageName = 'labwright.local/mariadb-client:1';
/** A Redis server on port 6379, for anybody. */
export const redisImageName = 'labwright.local/redis:1';

const programs = ['mariadb-client', 'redis-server', 'redis-tools', 'busybox', 'catatonit'];

export interface TestImages {
  /** Debian's redis-cli as a command of this computer. */
  readonly redisClient: readonly string[];
}

/** These and the web server's, in the store that the boot servers of this computer offer. */
export async function ensureTestImages(): Promise<TestImages> {
  const { signal } = new AbortController();
  const context = { cacheDir: testCacheDirectory(), signal, onProgress: console.log };
  await ensureWebImage(context);
  const { directory } = await ensureDebianRoot({ name: 'test-images', packages: programs }, context);
  const store = await ImageStore.open(context.cacheDir);
  const withTools = async (...own: readonly string[]): Promise<readonly ImageEntry[]> => [
    ...(await readPrograms(directory, ['/bin/busybox', ...own], signal)),
    ...['sh', 'sleep', 'cat'].map((name): ImageEntry => ({ kind: 'link', path: `bin/${name}`, target: 'busybox' })),
    { kind: 'copy', path: 'init', mode: 0o755, from: join(directory, 'usr/bin/catatonit') },
    { kind: 'directory', path: 'tmp', mode: 0o1777 },
  ];
  await packImage(
    store,
    {
      names: [databaseClientImageName],
      entries: await withTools('/usr/bin/mariadb'),
      entrypoint: ['/init', '--', '/bin/sleep', '1000000'],
    },
    signal,
  );
  await packImage(
    store,
    {
      names: [redisImageName],
      entries: [
        ...(await withTools('/usr/bin/redis-check-rdb', '/usr/bin/redis-cli')),
        // redis-server is a link to it, and goes by the name it is called.
        { kind: 'link', path: 'usr/bin/redis-server', target: 'redis-check-rdb' },
      ],
      entrypoint: ['/init', '--', '/usr/bin/redis-server', '--protected-mode', 'no', '--save', ''],
    },
    signal,
  );
  const libraries = ['lib/x86_64-linux-gnu', 'usr/lib/x86_64-linux-gnu']
    .map((folder) => join(directory, folder))
    .join(':');
  const loader = join(directory, 'lib64/ld-linux-x86-64.so.2');
  return { redisClient: [loader, '--library-path', libraries, join(directory, 'usr/bin/redis-cli')] };
}
