// Every call the emulator serves exists in Proxmox's own API description with the same parameters. The description is not ours to
// keep in this repository, so this test needs it beside it, and says so when it is not there.
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { allRoutes } from './router.ts';
import type { Permission } from './route.ts';
import type { Parameter } from './schema-check.ts';
import type { PropertyFormat } from './property-string.ts';

const file = resolve(import.meta.dirname, '../../../../../shared/proxmox/api-schema.json');

interface ForeignSchema {
  readonly type?: string;
  readonly optional?: number | boolean;
  readonly enum?: readonly string[];
  readonly minimum?: number | string;
  readonly maximum?: number;
  readonly maxLength?: number;
  readonly requires?: string;
  readonly pattern?: string;
  readonly alias?: string;
  readonly default_key?: number;
  readonly format?: string | Readonly<Record<string, ForeignSchema>>;
  readonly properties?: Readonly<Record<string, ForeignSchema>>;
}

interface ForeignMethod {
  readonly parameters: { readonly properties?: Readonly<Record<string, ForeignSchema>> };
  readonly returns?: ForeignSchema;
  readonly protected?: number;
  readonly proxyto?: string | null;
  readonly allowtoken?: number;
  readonly permissions?: { readonly user?: string; readonly check?: readonly unknown[] };
}

type ForeignApi = Readonly<Record<string, Readonly<Record<string, ForeignMethod>>>>;

const describeHere = existsSync(file) ? describe : describe.skip;
if (!existsSync(file))
  console.warn(`skipped: ${file} is not there; the emulated calls are not held against Proxmox's description`);

describeHere('the emulated calls against the API description', () => {
  const api = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as ForeignApi) : {};

  it.each(allRoutes.map((route) => [`${route.method} ${route.path}`, route] as const))('%s', (_, route) => {
    const method = api[route.path]?.[route.method];
    if (method === undefined) throw new Error('Proxmox has no such call');
    const foreign = method.parameters.properties ?? {};
    expect(Object.keys(route.parameters).sort()).toEqual(Object.keys(foreign).sort());
    const names = Object.keys(route.parameters);
    const ours = names.map((name) => [name, describeOurs(route.parameters[name] as Parameter)]);
    const theirs = names.map((name) => [
      name,
      describeTheirs(foreign[name] ?? {}, route.parameters[name] as Parameter),
    ]);
    expect(Object.fromEntries(ours)).toEqual(Object.fromEntries(theirs));
    expect(route.returns).toBe(method.returns?.type ?? route.returns);
    expect(route.isProtected === true, 'protected').toBe(method.protected === 1);
    expect(route.isProxied === true, 'proxied').toBe(method.proxyto === 'node');
    expect(route.isTicketOnly !== true, 'token allowed').toBe(method.allowtoken === 1);
    expect(describePermission(route.permission, method)).toEqual(describeForeignPermission(method, route.permission));
  });
});

/** Where the emulator declares no more than "any login", its code looks at the privileges. */
function describePermission(permission: Permission, method: ForeignMethod): unknown {
  if (permission.kind === 'privilege') return ['perm', permission.path, permission.privileges];
  return permission.kind === 'world' ? 'world' : describeForeignPermission(method, permission);
}

function describeForeignPermission(method: ForeignMethod, permission: Permission): unknown {
  return permission.kind === 'privilege' ? method.permissions?.check?.slice(0, 3) : method.permissions?.user;
}

const limits = ['enum', 'minimum', 'maximum', 'maxLength', 'requires'] as const;

function describeOurs(parameter: Parameter): object {
  return {
    type: parameter.type,
    isOptional: parameter.optional === true,
    ...Object.fromEntries(
      limits.flatMap((limit) => (parameter[limit] === undefined ? [] : [[limit, String(parameter[limit])]])),
    ),
    hasPattern: parameter.pattern !== undefined,
    ...(parameter.properties === undefined ? {} : { fields: describeFields(parameter.properties) }),
  };
}

/** The inner format of what the emulator treats as plain text is not compared, nor one the description only names. */
function describeTheirs(theirs: ForeignSchema, ours: Parameter): object {
  return {
    type: theirs.type,
    isOptional: Boolean(theirs.optional),
    ...Object.fromEntries(
      limits.flatMap((limit) => (theirs[limit] === undefined ? [] : [[limit, String(theirs[limit])]])),
    ),
    hasPattern: theirs.pattern !== undefined,
    ...(ours.properties === undefined ? {} : { fields: describeForeignFields(theirs.format, ours.properties) }),
  };
}

/** Aliases of throttling fields are left out: the emulator takes the fields under their own names. */
function describeFields(format: PropertyFormat): object {
  return Object.fromEntries(
    Object.entries(format)
      .filter(([name]) => !isThrottlingAlias(name))
      .map(([name, field]) => [
        name,
        field.alias === undefined
          ? {
              type: field.type,
              isOptional: field.optional === true,
              enum: field.enum,
              isDefault: field.isDefault === true,
            }
          : { alias: field.alias },
      ]),
  );
}

function describeForeignFields(format: ForeignSchema['format'], ours: PropertyFormat): object {
  if (typeof format !== 'object') return describeFields(ours);
  return Object.fromEntries(
    Object.entries(format)
      .filter(([name]) => !isThrottlingAlias(name))
      .map(([name, field]) => [
        name,
        field.alias === undefined
          ? {
              type: field.type,
              isOptional: Boolean(field.optional),
              enum: field.enum,
              isDefault: Boolean(field.default_key),
            }
          : { alias: field.alias },
      ]),
  );
}

const isThrottlingAlias = (name: string): boolean => /^(?:bps|iops)_(?:rd|wr)_length$/.test(name);
