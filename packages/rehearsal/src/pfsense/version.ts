// What differs between the versions of pfSense that are emulated: as much of it as reaches somebody who calls xmlrpc.php.

/** Names that the PHP library asks for with emulated_has(). */
export type Feature =
  /** g_get() and is_platform_booting(). */
  | 'g_get'
  /** config_get_path() and its kin, and the same for arrays. */
  | 'config_paths'
  /** parse_config(), which gives the array. */
  | 'parse_config'
  /** config_read_file() and config_write_file(), which work on $config. */
  | 'config_read_file'
  /** Kea beside ISC dhcpd. */
  | 'kea'
  /** getUserEntry() gives the place in the list too. */
  | 'user_items'
  /** logger() and localize_text(). */
  | 'logger'
  /** PHP 8; before, 7.4. */
  | 'php8'
  /** `timeout` must be given. */
  | 'timeout_required'
  /** `dummy` of host_firmware_version must be given. */
  | 'dummy_required'
  /** restore_config_section restarts only what changed. */
  | 'restart_changed_only'
  /** restore_config_section sets static routes again unless they are sent, and hands packages' sections to hooks. */
  | 'static_routes_flap';

export interface VersionProfile {
  /** As host_firmware_version says it. */
  readonly version: string;
  readonly label: 'pfSense' | 'pfSense Plus';
  /** <version> of config.xml. */
  readonly configVersion: string;
  /** FreeBSD's release. */
  readonly kernel: string;
  readonly features: readonly Feature[];
}

const since252: readonly Feature[] = ['timeout_required', 'restart_changed_only'];
const since270: readonly Feature[] = [...since252, 'g_get', 'config_paths', 'dummy_required', 'php8'];
const since272: readonly Feature[] = [...since270, 'kea'];
const since28: readonly Feature[] = [...since272, 'config_read_file', 'user_items', 'static_routes_flap'];

const community = 'pfSense';
const plus = 'pfSense Plus';

export const versionNames = [
  '2.5.2',
  '2.6.0',
  '2.7.0',
  '2.7.2',
  '2.8.0',
  'plus-23.09',
  'plus-25.07',
  'plus-26.03',
  'unknown',
] as const;

export type VersionName = (typeof versionNames)[number];

/** By the branches and tags of pfSense's repository. "unknown" is one that no client can know yet. */
export const versionProfiles: Readonly<Record<VersionName, VersionProfile>> = {
  '2.5.2': profile('2.5.2-RELEASE', community, '21.7', '12.2', [...since252, 'parse_config']),
  '2.6.0': profile('2.6.0-RELEASE', community, '22.2', '12.3', [...since252, 'parse_config']),
  '2.7.0': profile('2.7.0-RELEASE', community, '22.9', '14.0', [...since270, 'parse_config']),
  '2.7.2': profile('2.7.2-RELEASE', community, '23.3', '14.0', [...since272, 'parse_config']),
  '2.8.0': profile('2.8.0-RELEASE', community, '23.9', '15.0', [...since28, 'parse_config']),
  'plus-23.09': profile('23.09.1-RELEASE', plus, '23.3', '14.0', [...since272, 'parse_config']),
  'plus-25.07': profile('25.07-RELEASE', plus, '24.0', '15.0', [...since28, 'parse_config']),
  'plus-26.03': profile('26.03-RELEASE', plus, '24.5', '16.0', [...since28, 'logger']),
  unknown: profile('9.9.0-RELEASE', community, '99.9', '19.0', [...since28, 'logger']),
};

function profile(
  version: string,
  label: VersionProfile['label'],
  configVersion: string,
  kernel: string,
  features: readonly Feature[],
): VersionProfile {
  return { version, label, configVersion, kernel, features };
}
