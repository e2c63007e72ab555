import { X509Certificate } from 'node:crypto';
import { formatKubeconfig } from '@labwright/cluster/pki/kubeconfig';
import { makeClusterPki } from '@labwright/cluster/pki/pki';
import { resolveBlueprint } from '@labwright/core/blueprint/resolve-blueprint';
import { parseLab } from '@labwright/core/lab/parse-lab';
import { systemClock } from '@labwright/core/ports/system';
import { expect, test } from 'vitest';
import { makeKubeconfig } from './helm-access.ts';
import { kubernetesLab } from './kubernetes-lab.test-data.ts';

const { lab } = parseLab(kubernetesLab(), 'lab.yaml');
if (lab === undefined) throw new Error('the lab of this test is one');
const blueprint = resolveBlueprint(lab, { rehearsal: false });
const { cluster } = blueprint;
if (cluster === undefined) throw new Error('it has a cluster');
const { signal } = new AbortController();

test('a login of Labwright for hours, at the endpoint by its name', async () => {
  const pki = await makeClusterPki(blueprint.lab, systemClock.now());
  const vault = { read: async () => await Promise.resolve(pki) };
  const text = (await makeKubeconfig({ blueprint, cluster, vault, clock: systemClock }, signal)).reveal();
  const found = /client-certificate-data: (\S+)/.exec(text)?.[1] ?? '';
  const certificate = new X509Certificate(Buffer.from(found, 'base64'));
  expect(certificate.subject).toContain('CN=labwright');
  expect(certificate.validToDate.getTime() - systemClock.now()).toBeLessThan(24 * 3600_000);
  expect(text).toContain('server: https://10.1.0.10:6443');
  expect(text).toContain('tls-server-name: kube.home.arpa');
});

test('nobody is logged in before there are keys', async () => {
  const vault = { read: async () => await Promise.resolve(undefined) };
  const text = (await makeKubeconfig({ blueprint, cluster, vault, clock: systemClock }, signal)).reveal();
  const place = { cluster: 'home', server: 'https://10.1.0.10:6443', tlsServerName: 'kube.home.arpa', ca: '' };
  expect(text).toBe(formatKubeconfig(place));
});
