// Who may connect (loadBalancerSourceRanges, and the same of an Ingress), asked of the real HAProxy of an emulated pfSense by one client
// inside and one outside.
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type Server } from 'node:net';
import { promisify } from 'node:util';
import { ipv4 } from '@labwright/core/addresses/ipv4';
import { makeIngress, makeNode, makeService } from '@labwright/network/exposures/cluster.test-data';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeLan } from '../network/lan.ts';
import { askAt, type ExposingRouter, startExposingRouter } from './exposing-router.ts';

const node = '10.77.54.50';
/** Addresses of this process; the ranges below begin at 128. */
const clients = { inside: '10.77.54.130', outside: node } as const;
const ranges = ['10.77.54.128/25'];
const [database, shop] = ['10.77.54.200', '10.77.54.201'];
const ports = { database: 30_306, page: 30_080, admin: 30_081 } as const;
const servers: Server[] = [];
let router: ExposingRouter;

beforeAll(async () => {
  const lan = await makeLan('ranges-lan', `${node}/24`);
  await promisify(execFile)('ip', ['addr', 'add', `${clients.inside}/24`, 'dev', 'ranges-lan']);
  await listen(
    createServer((socket) => {
      socket.on('error', () => undefined);
      socket.end('a row');
    }),
    ports.database,
  );
  for (const name of ['page', 'admin'] as const) {
    await listen(
      createHttpServer((_incoming, outgoing) => outgoing.end(`the ${name}`)),
      ports[name],
    );
  }
  router = await startExposingRouter(lan, '10.77.54.1', { first: ipv4(database), last: ipv4(shop) });
  const behind = (name: 'page' | 'admin') =>
    makeService(name, { spec: { type: 'NodePort' }, ports: [{ port: 80, protocol: 'TCP', nodePort: ports[name] }] });
  await router.put({
    services: [
      makeService('database', {
        annotations: { 'labwright.dev/address': database },
        ports: [{ port: 3306, protocol: 'TCP', nodePort: ports.database }],
        spec: { loadBalancerSourceRanges: ranges },
      }),
      behind('page'),
      behind('admin'),
    ],
    ingresses: [
      makeIngress('page', ['shop.svc/ page:80'], { annotations: { 'labwright.dev/address': shop } }),
      makeIngress('admin', ['shop.svc/admin admin:80'], {
        annotations: { 'labwright.dev/address': shop, 'labwright.dev/source-ranges': ranges.join() },
      }),
    ],
    nodes: [makeNode('node101', { address: node })],
  });
  await router.written();
}, 300_000);
afterAll(async () => {
  await router?.stop();
  for (const server of servers) server.close();
});

async function listen(server: Server, port: number): Promise<void> {
  server.listen({ host: node, port });
  await once(server, 'listening');
  servers.push(server);
}

test('a TCP port serves clients of its networks, and nobody else gets a byte', { timeout: 60_000 }, async () => {
  const ask = async (localAddress: string): Promise<string> =>
    await askAt({ host: database, port: 3306, localAddress });
  expect(await ask(clients.inside)).toBe('a row');
  // It is closed before anything is said; the kernel may tell of it as a reset.
  expect(await ask(clients.outside)).toMatch(/^(ECONNRESET)?$/);
});

test('a path is for clients of its networks, and is no other path to the others', { timeout: 60_000 }, async () => {
  const get = async (path: string, localAddress: string): Promise<string> => {
    const request = `GET ${path} HTTP/1.1\r\nhost: shop.svc\r\nconnection: close\r\n\r\n`;
    const answer = await askAt({ host: shop, port: 80, localAddress }, request);
    return `${answer.split(' ')[1] ?? answer} ${/the \w+$/.exec(answer)?.[0] ?? ''}`.trim();
  };
  expect(await get('/', clients.inside)).toBe('200 the page');
  expect(await get('/', clients.outside)).toBe('200 the page');
  for (const path of ['/admin', '/admin/users', '/admin?x=1']) {
    expect(await get(path, clients.inside)).toBe('200 the admin');
    // Not the page that "/" leads to.
    expect(await get(path, clients.outside)).toBe('503');
  }
  expect(await get('/administration', clients.outside)).toBe('200 the page');
});
