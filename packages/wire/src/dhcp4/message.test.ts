import { inspect, isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fuzzRuns, usualRuns } from '../bytes/fuzz-runs.ts';
import { DecodeError } from '../bytes/reader.ts';
import { EncodeError, bytesOf } from '../bytes/writer.ts';
import { decodeDhcp, encodeDhcp, formatDhcp, type DhcpMessage } from './message.ts';
import { dhcpOptionTable, ipxeOptions, messageType, pxeOptions, type DhcpOptions } from './options.ts';
import { ByteReader } from '../bytes/reader.ts';
import { ByteWriter } from '../bytes/writer.ts';

const runs = fuzzRuns(process.env['LABWRIGHT_FUZZ_RUNS']);
const timeout = 20_000 + runs;

const u8 = fc.integer({ min: 0, max: 255 });
const u16 = fc.integer({ min: 0, max: 65_535 });
const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const address = fc.tuple(u8, u8, u8, u8).map((parts) => parts.join('.'));
const addresses = fc.array(address, { maxLength: 4 });
const raw = fc.uint8Array({ maxLength: 300 });
const characters = fc.constantFrom('a', 'Z', '0', '-', '.', '/', '\xfc');
const words = fc.string({ unit: characters, maxLength: 30 });
const longWords = fc.string({ unit: characters, minLength: 256, maxLength: 700 });

const knownCodes = new Set<number>(Object.values(dhcpOptionTable).map((spec) => spec.code));
const options: fc.Arbitrary<DhcpOptions> = fc.record(
  {
    messageType: u8,
    serverId: address,
    leaseSeconds: u32,
    subnetMask: address,
    routers: addresses,
    nameServers: addresses,
    hostName: words,
    bootFileBlocks: u16,
    vendorSpecific: raw,
    requestedAddress: address,
    parameterRequest: fc.array(u8, { maxLength: 40 }),
    maxMessageSize: u16,
    vendorClass: words,
    clientId: raw,
    tftpServerName: words,
    bootFile: fc.oneof(words, longWords),
    userClass: raw,
    architectures: fc.array(u16, { maxLength: 3 }),
    networkInterface: fc.record({ type: u8, major: u8, minor: u8 }, { noNullPrototype: true }),
    machineId: raw,
    ipxe: fc.record(
      { priority: fc.integer({ min: -128, max: 127 }), featureHttp: u8, noProxyDhcp: u8, busId: raw },
      { requiredKeys: [], noNullPrototype: true },
    ),
    relayAgent: raw,
    unknown: fc
      .uniqueArray(
        fc.tuple(
          fc.integer({ min: 1, max: 254 }).filter((code) => code !== 52 && !knownCodes.has(code)),
          raw,
        ),
        { minLength: 1, maxLength: 3, selector: ([code]) => code },
      )
      .map((pairs) => new Map(pairs.toSorted(([one], [other]) => one - other))),
  },
  { requiredKeys: [], noNullPrototype: true },
);

const message: fc.Arbitrary<DhcpMessage> = fc.record(
  {
    op: fc.constantFrom('request' as const, 'reply' as const),
    hardwareType: u8,
    hops: u8,
    xid: u32,
    secs: u16,
    flags: u16,
    ciaddr: address,
    yiaddr: address,
    siaddr: address,
    giaddr: address,
    chaddr: fc.uint8Array({ maxLength: 16 }),
    sname: words,
    file: words,
    options,
  },
  { noNullPrototype: true },
);

const hostile = fc.oneof(
  fc.uint8Array({ maxLength: 320 }),
  // A sound header with anything behind it, so that the options are reached.
  fc.uint8Array({ maxLength: 80 }).map((tail) => {
    const bytes = encodeDhcp(makeMessage({ options: {} })).slice(0, 240 + tail.length);
    bytes.set(tail, 240);
    return bytes;
  }),
  fc.tuple(message, u16, u8).map(([value, at, byte]) => {
    const bytes = encodeDhcp(value);
    bytes[at % bytes.length] = byte;
    return bytes;
  }),
);

function makeMessage(changes: Partial<DhcpMessage> = {}): DhcpMessage {
  return {
    op: 'request',
    hardwareType: 1,
    hops: 0,
    xid: 0x1234_5678,
    secs: 4,
    flags: 0x8000,
    ciaddr: '0.0.0.0',
    yiaddr: '0.0.0.0',
    siaddr: '0.0.0.0',
    giaddr: '0.0.0.0',
    chaddr: Uint8Array.of(2, 0, 0, 0, 1, 1),
    sname: '',
    file: '',
    options: { messageType: messageType.discover },
    ...changes,
  };
}

