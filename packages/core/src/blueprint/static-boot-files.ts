// Names of boot files that never change: in netboot mode 'router' they stand in the router's configuration, and in that of any
// DHCP server a person sets up by hand. Firmware that asks for one gets a boot loader, iPXE its script.
export const staticBootFiles = {
  bios: 'labwright.pxe',
  uefi: 'labwright.efi',
  /** Always the script: for an iPXE that is sent somewhere of its own. */
  script: 'labwright.ipxe',
} as const;

export type StaticBootFile = (typeof staticBootFiles)[keyof typeof staticBootFiles];
