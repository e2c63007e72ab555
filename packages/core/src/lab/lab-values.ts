// The single values of a lab file: addresses, sizes, names, keys. Each refuses with a sentence and says what to write.
import { z } from 'zod';
import type { Brand } from '../addresses/brand.ts';
import { ipv4ToNumber, parseCidr, parseIpv4, type Cidr, type Ipv4, type Ipv4Range } from '../addresses/ipv4.ts';
import { parseMac, type Mac } from '../addresses/mac.ts';
import { parseHostName } from '../addresses/names.ts';
import { parseKubernetesVersion, type KubernetesVersion } from '../addresses/kubernetes-version.ts';

/** Whole mebibytes. */
export type MiB = Brand<number, 'MiB'>;
/** Whole gibibytes. */
export type GiB = Brand<number, 'GiB'>;

interface Refusal {
  /** One sentence: what is wrong with the text. */
  readonly refused: string;
  readonly fix: string;
}

function isRefusal(value: unknown): value is Refusal {
  return typeof value === 'object' && value !== null && 'refused' in value;
}

/** A string that a parser turns into a value or refuses; the refusal becomes a zod issue with the fix beside it. */
function parsedText<Value>(parse: (text: string) => Value | Refusal) {
  return z.string().transform((text, context): Value => {
    const value = parse(text);
    if (!isRefusal(value)) return value;
    context.issues.push({ code: 'custom', message: value.refused, input: text, params: { fix: value.fix } });
    return z.NEVER;
  });
}

const quoted = (text: string): string => JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);

export const ipv4Value = parsedText<Ipv4>(
  (text) =>
    parseIpv4(text) ?? {
      refused: `${quoted(text)} is not an IPv4 address`,
      fix: 'write four numbers from 0 to 255, like 10.1.0.1',
    },
);

/** YAML takes 1.35 for a number, so that is let in to be refused with the right words. */
export const kubernetesVersionValue = z
  .union([z.string(), z.number()])
  .transform((value, context): KubernetesVersion => {
    const version = parseKubernetesVersion(String(value));
    if (version !== undefined) return version;
    const message = `${quoted(String(value))} is not a version of Kubernetes`;
    context.issues.push({
      code: 'custom',
      message,
      input: value,
      params: { fix: 'write all three numbers, like 1.35.4' },
    });
    return z.NEVER;
  });

export const cidrValue = parsedText<Cidr>((text) => {
  const network = parseCidr(text);
  if (typeof network === 'string') return network;
  if (network.nearest === undefined) {
    return { refused: `${quoted(text)} is not a network: ${network.problem}`, fix: 'write it like 10.1.0.0/22' };
  }
  return { refused: `${quoted(text)} is an address inside a network, not a network`, fix: `write ${network.nearest}` };
});

function parseRange(text: string, single: 'allowed' | 'refused'): Ipv4Range | Refusal {
  const ends = text.split('-').map((end) => parseIpv4(end.trim()));
  const [first, last] = ends;
  if (single === 'allowed' && ends.length === 1 && first !== undefined) return { first, last: first };
  if (ends.length !== 2 || first === undefined || last === undefined) {
    const example = single === 'allowed' ? '10.1.0.40 or 10.1.0.40-10.1.0.49' : '10.1.3.100-10.1.3.200';
    return { refused: `${quoted(text)} is not a range of addresses`, fix: `write it like ${example}` };
  }
  if (ipv4ToNumber(first) > ipv4ToNumber(last)) {
    return { refused: `the range ${quoted(text)} ends before it starts`, fix: `write ${last}-${first}` };
  }
  return { first, last };
}

export const rangeValue = parsedText<Ipv4Range>((text) => parseRange(text, 'refused'));
export const rangeOrAddressValue = parsedText<Ipv4Range>((text) => parseRange(text, 'allowed'));

export const macValue = parsedText<Mac>(
  (text) =>
    parseMac(text) ?? {
      refused: `${quoted(text)} is not an Ethernet address`,
      fix: 'write six pairs of hex digits, like 02:1a:b0:00:01:01',
    },
);

/** The first three bytes of an Ethernet address, normalised: "02:1a:b0". */
export const macPrefixValue = parsedText<string & Brand<string, 'MacPrefix'>>((text) => {
  const normal = text.toLowerCase().replaceAll('-', ':');
  if (/^[0-9a-f]{2}(:[0-9a-f]{2}){2}$/.test(normal)) return normal as Brand<string, 'MacPrefix'>;
  return { refused: `${quoted(text)} is not a MAC prefix`, fix: 'write three pairs of hex digits, like 02:1a:b0' };
});

/** A DNS label: names of hosts, machines, pools, networks and appliances. */
export const nameValue = z
  .string()
  .refine((text) => parseHostName(text) !== undefined, {
    error: (issue) => `${quoted(String(issue.input))} cannot be a name`,
    params: { fix: 'use lower-case letters, digits and inner dashes, at most 63' },
  })
  .meta({ pattern: '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$' });

export const domainValue = z
  .string()
  .refine((text) => text.length <= 190 && text.split('.').every((label) => parseHostName(label) !== undefined), {
    error: (issue) => `${quoted(String(issue.input))} is not a domain`,
    params: { fix: 'write lower-case labels with dots between, like home.arpa' },
  });

const sizeUnits: Readonly<Record<string, number>> = { MiB: 1, GiB: 1024, TiB: 1024 * 1024 };

