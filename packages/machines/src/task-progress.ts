// A running Proxmox task in one line: what it is and the last thing its log said.
import type { TaskProgress } from '@labwright/drivers/proxmox/task';

export function formatTaskProgress({ awaited, lastLine }: TaskProgress): string {
  return lastLine === '' ? awaited : `${awaited}: ${lastLine}`;
}
