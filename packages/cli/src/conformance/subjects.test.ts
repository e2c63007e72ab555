// Whom the checks send a login to, against a real HTTPS server on loopback.
import { X509Certificate } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseLab } from '@labwright/core/lab/parse-lab';
import type { LabFile } from '@labwright/core/lab/read-lab';
import { Secret } from '@labwright/core/ports/secret';
import { routerPins } from '@labwright/daemon/router/router-pins';
import { openStore } from '@labwright/daemon/store/store';
import { faultReply, makeRouterCertificate, openRouterPeer } from '@labwright/drivers/pfsense/test-peer';
import { expect, test } from 'vitest';
import { readKnownCertificates } from './known-certificates.ts';
import { openPfsense } from './subjects.ts';

const labText = (port: number): string => `version: 1
lab: home
networks:
  lan: { cidr: 127.0.0.0/24, gateway: 127.0.0.1, machines: 127.0.0.16/28 }
hosts: { pve1: { address: 127.0.0.2, cores: 12, memory: 24GiB } }
proxmox: { token: { env: PROXMOX_TOKEN } }
router: { name: fw1, kind: pfsense, address: 127.0.0.1, port: ${port}, password: { env: P } }
netboot: { mode: serve, address: 127.0.0.50 }
pools:
  workers: { firstVmId: 102, count: 2 }
`;

/** A router with a certificate of its own, and a lab whose store may know one of it. */
async function standRouter(known: (now: string) => string | undefined) {
  const folder = await mkdtemp(join(tmpdir(), 'conformance-'));
  const certificate = await makeRouterCertificate();
  const peer = await openRouterPeer(certificate, () => faultReply(-32601, 'unknown method'));
  const store = openStore(join(folder, 'store.sqlite'));
  const { lab } = parseLab(labText(peer.port), 'lab.yaml');
  if (lab === undefined) throw new Error('the lab file is sound');
  const pin = known(new X509Certificate(certificate.pem).fingerprint256);
  if (pin !== undefined) await routerPins(store).set('fw1', pin);
  const certificates = await readKnownCertificates(store, { hosts: ['pve1'], router: 'fw1' });
  store.close();
  const subject = openPfsense({
    labFile: { path: 'lab.yaml', directory: folder, lab } as unknown as LabFile,
    credentials: { kind: 'token', id: 'labwright@pve!cli', secret: new Secret('not-a-secret') },
    tls: { kind: 'pinned', fingerprints: certificates.hosts },
    routerPassword: new Secret('of the router'),
    routerPins: certificates.router,
    expect: 'hardware',
  });
  if (subject === undefined) throw new Error('the lab has a router with a password');
  return {
    peer,
    certificates,
    ask: async () => await subject.connection.fetchFirmware(new AbortController().signal),
    close: async () => {
      await subject.connection.close();
      await peer.close();
      await rm(folder, { recursive: true });
    },
  };
}

test('the password of the router goes to the certificate that is known', async () => {
  const { peer, ask, close } = await standRouter((now) => now);
  await expect(ask()).rejects.toMatchObject({ code: 'LW8004' });
  expect(peer.calls).toHaveLength(1);
  await close();
});

test.each([
  ['another certificate is known', 'AA'.repeat(32), 'labwright doctor --trust fw1'],
  ['none is known', undefined, 'labwright plan'],
])('nothing is sent to the router when %s', async (_case, known, way) => {
  const { peer, ask, close } = await standRouter(() => known);
  await expect(ask()).rejects.toMatchObject({
    code: 'LW8003',
    fix: expect.arrayContaining([expect.stringContaining(way)]),
  });
  expect(peer.calls).toEqual([]);
  await close();
});

test('a host of which no certificate is known is refused, also where there is no store', async () => {
  const { hosts, router } = await readKnownCertificates(undefined, { hosts: ['pve1'], router: 'fw1' });
  expect([await hosts.get('pve1'), await router.get('fw1')]).toEqual([undefined, undefined]);
  await expect(hosts.set('pve1', 'AA')).rejects.toMatchObject({ code: 'LW2007' });
  await expect(router.set('fw1', 'AA')).rejects.toMatchObject({ code: 'LW8003' });
});
