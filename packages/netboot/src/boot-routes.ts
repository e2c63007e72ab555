// Names in boot paths. A request is matched against these, never joined to a folder: what is not named here does not exist.

export interface BootRoute {
  readonly token: string;
  /** One of the resources of a boot: "kernel", "boot.ipxe", "snponly.efi". */
  readonly name: string;
}

/** The parts of b/TOKEN/NAME; firmware and iPXE add and double slashes as they like. Undefined for anything else. */
export function parseBootPath(path: string): BootRoute | undefined {
  const match = /^\/*b\/+([0-9a-f]{32})\/+([a-z0-9][a-z0-9._-]{0,63})$/.exec(path);
  return match?.[1] === undefined || match[2] === undefined ? undefined : { token: match[1], name: match[2] };
}

/**
 * iPXE of 1.21 and later, started by UEFI, asks for autoexec.ipxe before it asks DHCP for anything; not beside itself but at the top
 * of the TFTP server it came from. The session is the one that fetched its loader to the very address that asks.
 */
export function autoexecRoute(path: string, session: { readonly token: string } | undefined): BootRoute | undefined {
  if (session === undefined || !/^\/*autoexec\.ipxe$/.test(path)) return undefined;
  return { token: session.token, name: 'autoexec.ipxe' };
}

export const scriptNames: ReadonlySet<string> = new Set(['boot.ipxe', 'autoexec.ipxe']);

export type ImageFileName = 'kernel' | 'initrd' | 'rootfs';

export function isImageFileName(name: string): name is ImageFileName {
  return name === 'kernel' || name === 'initrd' || name === 'rootfs';
}

/** A path for logs and events: the token is not shown. */
export function redactPath(path: string): string {
  const short = path.length > 100 ? `${path.slice(0, 100)}...` : path;
  return JSON.stringify(short.replaceAll(/[0-9a-f]{32}/g, 'TOKEN')).slice(1, -1);
}
