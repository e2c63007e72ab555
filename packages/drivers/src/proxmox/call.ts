// One call of the Proxmox API as data: method, route, parameters and how to read the result. Nothing here sends anything.
import { Secret } from '@labwright/core/ports/secret';
import type { z } from 'zod';

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

/** Booleans are sent as 1 and 0: Proxmox refuses "true" for a top-level parameter. A Secret is revealed on the wire only. */
export type ParameterValue = string | number | boolean | Secret;
export type Parameters = Readonly<Record<string, ParameterValue>>;

export interface ProxmoxCall<Result> {
  readonly method: Method;
  /** As in Proxmox's API viewer: "/nodes/{node}/qemu/{vmid}/config". */
  readonly route: string;
  /** The values of the route's holes. */
  readonly path: Readonly<Record<string, string | number>>;
  readonly parameters: Parameters;
  readonly result: z.ZodType<Result>;
  /**
   * 'safe': sending it twice ends as sending it once, so it may be sent again when no answer came.
   * 'look': somebody has to look at what is there before it may be sent again.
   */
  readonly repeat: 'safe' | 'look';
}

interface CallDetails {
  readonly path?: Readonly<Record<string, string | number>>;
  readonly parameters?: Parameters;
  readonly repeat?: 'safe' | 'look';
}

export function proxmoxCall<Result>(
  method: Method,
  route: string,
  result: z.ZodType<Result>,
  { path = {}, parameters = {}, repeat = method === 'GET' ? 'safe' : 'look' }: CallDetails = {},
): ProxmoxCall<Result> {
  return { method, route, path, parameters, result, repeat };
}

/** "/nodes/pve1/qemu/101/config", without parameters; also how a call is named in errors. */
function formatPath(call: Pick<ProxmoxCall<unknown>, 'route' | 'path'>): string {
  return call.route.replaceAll(/\{([^}]+)\}/g, (_hole, name: string) => encodeURIComponent(String(call.path[name])));
}

export function formatCallName(call: Pick<ProxmoxCall<unknown>, 'method' | 'route' | 'path'>): string {
  return `${call.method} ${formatPath(call)}`;
}

export interface WireCall {
  readonly method: Method;
  readonly path: string;
  readonly form?: string;
}

/** GET and DELETE carry their parameters in the query (a body there is answered with 501), POST and PUT in a form. */
export function formatWireCall(call: ProxmoxCall<unknown>): WireCall {
  const form = formatForm(call.parameters);
  const path = `/api2/json${formatPath(call)}`;
  if (call.method === 'POST' || call.method === 'PUT') return { method: call.method, path, form };
  return { method: call.method, path: form === '' ? path : `${path}?${form}` };
}

function formatForm(parameters: Parameters): string {
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) form.append(name, formatValue(value));
  return form.toString();
}

function formatValue(value: ParameterValue): string {
  if (value instanceof Secret) return value.reveal();
  if (typeof value === 'boolean') return value ? '1' : '0';
  return String(value);
}

/** A peer's words with every secret of the call replaced: Proxmox quotes values in some of its refusals. */
export function hideSecrets(text: string, parameters: Parameters): string {
  let hidden = text;
  for (const value of Object.values(parameters)) {
    if (value instanceof Secret) hidden = hidden.replaceAll(value.reveal(), String(value));
  }
  return hidden;
}
