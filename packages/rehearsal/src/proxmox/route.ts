// What a call of the API is: its path, parameters and permission in one declaration, held against Proxmox's own API description
// by a test, and the code that answers.
import type { Caller, NodeContext } from './node-context.ts';
import type { Parameter, Parameters, ParameterSchema } from './schema-check.ts';
import { namedFormats } from './property-formats.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

export type Permission =
  /** No login at all. */
  | { readonly kind: 'world' }
  /** Any login; the code looks closer where needed. */
  | { readonly kind: 'user' }
  | { readonly kind: 'privilege'; readonly path: string; readonly privileges: readonly string[]; readonly any?: true };

/** The JSON types of the answer, as the API description has them. */
type Returns = 'array' | 'boolean' | 'integer' | 'null' | 'object' | 'string';

export interface Call {
  readonly context: NodeContext;
  readonly caller: Caller;
  readonly parameters: Parameters;
  /** The number of rows there are, when only some are given. */
  readonly setTotal: (total: number) => void;
}

export interface Route {
  readonly method: Method;
  /** "/nodes/{node}/qemu/{vmid}" */
  readonly path: string;
  readonly parameters: ParameterSchema;
  readonly permission: Permission;
  readonly returns: Returns;
  /** Answered by the named node, whichever host is asked. */
  readonly isProxied?: true;
  /** Done by pvedaemon behind the proxy, whose answer the proxy awaits for thirty seconds only. */
  readonly isProtected?: true;
  readonly isTicketOnly?: true;
  /** Versions of Proxmox that have the call; both when absent. */
  readonly profiles?: readonly ('8.4' | '9.2')[];
  answer(call: Call): Promise<unknown>;
}

export const node: Parameter = { type: 'string', check: namedFormats.node };
export const vmid: Parameter = { type: 'integer', minimum: 100, maximum: 999_999_999 };
export const storage: Parameter = { type: 'string', check: namedFormats.storageId };
export const flag: Parameter = { type: 'boolean', optional: true };
export const digest: Parameter = { type: 'string', optional: true, maxLength: 40 };
export const configIdList: Parameter = { type: 'string', optional: true };

export const anyUser: Permission = { kind: 'user' };
export const onVm = (...privileges: string[]): Permission => ({ kind: 'privilege', path: '/vms/{vmid}', privileges });

export const isSet = (parameters: Parameters, name: string): boolean => parameters[name] === '1';
export const getVmId = (parameters: Parameters): number => Number(parameters['vmid']);

export function getNumber(parameters: Parameters, name: string): number | undefined {
  const value = parameters[name];
  return value === undefined ? undefined : Number(value);
}
