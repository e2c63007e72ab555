import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { systemRandom } from '@labwright/core/ports/system';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { exportTrouble } from './export-steps.ts';
import { formatExports } from './linux-exports.ts';
import { readMountAnswer } from './mount-probe.ts';
import { probeNfs } from './nfs-probe.ts';
import { decodeNullReply, encodeNullCall } from './rpc-null.ts';
import { decodeMariadbPackets, decodePostgresAnswer, decodeRedisAnswer, probeService } from './service-probe.ts';

const words = (...numbers: number[]): Uint8Array => {
  const bytes = new Uint8Array(numbers.length * 4);
  for (const [index, number] of numbers.entries()) new DataView(bytes.buffer).setUint32(index * 4, number);
  return bytes;
};
const last = 0x8000_0000;

describe('the NULL call', () => {
  test('is 40 bytes after its mark', () => {
    expect([...encodeNullCall(0x01020304)]).toEqual([
      ...[0x80, 0, 0, 40, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 2],
      ...[0, 1, 0x86, 0xa3, 0, 0, 0, 4, 0, 0, 0, 0],
      ...Array.from({ length: 16 }, () => 0),
    ]);
  });

  test.each([
    ['success', words(last + 24, 7, 1, 0, 0, 0, 0), { kind: 'success' }],
    ['success after a verifier of five bytes', words(last + 32, 7, 1, 0, 1, 5, 0, 0, 0), { kind: 'success' }],
    ['versions 2 to 3', words(last + 32, 7, 1, 0, 0, 0, 2, 2, 3), { kind: 'mismatch', lowest: 2, highest: 3 }],
    ['no such program', words(last + 24, 7, 1, 0, 0, 0, 1), { kind: 'refused' }],
    ['denied', words(last + 24, 7, 1, 1, 0, 2, 2), { kind: 'refused' }],
    ['an answer to another call', words(last + 24, 8, 1, 0, 0, 0, 0), { kind: 'not-rpc' }],
    ['a call', words(last + 24, 7, 0, 0, 0, 0, 0), { kind: 'not-rpc' }],
    ['a web server', Buffer.from('HTTP/1.1 400 Bad Request\r\n'), { kind: 'not-rpc' }],
    ['half', words(last + 24, 7, 1), { kind: 'incomplete' }],
    ['nothing', new Uint8Array(), { kind: 'incomplete' }],
  ] as const)('answered by %s', (_what, bytes, expected) => {
    expect(decodeNullReply(bytes, 7)).toEqual(expected);
  });

  test('answered by anything gives an answer', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.integer({ min: 0, max: 2 ** 32 - 1 }), (bytes, xid) => {
        expect(decodeNullReply(bytes, xid).kind).toBeTypeOf('string');
      }),
      { numRuns: 500 },
    );
  });
});

