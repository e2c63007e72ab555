// Every call the emulator serves exists in Proxmox's own API description with the same parameters. The description is not ours to
// keep in this repository, so this test needs it beside it, and says so when it is not there.
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { allRoutes } from './router.ts';
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
if (!existsSync(file)) console.warn(`skipped: ${file} is not there; the emulated calls are not held against Proxmox's description`);

describeHere('the emulated calls against the API description', () => {
  const api = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as ForeignApi) : {};

  it.each(allRoutes.map((route) => [`${route.method} ${route.path}`, route] as const))('%s', (_, route) => {
    const method = api[route.path]?.[route.method];
    expect(method, 'the call exists').toBeDefined();
    if (method === undefined) return;
    const foreign = method.parameters.properties ?? {};
    expect(Object.keys(route.parameters).sort()).toEqual(Object.keys(foreign).sort());
    for (const [name, parameter] of Object.entries(route.parameters)) {
      const theirs = foreign[name];
      if (theirs !== undefined) expect(describeOurs(parameter), name).toEqual(describeTheirs(theirs, parameter));
    }
    if (method.returns?.type !== undefined) expect(route.returns).toBe(method.returns.type);
    expect(route.isProtected === true, 'protected').toBe(method.protected === 1);
    expect(route.isProxied === true, 'proxied').toBe(method.proxyto === 'node');
    expect(route.isTicketOnly !== true, 'token allowed').toBe(method.allowtoken === 1);
    const check = method.permissions?.check;
    if (route.permission.kind === 'privilege')
      expect(['perm', route.permission.path, route.permission.privileges]).toEqual(check?.slice(0, 3));
    if (route.permission.kind === 'world') expect(method.permissions?.user).toBe('world');
  });
});

const limits = ['enum', 'minimum', 'maximum', 'maxLength', 'requires'] as const;

function describeOurs(parameter: Parameter): object {
  return {
    type: parameter.type,
    isOptional: parameter.optional === true,
    ...Object.fromEntries(limits.flatMap((limit) => (parameter[limit] === undefined ? [] : [[limit, String(parameter[limit])]]))),
    hasPattern: parameter.pattern !== undefined,
    ...(parameter.properties === undefined ? {} : { fields: describeFields(parameter.properties) }),
  };
}

/** The inner format of what the emulator treats as plain text is not compared, nor one the description only names. */
function describeTheirs(theirs: ForeignSchema, ours: Parameter): object {
  const isCompared = ours.properties !== undefined && typeof theirs.format === 'object';
  return {
    type: theirs.type,
    isOptional: Boolean(theirs.optional),
    ...Object.fromEntries(limits.flatMap((limit) => (theirs[limit] === undefined ? [] : [[limit, String(theirs[limit])]]))),
    hasPattern: theirs.pattern !== undefined,
    ...(isCompared ? { fields: describeForeignFields(theirs.format as Readonly<Record<string, ForeignSchema>>) } : {}),
    ...(ours.properties !== undefined && !isCompared ? { fields: describeFields(ours.properties) } : {}),
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
          ? { type: field.type, isOptional: field.optional === true, enum: field.enum, isDefault: field.isDefault === true }
          : { alias: field.alias },
      ]),
  );
}

function describeForeignFields(format: Readonly<Record<string, ForeignSchema>>): object {
  return Object.fromEntries(
    Object.entries(format)
      .filter(([name]) => !isThrottlingAlias(name))
      .map(([name, field]) => [
        name,
        field.alias === undefined
          ? { type: field.type, isOptional: Boolean(field.optional), enum: field.enum, isDefault: Boolean(field.default_key) }
          : { alias: field.alias },
      ]),
  );
}

const isThrottlingAlias = (name: string): boolean => /^(?:bps|iops)_(?:rd|wr)_length$/.test(name);
