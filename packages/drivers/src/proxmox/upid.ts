// UPID, Proxmox's name for a task: UPID:node:pid:pstart:starttime:type:id:user: with the numbers in hexadecimal.
import { z } from 'zod';

export interface Upid {
  readonly text: string;
  readonly node: string;
  /** qmcreate, qmstart, … or hastart and the like for a guest under HA. */
  readonly type: string;
  /** The VM ID for VM tasks; empty for some others. */
  readonly id: string;
}

const pattern =
  /^UPID:([A-Za-z0-9][A-Za-z0-9-]*):[0-9A-Fa-f]{8}:[0-9A-Fa-f]{8,9}:[0-9A-Fa-f]{8}:([^:\s/]+):([^:\s/]*):[^:\s/]+:$/;

export function parseUpid(text: string): Upid | undefined {
  const match = pattern.exec(text);
  if (match === null) return undefined;
  const [, node = '', type = '', id = ''] = match;
  return { text, node, type, id };
}

/** A console that somebody keeps open is a task as well, and never in the way of anything. */
export const isConsole = ({ type }: Upid): boolean => /^(vnc|spice|term)/.test(type);

/** A task's UPID in an answer. */
export const upidResult = z.string().transform((text, context): Upid => {
  const upid = parseUpid(text);
  if (upid !== undefined) return upid;
  context.addIssue({ code: 'custom', message: 'not a UPID' });
  return z.NEVER;
});
