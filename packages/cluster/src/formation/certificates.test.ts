import { execFileSync, spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hostName } from '@labwright/core/addresses/names';
import { expect, test } from 'vitest';
import { makeControlPlaneFiles, makeKubeletFiles } from '../pki/control-plane-files.ts';
import { makeClusterPki } from '../pki/pki.ts';
import { fetchCertificates, parseCertificates } from './certificates.ts';
import { readGuestFile } from './kubeadm-job.ts';
import type { OpenShell } from './shell.ts';
import { makeMember } from '../sample-lab.test-data.ts';
import { cluster, lab } from './sample-cluster.test-data.ts';

const now = Date.UTC(2026, 0, 1);
const yearMs = 365 * 24 * 3600_000;

test('what a control plane uses, by name and end, without authorities and without a word of a key', async () => {
  const pki = await makeClusterPki(lab, now);
  const machine = makeMember(101, 'control-plane');
  const files = [
    ...(await makeControlPlaneFiles(pki, cluster, machine, [machine], now)),
    ...(await makeKubeletFiles(pki, machine, 'https://10.1.1.1:6443', now + 1000)),
  ];
  // The script's own words for each kind of file, with the files in its place.
  const script = readGuestFile('certificates.sh');
  expect(script).toContain("sed -n 's/^ *client-certificate-data: *//p'");
  const said = files.flatMap((file) => {
    if ('target' in file) return [];
    if (file.path.endsWith('.crt')) return [`file ${file.path}\n${file.content}`];
    const shell = (program: string): string =>
      execFileSync('sh', ['-c', program], { input: file.content, encoding: 'utf8' });
    if (file.path.endsWith('.conf')) {
      const data = shell("sed -n 's/^ *client-certificate-data: *//p' | base64 -d");
      return data === '' ? [] : [`file ${file.path}\n${data}`];
    }
    if (!file.path.endsWith('.pem')) return [];
    const pem = shell("sed -n '/BEGIN CERTIFICATE/,/END CERTIFICATE/p'");
    return [`file /var/lib/kubelet/pki/kubelet-client-current.pem\n${pem}`];
  });
  expect(said.join('')).not.toContain('PRIVATE KEY');
  const found = parseCertificates(said.join(''));
  expect(found.map(({ name }) => name).toSorted((one, other) => one.localeCompare(other))).toEqual([
    'admin.conf',
    'apiserver',
    'apiserver-etcd-client',
    'apiserver-kubelet-client',
    'controller-manager.conf',
    'etcd/healthcheck-client',
    'etcd/peer',
    'etcd/server',
    'front-proxy-client',
    'kubelet',
    'scheduler.conf',
  ]);
  expect(new Set(found.map(({ expiresAt }) => expiresAt))).toEqual(new Set([now + yearMs, now + yearMs + 1000]));
  expect(found.at(-1)?.name).toBe('kubelet');
});

test('a machine that cannot read one that is there says so, and one without any has none', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'certificates-'));
  // As on the machine, with the folder in place of its own.
  const openShell: OpenShell = () => async (_command, call) => {
    const input = String(call.stdin).replaceAll('/etc/kubernetes', folder).replaceAll('/var/lib/kubelet', folder);
    const { status, stdout, stderr } = spawnSync('sh', ['-s'], { input, encoding: 'utf8' });
    return { exitCode: status ?? 255, stdout, stderr };
  };
  const call = { timeoutMs: 10_000, signal: new AbortController().signal };
  try {
    await mkdir(join(folder, 'pki'));
    expect(await fetchCertificates(openShell, hostName('node101'), call)).toEqual([]);
    await writeFile(join(folder, 'admin.conf'), 'users: []\n');
    expect(await fetchCertificates(openShell, hostName('node101'), call)).toEqual([]);
    // Root reads any file, but no folder.
    await mkdir(join(folder, 'pki/apiserver.crt'));
    await expect(fetchCertificates(openShell, hostName('node101'), call)).rejects.toMatchObject({
      code: 'LW6036',
      where: { machine: 'node101' },
      why: expect.stringContaining('apiserver.crt'),
    });
  } finally {
    await rm(folder, { recursive: true });
  }
});
