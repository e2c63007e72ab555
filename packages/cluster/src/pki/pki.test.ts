import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, writeFile, chmod, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ipv4 } from '@labwright/core/addresses/ipv4';
import { hostName, labId } from '@labwright/core/addresses/names';
import { systemClock } from '@labwright/core/ports/system';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { cluster } from '../formation/sample-cluster.test-data.ts';
import { formatAuthorityPin } from './authority.ts';
import { makeControlPlaneFiles, makeKubeletFiles, type PushedFile } from './control-plane-files.ts';
import { issueClientLogin, issueEtcdClient, ownLogin, personLogin } from './logins.ts';
import { makeClusterPki } from './pki.ts';
import { openPkiVault, type PkiPlace } from './pki-vault.ts';

const lab = labId('home+rehearsal');
const { signal } = new AbortController();
let directory: string;
beforeEach(async () => void (directory = await mkdtemp(join(tmpdir(), 'labwright-pki-'))));
afterEach(async () => await rm(directory, { recursive: true }));

const openssl = (args: readonly string[]): string =>
  execFileSync('openssl', args, { cwd: directory, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

async function put(name: string, content: string): Promise<string> {
  await writeFile(join(directory, name), content, { mode: 0o600 });
  return name;
}

describe('what openssl says of', () => {
  test('an authority and its pin', async () => {
    const { ca } = await makeClusterPki(lab, Date.now());
    await put('ca.crt', ca.certificate);
    expect(openssl(['x509', '-in', 'ca.crt', '-noout', '-subject', '-nameopt', 'RFC2253'])).toBe(
      'subject=CN=home\\+rehearsal kubernetes\n',
    );
    expect(openssl(['x509', '-in', 'ca.crt', '-noout', '-ext', 'basicConstraints'])).toContain('CA:TRUE');
    // The command of kubeadm's own documentation, for any kind of key.
    const spki = openssl(['x509', '-in', 'ca.crt', '-noout', '-pubkey']);
    await put('ca.pub', spki);
    execFileSync('openssl', ['pkey', '-pubin', '-in', 'ca.pub', '-outform', 'der', '-out', 'ca.der'], {
      cwd: directory,
    });
    const digest = openssl(['dgst', '-sha256', '-r', 'ca.der']).split(' ')[0];
    expect(formatAuthorityPin(ca.certificate)).toBe(`sha256:${digest}`);
  });

  test('logins: signed by the right authority, for clients only, with name and groups', async () => {
    const pki = await makeClusterPki(lab, Date.now());
    const login = await issueClientLogin(pki, personLogin, Date.now());
    const etcd = await issueEtcdClient(pki, Date.now());
    await put('ca.crt', pki.ca.certificate);
    await put('etcd-ca.crt', pki.etcdCa.certificate);
    await put('login.crt', login.certificate);
    await put('etcd.crt', etcd.certificate);
    expect(openssl(['verify', '-purpose', 'sslclient', '-CAfile', 'ca.crt', 'login.crt'])).toBe('login.crt: OK\n');
    expect(openssl(['verify', '-purpose', 'sslclient', '-CAfile', 'etcd-ca.crt', 'etcd.crt'])).toBe('etcd.crt: OK\n');
    expect(() => openssl(['verify', '-purpose', 'sslserver', '-CAfile', 'ca.crt', 'login.crt'])).toThrow(
      'Command failed',
    );
    expect(() => openssl(['verify', '-CAfile', 'ca.crt', 'etcd.crt'])).toThrow('Command failed');
    const subject = openssl(['x509', '-in', 'login.crt', '-noout', '-subject', '-nameopt', 'RFC2253']);
    expect(subject).toBe('subject=CN=labwright-admin,O=labwright:admins\n');
    expect(openssl(['x509', '-in', 'login.crt', '-noout', '-checkend', String(364 * 86_400)])).toContain('will not');
    expect(() => openssl(['x509', '-in', 'login.crt', '-noout', '-checkend', String(366 * 86_400)])).toThrow(
      'Command failed',
    );
    const own = await issueClientLogin(pki, ownLogin, Date.now());
    await put('own.crt', own.certificate);
    expect(() => openssl(['x509', '-in', 'own.crt', '-noout', '-checkend', String(86_400)])).toThrow('Command failed');
  });

  test('the certificate of an API server: every name and address that clients use', async () => {
    const files = await controlPlaneFiles();
    await put('apiserver.crt', fileOf(files, 'pki/apiserver.crt'));
    const names = openssl(['x509', '-in', 'apiserver.crt', '-noout', '-ext', 'subjectAltName']);
    for (const name of [
      'DNS:node101',
      'DNS:kube.home.arpa',
      'DNS:kubernetes.default.svc.cluster.local',
      'DNS:node102',
    ]) {
      expect(names).toContain(name);
    }
    for (const address of ['10.96.0.1', '10.1.1.1', '10.1.1.2', '10.1.0.10', '127.0.0.1']) {
      expect(names).toContain(`IP Address:${address}`);
    }
  });
});

const node101 = { name: hostName('node101'), address: ipv4('10.1.1.1') };
const node102 = { name: hostName('node102'), address: ipv4('10.1.1.2') };

async function controlPlaneFiles(): Promise<readonly PushedFile[]> {
  const pki = await makeClusterPki(lab, Date.now());
  const files = await makeControlPlaneFiles(pki, cluster, node101, [node101, node102], Date.now());
  return [...files, ...(await makeKubeletFiles(pki, node101, 'https://10.1.1.1:6443', Date.now()))];
}

function fileOf(files: readonly PushedFile[], path: string): string {
  const file = files.find((each) => each.path === `/etc/kubernetes/${path}`);
  if (file === undefined || !('content' in file)) throw new Error(`there is a file ${path}`);
  return file.content;
}

test('private keys are for root alone', async () => {
  const files = await controlPlaneFiles();
  const contents = files.filter((file) => 'content' in file);
  const secret = contents.filter(({ content }) => /PRIVATE KEY|client-key-data/.test(content));
  expect(secret).toHaveLength(15);
  expect(secret.map(({ mode }) => mode)).toEqual(secret.map(() => 0o600));
});

describe('the vault', () => {
  const place = (overrides: Partial<PkiPlace> = {}): PkiPlace => ({
    lab,
    file: join(directory, 'cluster-keys.age'),
    identity: { kind: 'file', path: join(directory, 'identity'), isMadeWhenMissing: true },
    alsoOpened: [join(directory, 'secrets.age')],
    ...overrides,
  });
  const open = (overrides: Partial<PkiPlace> = {}) => openPkiVault(place(overrides), systemClock);

  test('makes keys once, for its owner only, and reads the same ones ever after', async () => {
    expect(await open().read(signal)).toBeUndefined();
    expect(await readdir(directory)).toEqual([]);
    const made = await open().readOrMake(signal);
    expect((await stat(place().file)).mode & 0o777).toBe(0o600);
    expect((await stat(join(directory, 'identity'))).mode & 0o777).toBe(0o600);
    expect(await readFile(place().file, 'utf8')).toMatch(/^-----BEGIN AGE ENCRYPTED FILE-----/);
    const again = await open().readOrMake(signal);
    expect(again.ca.certificate).toBe(made.ca.certificate);
    expect(again.serviceAccount.privateKey.reveal()).toBe(made.serviceAccount.privateKey.reveal());
    expect((await readdir(directory)).toSorted()).toEqual(['cluster-keys.age', 'identity']);
  });

  test('two at once end with the same keys', async () => {
    await open().readOrMake(signal);
    await rm(place().file);
    const [one, other] = await Promise.all([open().readOrMake(signal), open().readOrMake(signal)]);
    expect(one.ca.certificate).toBe(other.ca.certificate);
  });

  test('no identity anywhere: says how to get one', async () => {
    await expect(open({ identity: { kind: 'none' } }).readOrMake(signal)).rejects.toMatchObject({
      code: 'LW1003',
      fix: [expect.stringContaining('identityFile'), expect.stringContaining('LoadCredential')],
    });
    expect(await readdir(directory)).toEqual([]);
  });

  test('a lost identity is not replaced while something is encrypted for it', async () => {
    await open().readOrMake(signal);
    await rm(join(directory, 'identity'));
    await expect(open().readOrMake(signal)).rejects.toMatchObject({ code: 'LW1003' });
    await rm(place().file);
    await writeFile(join(directory, 'secrets.age'), 'of the old identity');
    await expect(open().readOrMake(signal)).rejects.toMatchObject({ code: 'LW1003', where: { file: /secrets\.age$/ } });
    expect(await readdir(directory)).toEqual(['secrets.age']);
  });

  test('keys of another lab, and a file that is damaged, are refused and left alone', async () => {
    await open().readOrMake(signal);
    const before = await readFile(place().file, 'utf8');
    await expect(open({ lab: labId('home') }).readOrMake(signal)).rejects.toMatchObject({
      code: 'LW6010',
      why: 'it holds the keys of lab home+rehearsal, and this is lab home',
    });
    expect(await readFile(place().file, 'utf8')).toBe(before);
    await writeFile(place().file, before.slice(0, 200));
    await expect(open().readOrMake(signal)).rejects.toMatchObject({ code: 'LW6010' });
    expect(await readFile(place().file, 'utf8')).toBe(before.slice(0, 200));
  });

  test('an identity that others may read is refused', async () => {
    await open().readOrMake(signal);
    await chmod(join(directory, 'identity'), 0o644);
    await expect(open().readOrMake(signal)).rejects.toMatchObject({ code: 'LW1003', fix: [/chmod 600/] });
  });
});
