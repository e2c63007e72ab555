// Entry: the few programs of this computer that unit tests hold ours against; installed where that may be done.
import { ensureHostPrograms, imagePrograms } from '@labwright/images/host-programs';

await ensureHostPrograms(
  [
    ...imagePrograms,
    { program: 'cpio', packageName: 'cpio' },
    { program: 'openssl', packageName: 'openssl' },
    { program: 'ssh-keygen', packageName: 'openssh-client' },
    { program: 'ip', packageName: 'iproute2' },
    { program: 'perl', packageName: 'perl-base' },
    { program: 'unshare', packageName: 'util-linux' },
  ],
  {
    environment: process.env,
    signal: new AbortController().signal,
    onProgress: (message) => console.log(message),
  },
);