describe('greetings', () => {
  test('any bytes give an answer or ask for more', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        for (const packet of decodeMariadbPackets(bytes) ?? []) expect(packet.kind).toBeTypeOf('string');
        for (const answer of [decodePostgresAnswer(bytes), decodeRedisAnswer(bytes)]) {
          expect(['well', 'refuses', 'stranger', undefined]).toContain(answer?.kind);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('of PostgreSQL and Redis are told from others', () => {
    const say = (text: string) => Buffer.from(text);
    expect([decodePostgresAnswer(say('S')), decodePostgresAnswer(say('N'))]).toEqual([
      { kind: 'well' },
      { kind: 'well' },
    ]);
    expect([decodePostgresAnswer(say('SSH-2.0-OpenSSH')), decodePostgresAnswer(say('E'))]).toMatchObject([
      { kind: 'stranger' },
      { kind: 'stranger' },
    ]);
    expect([
      decodeRedisAnswer(say('+PONG\r\n')),
      decodeRedisAnswer(say('-NOAUTH Authentication required.\r\n')),
    ]).toEqual([{ kind: 'well' }, { kind: 'well' }]);
    expect(decodeRedisAnswer(say('-LOADING Redis is loading\r\n'))).toEqual({
      kind: 'refuses',
      why: 'LOADING Redis is loading',
    });
    expect(decodeRedisAnswer(say('+PO'))).toBeUndefined();
  });

  test('with control characters do not reach a terminal', () => {
    const body = Buffer.from([255, 0x6a, 4, ...Buffer.from('Host \u001B[31mis\u0007 not allowed')]);
    const [packet] = decodeMariadbPackets(Buffer.concat([Uint8Array.of(body.length, 0, 0, 0), body])) ?? [];
    expect(packet).toEqual({ kind: 'error', words: 'Host  [31mis  not allowed' });
  });
});

describe('a peer that says nothing, too much or hangs up', () => {
  test.each([
    ['nothing', (): void => undefined, 'speechless'],
    ['too much', (socket: Socket): void => void socket.write('+'.repeat(200_000)), 'endless'],
    ['and hangs up', (socket: Socket): void => void socket.end(), 'closed'],
  ])('%s: the probe ends', async (_what, behave) => {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      behave(socket);
    });
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    const { port } = server.address() as AddressInfo;
    const { signal } = new AbortController();
    const service = { kind: 'mariadb', address: '127.0.0.1', port } as const;
    expect(await probeService(service, { signal, timeoutMs: 300 })).toMatchObject({ kind: 'stranger' });
    expect(await probeNfs('127.0.0.1', { random: systemRandom, signal, port, timeoutMs: 300 })).toMatchObject({
      kind: 'not-nfs',
    });
    const aborted = AbortSignal.abort(new Error('stop'));
    await expect(probeService(service, { signal: aborted })).rejects.toThrow('stop');
    for (const socket of sockets) socket.destroy();
    server.close();
  });
});

describe('the words of mount.nfs', () => {
  // As nfs-utils 2.6 prints them.
  test.each([
    [0, '', 'writable'],
    [10, 'mount.nfs: access denied by server while mounting 10.1.0.20:/volume1/k8s', 'denied'],
    [
      10,
      'mount.nfs: mounting 10.1.0.20:/volume1/k8s failed, reason given by server: No such file or directory',
      'not-exported',
    ],
    [10, 'mount.nfs: Protocol not supported', 'no-version-4'],
    [10, 'mount.nfs: requested NFS version or transport protocol is not supported for /x', 'no-version-4'],
    [10, 'mount.nfs: Connection timed out', 'unreachable'],
    [10, 'mount.nfs: No route to host', 'unreachable'],
    [
      11,
      "mktemp: failed to create file via template '/run/x/.labwright-probe-XXXXXX': Read-only file system",
      'read-only',
    ],
    [11, "mktemp: failed to create file via template '/run/x/.labwright-probe-XXXXXX': Permission denied", 'no-write'],
    [127, 'sh: 1: unshare: not found', 'other'],
  ])('exit code %i, %j: %s', (exitCode, stderr, kind) => {
    expect(readMountAnswer(exitCode, stderr).kind).toBe(kind);
  });
});

describe('what a person is told to do', () => {
  const checked = (kind: 'synology' | 'linux') => ({
    nas: { name: 'nas1', kind, address: '10.1.0.20' },
    path: '/volume1/kubernetes',
    clients: '10.1.0.0/22',
  });

  test('on DSM: names the shared folder, the network and the squash', () => {
    const { why, fix } = exportTrouble(checked('synology'), 'denied', 'access denied by server');
    expect(why).toBe('it does not let the machines of this lab mount the folder: access denied by server');
    expect(fix).toEqual([
      expect.stringMatching(/Shared Folder > kubernetes > Edit > NFS Permissions.*10\.1\.0\.0\/22.*No mapping/),
    ]);
    expect(exportTrouble(checked('synology'), 'no-version-4', '').fix[0]).toContain('maximum protocol NFSv4.1');
    expect(exportTrouble(checked('synology'), 'not-exported', '').fix[0]).toContain(
      'Create: kubernetes (its path must be /volume1/kubernetes)',
    );
  });

  test('on Linux: the line to write is the one Labwright would write', () => {
    const { fix } = exportTrouble(checked('linux'), 'denied', '');
    const rules = [{ path: '/volume1/kubernetes', clients: '10.1.0.0/22' }];
    expect(fix[0]).toContain(formatExports('home', rules).split('\n')[1]);
  });
});
