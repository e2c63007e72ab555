import { expect, test } from 'vitest';
import { parseDependencies, selectModules } from './kernel-modules.ts';

const text = `kernel/drivers/net/virtio_net.ko: kernel/net/core/failover.ko kernel/drivers/virtio/virtio.ko
kernel/net/core/failover.ko:
kernel/drivers/virtio/virtio.ko:
kernel/arch/x86/crypto/crc32c-intel.ko.xz:
kernel/sound/snd.ko:
`;

test('named modules come with what they need; dashes and compression do not matter; unknown names are left out', () => {
  expect(selectModules(parseDependencies(text), ['virtio-net', 'crc32c_intel', 'nvme'])).toEqual([
    'kernel/arch/x86/crypto/crc32c-intel.ko.xz',
    'kernel/drivers/net/virtio_net.ko',
    'kernel/drivers/virtio/virtio.ko',
    'kernel/net/core/failover.ko',
  ]);
});
