// What differs between the versions of the emulated pfSense, as far as code that is sent can tell.
import { describe, expect, it } from 'vitest';
import type { VersionName } from '@labwright/rehearsal/pfsense/version';
import { startPfsense } from './pfsense-lan.ts';

const names = ['config_get_path', 'parse_config', 'config_read_file', 'g_get', 'dhcp_is_backend', 'logger'] as const;

const versions: readonly (readonly [VersionName, string, readonly string[]])[] = [
  ['2.5.2', '21.7', ['parse_config']],
  ['2.7.2', '23.3', ['config_get_path', 'parse_config', 'g_get', 'dhcp_is_backend']],
  ['2.8.0', '23.9', ['config_get_path', 'parse_config', 'config_read_file', 'g_get', 'dhcp_is_backend']],
  ['plus-26.03', '24.5', ['config_get_path', 'config_read_file', 'g_get', 'dhcp_is_backend', 'logger']],
];

describe.each(versions)('%s', (profile, configVersion, functions) => {
  it('has its functions, reads and writes, and knows no PHP newer than its own', async () => {
    const router = await startPfsense({
      profile,
      resolver: 'none',
      dhcp: { isOn: false, from: '10.77.46.100', to: '10.77.46.150' },
    });
    try {
      const there = `$toreturn = json_encode(array_values(array_filter(${JSON.stringify(names)}, "function_exists")));`;
      expect(await router.php(there)).toEqual({ kind: 'value', value: JSON.stringify(functions) });
      expect(await router.call('pfsense.host_firmware_version', [1, 30])).toMatchObject({
        value: { config_version: configVersion, platform: profile.startsWith('plus') ? 'pfSense Plus' : 'pfSense' },
      });
      const write =
        'global $config; $config["wol"] = ["wolentry" => [["descr" => "a & b"]]]; write_config("test"); $toreturn = $config["wol"];';
      expect(await router.php(write)).toEqual({ kind: 'value', value: { wolentry: [{ descr: 'a & b' }] } });
      const php8 = '$toreturn = str_contains("ab", "a") ? "new" : "?";';
      expect(await router.php(php8)).toEqual(
        profile === '2.5.2' ? { kind: 'http', status: 500 } : { kind: 'value', value: 'new' },
      );
    } finally {
      await router.stop();
    }
  }, 60_000);
});
