import { X509Certificate } from 'node:crypto';
import { type AddressInfo, createServer } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { promisify } from 'node:util';
import { LabwrightError } from '@labwright/core/errors/error';
import { silentLog } from '@labwright/core/ports/log';
import { Secret } from '@labwright/core/ports/secret';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { proxmoxCall } from './call.ts';
import { versionCall } from './calls/cluster.ts';
import { destroyVmCall, stopVmCall } from './calls/vm.ts';
import type { ConnectOptions, ProxmoxConnection } from './connection.ts';
import {
  type Certificate,
  type PeerAnswer,
  type PeerRequest,
  type TestPeer,
  connectTo,
  makeCertificate,
  makeClock,
  memoryFingerprints,
  openPeer,
} from './test-peer.ts';

const signal = new AbortController().signal;
const version: PeerAnswer = { body: { data: { version: '9.0.3', release: '9.0' } } };
const upid = 'UPID:pve1:0003D0F5:00A1B2C3:65F0A1B2:qmstop:101:labwright@pve!cli:';
const anything = z.unknown();

let hardware: Certificate;
let otherHardware: Certificate;
let rehearsal: Certificate;
const cleanups: (() => Promise<void>)[] = [];

beforeAll(async () => {
  hardware = await makeCertificate('Proxmox Virtual Environment');
  otherHardware = await makeCertificate('Proxmox Virtual Environment');
  rehearsal = await makeCertificate('Labwright rehearsal');
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function peer(answer: (request: PeerRequest) => PeerAnswer, certificate = hardware): Promise<TestPeer> {
  const opened = await openPeer(certificate, answer);
  cleanups.push(async () => await opened.close());
  return opened;
}

function connect(peers: readonly { port: number }[], changes: Partial<ConnectOptions> = {}): ProxmoxConnection {
  const connection = connectTo(
    peers.map(({ port }) => port),
    changes,
  );
  cleanups.push(async () => await connection.close());
  return connection;
}

async function failure(promise: Promise<unknown>): Promise<LabwrightError> {
  const error = await promise.then(
    () => new Error('nothing was thrown'),
    (thrown: unknown) => thrown,
  );
  if (error instanceof LabwrightError) return error;
  throw error;
}

describe('the certificate', () => {
  it('is pinned on first contact and accepted again', async () => {
    const pve = await peer(() => version);
    const fingerprints = memoryFingerprints();
    const connection = connect([pve], { tls: { kind: 'pinned', fingerprints } });
    await connection.request(versionCall(), { signal });
    expect(fingerprints.known).toEqual({ pve1: new X509Certificate(hardware.pem).fingerprint256 });
    await connect([pve], { tls: { kind: 'pinned', fingerprints } }).request(versionCall(), { signal });
  });

  it('of another computer is refused before a request, so before a credential, is sent', async () => {
    const pve = await peer(() => version);
    const fingerprints = memoryFingerprints({ pve1: new X509Certificate(otherHardware.pem).fingerprint256 });
    const error = await failure(
      connect([pve], { tls: { kind: 'pinned', fingerprints } }).request(versionCall(), { signal }),
    );
    expect(error.code).toBe('LW2007');
    expect(error.where['seen']).toBe(new X509Certificate(hardware.pem).fingerprint256);
    expect(pve.requests).toEqual([]);
  });

  it('is checked on a write, which has a connection of its own', async () => {
    const pve = await peer(() => version);
    const fingerprints = memoryFingerprints({ pve1: 'AA:BB' });
    const connection = connect([pve], { tls: { kind: 'pinned', fingerprints } });
    const error = await failure(connection.request(stopVmCall({ node: 'pve1', vmid: 101 }), { signal }));
    expect([error.code, pve.requests]).toEqual(['LW2007', []]);
  });

  it.each([
    ['rehearsal', 'hardware'],
    ['hardware', 'rehearsal'],
  ] as const)('of %s is refused where %s is meant, and not pinned', async (shown, expected) => {
    const pve = await peer(() => version, shown === 'rehearsal' ? rehearsal : hardware);
    const fingerprints = memoryFingerprints();
    const connection = connect([pve], { expect: expected, tls: { kind: 'pinned', fingerprints } });
    const error = await failure(connection.request(versionCall(), { signal }));
    expect([error.code, pve.requests, fingerprints.known]).toEqual(['LW2007', [], {}]);
  });

  it('signed by the CA of the lab file is accepted, by another refused', async () => {
    const pve = await peer(() => version);
    const accepted = connect([pve], { tls: { kind: 'ca', pem: hardware.pem } });
    expect((await accepted.request(versionCall(), { signal })).version).toBe('9.0.3');
    const refused = connect([pve], { tls: { kind: 'ca', pem: otherHardware.pem } });
    const error = await failure(refused.request(versionCall(), { signal }));
    expect([error.code, pve.requests.length]).toEqual(['LW2007', 1]);
  });
});

describe('the login', () => {
  it('that is missing is told to whoever asks for something, and nothing is sent', async () => {
    const pve = await peer(() => version);
    const why = new LabwrightError('LW1003', { what: 'PROXMOX_TOKEN is not set' });
    const connection = connect([pve], { credentials: { kind: 'none', why } });
    expect(await failure(connection.request(versionCall(), { signal }))).toBe(why);
    expect(pve.requests).toEqual([]);
  });

  it('by token is one header, without CSRF', async () => {
    const pve = await peer(() => ({ body: { data: upid } }));
    await connect([pve]).request(stopVmCall({ node: 'pve1', vmid: 101 }), { signal });
    expect(pve.requests[0]?.headers).toMatchObject({ authorization: 'PVEAPIToken=labwright@pve!cli=a-token-secret' });
  });

  it('stops at the first refusal, also when many calls start at once', async () => {
    const pve = await peer(() => ({ status: 401, reason: 'Authentication failed!', body: 'no JSON here' }));
    const connection = connect([pve]);
    const calls = Array.from({ length: 8 }, async () => await failure(connection.request(versionCall(), { signal })));
    const errors = await Promise.all(calls);
    expect(errors.map((error) => [error.code, error.why])).toEqual(
      Array.from({ length: 8 }, () => ['LW2002', 'Authentication failed!']),
    );
    expect(pve.requests.length).toBe(1);
  });

  it('by ticket sends cookie and CSRF token, and renews before two hours with the old ticket', async () => {
    const clock = makeClock();
    let logins = 0;
    const pve = await peer(({ path }) => {
      if (!path.endsWith('/access/ticket')) return { body: { data: upid } };
      logins += 1;
      return {
        body: {
          data: { ticket: `PVE:root@pam:${logins}::sig=`, CSRFPreventionToken: `csrf-${logins}`, username: 'root@pam' },
        },
      };
    });
    const credentials = { kind: 'ticket', user: 'root@pam', password: new Secret('a password') } as const;
    const connection = connect([pve], { clock, credentials });
    const stop = async (): Promise<unknown> =>
      await connection.request(stopVmCall({ node: 'pve1', vmid: 101 }), { signal });
    await stop();
    clock.advance(95 * 60_000);
    await Promise.all([stop(), stop()]);
    const [login, write, renewal, later] = pve.requests;
    expect(Object.fromEntries(login?.form ?? [])).toEqual({ username: 'root@pam', password: 'a password' });
    expect(login?.headers['cookie']).toBeUndefined();
    expect(write?.headers).toMatchObject({
      cookie: 'PVEAuthCookie=PVE%3Aroot%40pam%3A1%3A%3Asig%3D',
      csrfpreventiontoken: 'csrf-1',
    });
    expect(renewal?.form.get('password')).toBe('PVE:root@pam:1::sig=');
    expect(later?.headers).toMatchObject({ csrfpreventiontoken: 'csrf-2' });
    expect(logins).toBe(2);
  });

  it('by ticket logs in once more after a 401, with the password', async () => {
    let valid = false;
    const pve = await peer(({ path }) => {
      if (!path.endsWith('/access/ticket'))
        return valid ? version : { status: 401, reason: 'permission denied - invalid PVE ticket', body: '' };
      valid = pve.requests.length > 1;
      return { body: { data: { ticket: 'PVE:t', CSRFPreventionToken: 'c' } } };
    });
    const credentials = { kind: 'ticket', user: 'root@pam', password: new Secret('pw') } as const;
    expect(await connect([pve], { credentials }).request(versionCall(), { signal })).toMatchObject({
      version: '9.0.3',
    });
    expect(pve.requests.map(({ path, form }) => form.get('password') ?? path)).toEqual([
      'pw',
      '/api2/json/version',
      'pw',
      '/api2/json/version',
    ]);
  });

  it('lacking a privilege names it and the path', async () => {
    const message = 'Permission check failed (/vms/101, VM.PowerMgmt)\n';
    const pve = await peer(() => ({ status: 403, reason: 'Forbidden', body: { data: null, message } }));
    const error = await failure(connect([pve]).request(stopVmCall({ node: 'pve1', vmid: 101 }), { signal }));
    expect([error.code, error.message]).toEqual(['LW2003', 'the Proxmox login lacks VM.PowerMgmt on /vms/101']);
  });
});

describe('answers', () => {
  it('are explained by the body before the reason phrase, with each parameter', async () => {
    const body = { data: null, message: 'Parameter verification failed.\n', errors: { memory: 'type check failed\n' } };
    const pve = await peer(() => ({ status: 400, reason: 'Replaced By A Proxy', body }));
    const error = await failure(connect([pve]).request(versionCall(), { signal }));
    expect([error.code, error.why]).toEqual(['LW2004', 'Parameter verification failed.; memory: type check failed']);
  });

  it('without a message in the body are explained by the reason phrase (PVE before 8.3)', async () => {
    const pve = await peer(() => ({
      status: 500,
      reason: 'unable to create VM 101 - VM 101 already exists',
      body: { data: null },
    }));
    expect((await failure(connect([pve]).request(versionCall(), { signal }))).why).toBe(
      'unable to create VM 101 - VM 101 already exists',
    );
  });

  it('never quote a secret of the call', async () => {
    const call = proxmoxCall('POST', '/nodes/{node}/qemu', anything, {
      path: { node: 'pve1' },
      parameters: { smbios1: new Secret('serial=S3CR3T') },
    });
    const pve = await peer(({ form }) => ({
      status: 400,
      body: { data: null, message: `bad value '${form.get('smbios1')}'` },
    }));
    const error = await failure(connect([pve]).request(call, { signal }));
    expect(JSON.stringify(error)).not.toContain('S3CR3T');
    expect(error.why).toBe("bad value '•••'");
  });

  it('of something else than Proxmox are called so', async () => {
    const pve = await peer(() => ({ body: '<html>Router login</html>' }));
    expect((await failure(connect([pve]).request(versionCall(), { signal }))).code).toBe('LW2009');
  });

  it('that lead elsewhere say where to, and what to correct', async () => {
    const pve = await peer(() => ({ status: 302, reason: 'Found', location: 'http://nas1:5000/webman', body: '' }));
    const error = await failure(connect([pve]).request(versionCall(), { signal }));
    expect(error.code).toBe('LW2009');
    expect(error.why).toBe('it answered 302 Found, a redirect to http://nas1:5000/webman');
    expect(error.fix[0]).toContain('proxmox.port');
  });

  it('send parameters of DELETE in the query and booleans as 1', async () => {
    const pve = await peer(() => ({ body: { data: upid } }));
    await connect([pve]).request(destroyVmCall({ node: 'pve1', vmid: 101 }), { signal });
    const [request] = pve.requests;
    expect(Object.fromEntries(request?.query ?? [])).toEqual({ purge: '1', 'destroy-unreferenced-disks': '1' });
    expect(request?.headers['content-length']).toBeUndefined();
  });
});

describe('what passes by itself', () => {
  it.each([595, 596, 599])('status %d on a read is asked again', async (status) => {
    const pve = await peer(() =>
      pve.requests.length < 3 ? { status, reason: 'Connection timed out', body: '' } : version,
    );
    const clock = makeClock();
    expect((await connect([pve], { clock }).request(versionCall(), { signal })).version).toBe('9.0.3');
    expect(clock.slept).toEqual([500, 1000]);
  });

  it('a lock timeout is asked again even on a write, because nothing was done', async () => {
    const message = "can't lock file '/var/lock/qemu-server/lock-101.conf' - got timeout";
    const pve = await peer(() =>
      pve.requests.length < 2 ? { status: 500, body: { data: null, message } } : { body: { data: upid } },
    );
    await connect([pve]).request(stopVmCall({ node: 'pve1', vmid: 101 }), { signal });
    expect(pve.requests.length).toBe(2);
  });

  it('status 596 on a write is not asked again: it may have been carried out', async () => {
    const pve = await peer(() => ({ status: 596, reason: 'Connection timed out', body: '' }));
    const error = await failure(connect([pve]).request(stopVmCall({ node: 'pve1', vmid: 101 }), { signal }));
    expect([error.code, pve.requests.length]).toEqual(['LW2001', 1]);
  });

  it('ends after a bounded number of tries', async () => {
    const pve = await peer(() => ({ status: 596, reason: 'Connection timed out', body: '' }));
    const clock = makeClock();
    expect((await failure(connect([pve], { clock }).request(versionCall(), { signal }))).code).toBe('LW2001');
    expect(pve.requests.length).toBe(5);
  });

  it('ends after a bounded time with a host that takes long over each', async () => {
    const clock = makeClock();
    const pve = await peer(() => {
      clock.advance(40_000);
      return { status: 596, reason: 'Connection timed out', body: '' };
    });
    const error = await failure(connect([pve], { clock }).request(versionCall(), { signal }));
    expect([error.code, pve.requests.length]).toEqual(['LW2001', 2]);
  });

  it('an error of silence says where was asked', async () => {
    const pve = await peer(() => 'hang up');
    const error = await failure(connect([pve]).request(versionCall(), { signal }));
    expect(error.fix[0]).toMatch(/open https:\/\/127\.0\.0\.1:\d+ in a browser$/);
  });

  it.each([
    ['an HTTP server', 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n'],
    ['an SSH server', 'SSH-2.0-OpenSSH_9.2p1\r\n'],
  ])('a port at which %s answers is told in plain words, and what to correct', async (_, greeting) => {
    const server = createServer((socket) =>
      socket
        .on('error', () => undefined)
        .resume()
        .end(greeting),
    );
    const listening = Promise.withResolvers<void>();
    server.listen(0, '127.0.0.1', listening.resolve);
    await listening.promise;
    cleanups.push(async () => await promisify(server.close.bind(server))());
    const { port } = server.address() as AddressInfo;
    const error = await failure(connect([{ port }]).request(versionCall(), { signal, tries: 1 }));
    expect([error.code, error.why]).toEqual([
      'LW2001',
      `pve1: what answers at port ${port} does not speak TLS, so it is not Proxmox's API`,
    ]);
    expect(error.fix[0]).toContain('proxmox.port');
  });

  it('a read whose kept connection the peer was closing is asked again without a pause', async () => {
    const pve = await peer(() => (pve.requests.length === 2 ? 'hang up' : version));
    const clock = makeClock();
    const connection = connect([pve], { clock });
    await connection.request(versionCall(), { signal });
    expect((await connection.request(versionCall(), { signal })).version).toBe('9.0.3');
    expect([pve.requests.length, clock.slept]).toEqual([3, []]);
  });

  it('a write never uses a kept connection, and is not sent again when its own breaks', async () => {
    const pve = await peer(({ method }) => (method === 'POST' ? 'hang up' : version));
    const connection = connect([pve]);
    await connection.request(versionCall(), { signal });
    // By now the connection of the read is free, as the next read on it shows.
    await setImmediate();
    await connection.request(versionCall(), { signal });
    await setImmediate();
    const attempt = await connection.attempt(stopVmCall({ node: 'pve1', vmid: 101 }), signal);
    expect(attempt).toMatchObject({ kind: 'failed', outcome: 'uncertain' });
    expect(pve.requests.map((request) => request.connection)).toEqual([1, 1, 2]);
  });
});

describe('several hosts', () => {
  it('the next one is asked, reads and writes alike, when one cannot be reached', async () => {
    const gone = await openPeer(hardware, () => version);
    await gone.close();
    const pve2 = await peer(() => ({ body: { data: upid } }));
    await connect([gone, pve2]).request(stopVmCall({ node: 'pve1', vmid: 101 }), { signal });
    expect(pve2.requests.length).toBe(1);
  });

  it('the error names each that was asked when none answers', async () => {
    const [one, two] = [await openPeer(hardware, () => version), await openPeer(hardware, () => version)];
    await Promise.all([one.close(), two.close()]);
    const error = await failure(connect([one, two]).request(versionCall(), { signal }));
    expect(error.code).toBe('LW2001');
    expect(error.why).toMatch(/^pve1: .*ECONNREFUSED.*; pve2: .*ECONNREFUSED/);
  });

  it('a call ends with the reason of its signal', async () => {
    const controller = new AbortController();
    const pve = await peer(() => {
      controller.abort(new Error('Ctrl-C'));
      return 'hang up';
    });
    await expect(
      connect([pve], { log: silentLog }).request(versionCall(), { signal: controller.signal }),
    ).rejects.toThrow('Ctrl-C');
  });
});