function decodeOrUndefined(bytes: Uint8Array): DhcpMessage | undefined {
  try {
    return decodeDhcp(bytes);
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

/** As toStrictEqual, which takes ten times as long because it is ready to explain a difference. */
function expectSame(one: unknown, other: unknown): void {
  if (!isDeepStrictEqual(one, other)) throw new Error(`${inspect(one)} is not ${inspect(other)}`);
}

/** What the long run did. */
function tell(figure: string): void {
  if (runs > usualRuns) console.log(figure);
}

test('any bytes give a message or a DecodeError, and what was decoded is a fixed point', { timeout }, () => {
  let decoded = 0;
  fc.assert(
    fc.property(hostile, (bytes) => {
      const value = decodeOrUndefined(bytes);
      if (value === undefined) return;
      decoded += 1;
      const again = encodeDhcp(value);
      const twice = decodeDhcp(again);
      expectSame(twice, value);
      expectSame(encodeDhcp(twice), again);
      expectSame(formatDhcp(value).includes('xid'), true);
    }),
    { numRuns: runs },
  );
  expect(decoded).toBeGreaterThan(runs / 20);
  tell(`DHCP: ${runs} generated inputs, ${decoded} of them messages`);
});

test('what is encoded decodes to the same', { timeout }, () => {
  let checked = 0;
  fc.assert(
    fc.property(message, (value) => {
      checked += 1;
      expectSame(decodeDhcp(encodeDhcp(value)), value);
    }),
    { numRuns: runs },
  );
  expect(checked).toBe(runs);
  tell(`DHCP: ${runs} messages encoded and decoded`);
});

test('a cut before the end mark is an error at every byte; behind it there is only padding', { timeout }, () => {
  const messages = Math.min(runs / 4, 100_000);
  let cuts = 0;
  // A stack for each of the millions of errors would be most of the time.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  fc.assert(
    fc.property(message, (value) => {
      const bytes = encodeDhcp(value);
      const end = bytes.lastIndexOf(255);
      cuts += bytes.length;
      for (let length = 0; length < bytes.length; length += 1) {
        const decoded = decodeOrUndefined(bytes.subarray(0, length));
        const isWhole = length > end;
        if ((decoded !== undefined) !== isWhole) throw new Error(`cut at ${length} of ${bytes.length}`);
        if (length === end + 1) expectSame(decoded, value);
      }
    }),
    { numRuns: messages },
  );
  Error.stackTraceLimit = stackTraceLimit;
  expect(cuts).toBeGreaterThan(runs);
  tell(`DHCP: ${messages} messages cut at every byte, ${cuts} cuts`);
});

test('an option longer than 255 bytes goes out in pieces and comes back whole (RFC 3396)', () => {
  const bootFile = 'x'.repeat(600);
  const bytes = encodeDhcp(makeMessage({ options: { bootFile } }));
  expect([bytes[240], bytes[241], bytes[240 + 257], bytes[241 + 257]]).toEqual([67, 255, 67, 255]);
  expect(decodeDhcp(bytes).options.bootFile).toBe(bootFile);
});

test('options continue in the file and the name field when option 52 says so', () => {
  const bytes = encodeDhcp(makeMessage({ options: {} }));
  bytes.set([52, 1, 3, 12, 3, 0x6e, 0x6f, 0x64, 255], 240);
  bytes.set([12, 2, 0x65, 0x31, 255], 108);
  bytes.set([12, 2, 0x30, 0x31, 255], 44);
  expect(decodeDhcp(bytes)).toMatchObject({ file: '', sname: '', options: { hostName: 'node101' } });
  bytes.fill(0, 44, 108);
  expect(() => decodeDhcp(bytes)).toThrow('no end mark');
});

test('a relay option is written last, and what is not in the table survives', () => {
  const unknown = new Map([[224, Uint8Array.of(1, 2)]]);
  const bytes = encodeDhcp(makeMessage({ options: { relayAgent: Uint8Array.of(1, 1, 7), messageType: 1, unknown } }));
  expect(Array.from(bytes.subarray(240, 253))).toEqual([53, 1, 1, 224, 2, 1, 2, 82, 3, 1, 1, 7, 255]);
  expect(decodeDhcp(bytes).options.unknown).toEqual(unknown);
});

test('answers are padded to the 300 bytes that old ROMs want, and never larger than the client takes', () => {
  expect(encodeDhcp(makeMessage())).toHaveLength(300);
  expect(() => encodeDhcp(makeMessage({ options: { bootFile: 'x'.repeat(400) } }), 576)).toThrow(EncodeError);
});

test('the sub-options that make a ROM skip discovery are exactly the four bytes firmware expects', () => {
  const writer = new ByteWriter();
  pxeOptions.encode(writer, { discoveryControl: 8 });
  expect([...writer.finish()]).toEqual([6, 1, 8, 255]);
  expect(pxeOptions.decode(new ByteReader(writer.finish()))).toEqual({ discoveryControl: 8 });
});

test('iPXE says what it can do in option 175', () => {
  // What QEMU's ROM of Debian 12 (iPXE of 2019) sends for BIOS, by the order of the codes.
  const bytes = bytesOf(
    '\x10\x01\x02\x11\x01\x01\x12\x01\x01\x13\x01\x01\x15\x01\x01\x17\x01\x01\x18\x01\x01\x19\x01\x01' +
      '\x21\x01\x01\x22\x01\x01\x27\x01\x01\x29\x01\x01\xb1\x05\x01\x1a\xf4\x10\x00\xeb\x03\x01\x00\x00',
  );
  const options = ipxeOptions.decode(new ByteReader(bytes));
  expect(options).toMatchObject({ featureHttp: 1, featureBzimage: 1, version: Uint8Array.of(1, 0, 0) });
  expect(options.featureHttps).toBeUndefined();
  expect(options.unknown?.get(0x11)).toEqual(Uint8Array.of(1));
});

test('a message prints so that a person can read it', () => {
  const text = formatDhcp(
    makeMessage({
      options: { messageType: 1, vendorClass: 'PXEClient', architectures: [7], requestedAddress: '10.1.1.1' },
    }),
  );
  expect(text).toBe(
    [
      'request xid 12345678 from 02:00:00:00:01:01 (hops 0, secs 4, flags 8000)',
      'ciaddr 0.0.0.0, yiaddr 0.0.0.0, siaddr 0.0.0.0, giaddr 0.0.0.0',
      '53 messageType: 1 DISCOVER',
      '50 requestedAddress: 10.1.1.1',
      '60 vendorClass: "PXEClient"',
      '93 architectures: 7 efiX64',
    ].join('\n'),
  );
});
