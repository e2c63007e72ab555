// The bytes on the wire: what pveproxy answers to requests that no well-behaved client sends.
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixtureSecret, fixtureToken, startClusterFixture, type ClusterFixture } from './cluster-fixture.ts';

let cluster: ClusterFixture;
beforeAll(async () => {
  cluster = await startClusterFixture({ hostNames: ['pve1'], topology: { unauthorizedDelayMs: 300, profile: '8.4' } });
});
afterAll(() => cluster.close());

const authorization = `Authorization: PVEAPIToken=${fixtureToken}=${fixtureSecret}`;

/** Everything the host sends until it closes the connection, or until the time is over. */
function exchange(
  requests: readonly string[],
  limitMs = 2_000,
): Promise<{ readonly text: string; readonly isClosed: boolean }> {
  const [host] = cluster.topology.hosts;
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const finish = (isClosed: boolean): void => {
      socket.destroy();
      resolve({ text: Buffer.concat(chunks).toString('latin1'), isClosed });
    };
    const socket = connect({ host: host?.address, port: host?.port, rejectUnauthorized: false }, () =>
      socket.write(requests.join('')),
    );
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', reject);
    socket.on('close', () => finish(true));
    socket.setTimeout(limitMs, () => finish(false));
  });
}

const get = (path: string, ...headers: readonly string[]): string =>
  [`GET ${path} HTTP/1.1`, 'Host: pve1', authorization, ...headers, '', ''].join('\r\n');

describe('a request', () => {
  it('keeps the connection when it went well and closes it when not', async () => {
    const good = await exchange([get('/api2/json/version')], 300);
    expect(good.isClosed).toBe(false);
    expect(good.text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(good.text).toContain('Connection: Keep-Alive\r\n');
    expect(good.text).toContain('Server: pve-api-daemon/3.0\r\n');
    expect(good.text).toContain('Content-Type: application/json;charset=UTF-8\r\n');
    const bad = await exchange([get('/api2/json/nonsense')]);
    expect(bad.isClosed).toBe(true);
    expect(bad.text).toMatch(/^HTTP\/1\.1 501 Method 'GET \/nonsense' not implemented\r\n/);
    expect(bad.text).toContain('Connection: close\r\n');
  });

  it.each([
    ['/version', "500 no such file '/version'"],
    ['/api2/xml/version', '501 no such uri'],
    ['/api2/json/nodes/pve9/status', '500 hostname lookup'],
    [
      '/api2/json/nodes/pve1/qemu/999/config',
      "500 Configuration file 'nodes/pve1/qemu-server/999.conf' does not exist",
    ],
    ['/api2/json/nodes/pve1/tasks/UPID:x/status', '400 Parameter verification failed.'],
    ['/api2/json/nodes/pve1/qemu/100/config?vmid=101', '400 Parameter verification failed.'],
  ])('for %s ends in its reason phrase', async (path, expected) => {
    expect((await exchange([get(path)])).text).toMatch(
      new RegExp(`^HTTP/1\\.1 ${expected.replaceAll(/[.()/]/g, '\\$&')}`),
    );
  });

  it('may have a body only where one belongs', async () => {
    const request = [
      'DELETE /api2/json/nodes/pve1/qemu/100 HTTP/1.1',
      'Host: x',
      authorization,
      'Content-Length: 7',
      '',
      'purge=1',
    ];
    const { text, isClosed } = await exchange([request.join('\r\n')]);
    expect(text).toMatch(/^HTTP\/1\.1 501 Unexpected content for method 'DELETE'\r\n/);
    expect(isClosed).toBe(true);
  });

  it('may be neither too large nor chunked nor of a strange type', async () => {
    const post = (...headers: readonly string[]): string =>
      ['POST /api2/json/pools HTTP/1.1', 'Host: x', authorization, ...headers, '', ''].join('\r\n');
    expect((await exchange([post('Content-Length: 600000')])).text).toMatch(/^HTTP\/1\.1 501 for data too large/);
    expect((await exchange([post('Transfer-Encoding: chunked'), '0\r\n\r\n'])).text).toMatch(
      /^HTTP\/1\.1 501 chunked transfer encoding not supported/,
    );
    expect((await exchange([post('Content-Type: text/plain', 'Content-Length: 1'), 'x'])).text).toMatch(
      /^HTTP\/1\.1 506 upload 'Content-Type 'text\/plain' not implemented/,
    );
    expect((await exchange([get('/api2/json/version').replace('GET', 'PATCH')])).text).toMatch(
      /^HTTP\/1\.1 501 method 'PATCH' not available/,
    );
  });

  it('with too many headers gets no answer', async () => {
    const headers = Array.from({ length: 70 }, (_, index) => `X-${index}: 1`);
    expect(await exchange([get('/api2/json/version', ...headers)])).toEqual({ text: '', isClosed: true });
  });

  it('refused for its login waits, and has no body', async () => {
    const before = performance.now();
    const { text } = await exchange([get('/api2/json/version').replace(fixtureSecret, 'wrong')]);
    expect(performance.now() - before).toBeGreaterThan(290);
    // Versions before 9.1.5 said what was wrong.
    expect(text).toMatch(/^HTTP\/1\.1 401 invalid token value!\r\n[^]*\r\n\r\n$/);
  });

  it('is the hundredth of its connection and the last', async () => {
    const { text, isClosed } = await exchange(Array.from({ length: 101 }, () => get('/api2/json/version')));
    expect(text.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(100);
    expect(isClosed).toBe(true);
  });
});

it('answers in the shape of the web page with success and status, never an HTTP error', async () => {
  const { text } = await exchange([get('/api2/extjs/nodes/pve1/qemu/999/config')], 300);
  expect(text).toMatch(/^HTTP\/1\.1 200 OK/);
  expect(JSON.parse(text.slice(text.indexOf('{')))).toMatchObject({ success: 0, status: 500, data: null });
});

it('closes an idle connection after five seconds', { timeout: 12_000 }, async () => {
  const before = performance.now();
  const { isClosed } = await exchange([get('/api2/json/version')], 9_000);
  expect(isClosed).toBe(true);
  expect(performance.now() - before).toBeGreaterThan(4_500);
  expect(performance.now() - before).toBeLessThan(7_500);
});

it('takes JSON as it takes forms, and tells every wrong parameter at once', async () => {
  const body = JSON.stringify({
    vmid: 120,
    cores: 0,
    net0: 'virtio,brige=vmbr0',
    nonsense: true,
    onboot: 'yes',
    bios: 'efi',
    'live-restore': 1,
    force: 1,
  });
  const request = [
    'POST /api2/json/nodes/pve1/qemu HTTP/1.1',
    'Host: x',
    authorization,
    'Content-Type: application/json',
    `Content-Length: ${body.length}`,
    '',
    body,
  ];
  const { text } = await exchange([request.join('\r\n')]);
  expect(JSON.parse(text.slice(text.indexOf('{')))).toEqual({
    data: null,
    message: 'Parameter verification failed.\n',
    errors: {
      archive: "missing property required by 'force'",
      bios: "value 'efi' does not have a value in the enumeration 'seabios, ovmf'",
      cores: 'value must have a minimum value of 1',
      net0: 'invalid format - invalid key in comma-separated list property: brige\n\n',
      nonsense: 'property is not defined in schema and the schema does not allow additional properties',
      onboot: "type check ('boolean') failed - got 'yes'",
    },
  });
});