/** Mebibytes in "1024MiB", "2GiB", "1.5 GiB"; a refusal for anything that is not whole mebibytes. */
function parseMebibytes(text: string): number | Refusal {
  const match = /^([0-9]{1,7}(?:\.[0-9]{1,3})?) ?([A-Za-z]*)$/.exec(text.trim());
  const [, amount = '', unit = ''] = match ?? [];
  if (match === null) return { refused: `${quoted(text)} is not a size`, fix: 'write it like 2GiB' };
  const factor = sizeUnits[unit];
  if (factor === undefined) {
    const guess = { m: 'MiB', g: 'GiB', t: 'TiB' }[unit.charAt(0).toLowerCase()] ?? 'GiB';
    const refused = unit === '' ? `${quoted(text)} has no unit` : `"${unit}" is not a unit of size here`;
    return { refused, fix: `write ${amount}${guess}; the units are MiB, GiB and TiB` };
  }
  const mebibytes = Number(amount) * factor;
  if (!Number.isInteger(mebibytes) || mebibytes === 0) {
    return { refused: `${quoted(text)} is not a whole number of MiB above 0`, fix: 'write it like 2GiB' };
  }
  return mebibytes;
}

interface SizeLimit {
  readonly size: string;
  /** "4TiB is the most a virtual machine can have". */
  readonly why: string;
}

/** A slip of a digit or a unit is told here, and not by Proxmox in the middle of a run. */
function parseSizeWithin(text: string, least: SizeLimit, most: SizeLimit): number | Refusal {
  const mebibytes = parseMebibytes(text);
  if (typeof mebibytes !== 'number') return mebibytes;
  if (mebibytes < Number(parseMebibytes(least.size))) return refuseSize(text, 'little', least);
  return mebibytes > Number(parseMebibytes(most.size)) ? refuseSize(text, 'much', most) : mebibytes;
}

function refuseSize(text: string, word: 'little' | 'much', { size, why }: SizeLimit): Refusal {
  const bound = word === 'little' ? 'at least' : 'at most';
  return { refused: `${quoted(text)} is too ${word}: ${why}`, fix: `write ${bound} ${size}` };
}

const leastMemory: SizeLimit = { size: '256MiB', why: 'no system starts with less than 256MiB' };
const mostMemory: SizeLimit = { size: '4TiB', why: 'a virtual machine has at most 4TiB' };
const mostHostMemory: SizeLimit = { size: '16TiB', why: 'no host has more than 16TiB' };
const leastDisk: SizeLimit = { size: '2GiB', why: 'the system alone takes 2GiB' };
const mostDisk: SizeLimit = { size: '128TiB', why: 'no storage makes a disk over 128TiB' };

export const hostMemoryValue = parsedText<MiB>(
  (text) => parseSizeWithin(text, leastMemory, mostHostMemory) as MiB | Refusal,
);
export const memoryValue = parsedText<MiB>((text) => parseSizeWithin(text, leastMemory, mostMemory) as MiB | Refusal);

export const diskSizeValue = parsedText<GiB>((text) => {
  const mebibytes = parseSizeWithin(text, leastDisk, mostDisk);
  if (typeof mebibytes !== 'number') return mebibytes;
  if (mebibytes % 1024 === 0) return (mebibytes / 1024) as GiB;
  const nearest = Math.ceil(mebibytes / 1024);
  return { refused: `a disk is a whole number of GiB, and ${quoted(text)} is not`, fix: `write ${nearest}GiB` };
});

const timeUnits: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds in "30m", "6h", "1d". */
export const durationValue = parsedText<number>((text) => {
  const [, amount = '', unit = ''] = /^([1-9][0-9]{0,4}) ?([a-z]*)$/.exec(text.trim()) ?? [];
  const factor = timeUnits[unit];
  if (factor !== undefined) return Number(amount) * factor;
  return { refused: `${quoted(text)} is not a length of time`, fix: 'write it like 6h; the units are m, h and d' };
});

const keyTypes =
  '(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)|sk-(ssh-ed25519|ecdsa-sha2-nistp256)@openssh\\.com)';
const publicKeyPattern = new RegExp(`^${keyTypes} [A-Za-z0-9+/]+={0,3}( [^\\r\\n]*)?$`);

export const publicKeyValue = parsedText<string>((text) => {
  const key = text.trim();
  if (publicKeyPattern.test(key)) return key;
  if (key.includes('PRIVATE KEY')) {
    const fix = 'write the public key (the file that ends in .pub), and replace this private key';
    return { refused: 'this is a private key; it must never stand in a file', fix };
  }
  const fix = 'paste the line of a .pub file: ssh-ed25519 AAAA… you@laptop';
  return { refused: 'this is not an SSH public key', fix };
});

export const secretRefValue = z
  .strictObject({
    env: z
      .string()
      .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'this is not the name of an environment variable')
      .optional(),
    file: z.string().min(1).optional(),
    age: z.string().min(1).optional(),
  })
  .refine((reference) => Object.values(reference).filter((value) => value !== undefined).length === 1, {
    message: 'a secret is named by exactly one of env, file and age',
    params: { fix: 'write one, like {env: PROXMOX_TOKEN}' },
  })
  .meta({ minProperties: 1, maxProperties: 1 });

/** Where a secret is: an environment variable, a file (0600), or a key of the age-encrypted file beside the lab file. */
export type SecretRef = z.output<typeof secretRefValue>;
