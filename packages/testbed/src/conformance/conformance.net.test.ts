// `labwright conformance` against both emulators: they answer as it is written down (LABWRIGHT_RECORD=1 writes it anew), and one that
// deviates is found out.
import { randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { labId, vmId } from '@labwright/core/addresses/names';
import { silentLog } from '@labwright/core/ports/log';
import { Secret } from '@labwright/core/ports/secret';
import { systemClock } from '@labwright/core/ports/system';
import { type Check, type CheckReport, answerKey, runChecks } from '@labwright/drivers/conformance/check';
import { emulatedAnswersFile, readEmulatedAnswers } from '@labwright/drivers/conformance/emulated-answers';
import { type PfsenseSubject, pfsenseChecks } from '@labwright/drivers/conformance/pfsense-checks';
import { type ProxmoxSubject, proxmoxChecks, removeOwnVm } from '@labwright/drivers/conformance/proxmox-checks';
import { connectProxmox } from '@labwright/drivers/proxmox/connection';
import {
  fixtureSecret,
  fixtureToken,
  startClusterFixture,
  type ClusterFixture,
} from '@labwright/rehearsal/proxmox/cluster-fixture';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { makeLan } from '../network/lan.ts';
import { connectRouter } from '../pfsense/router-connection.ts';
import { addRouterPeer, type RouterPeer } from '../pfsense/router-peer.ts';

const routerAddress = '10.77.48.1';
const isRecording = process.env['LABWRIGHT_RECORD'] === '1';
const stack = new AsyncDisposableStack();
const { signal } = new AbortController();
const lab = labId('test+rehearsal');

let cluster: ClusterFixture;
let router: RouterPeer;
let proxmox: ProxmoxSubject;
let pfsense: PfsenseSubject;

beforeAll(async () => {
  cluster = await startClusterFixture({ topology: { timeScale: 0.1 } });
  stack.defer(() => cluster.close());
  const connection = connectProxmox({
    hosts: cluster.topology.hosts,
    credentials: { kind: 'token', id: fixtureToken, secret: new Secret(fixtureSecret) },
    tls: { kind: 'ca', pem: await readFile(cluster.topology.certificateAuthorityFile, 'utf8') },
    expect: 'rehearsal',
    clock: systemClock,
    log: silentLog,
  });
  stack.defer(() => connection.close());
  await cluster.callTask('POST', '/nodes/pve1/qemu', { vmid: 101, memory: 256, scsi0: 'local-lvm:1' });
  await cluster.callTask('POST', '/nodes/pve1/qemu/101/status/start');
  const own = { vmId: vmId(990), lab, bridge: 'vmbr0', uuid: randomUUID() };
  proxmox = { connection, node: 'pve1', storage: 'local-lvm', guest: 101, own, found: {} };

  const lan = await makeLan('conformance-lan', '10.77.48.50/24');
  router = await addRouterPeer(lan, routerAddress, {
    hosts: [{ host: 'owner', domain: 'home.arpa', ip: '10.77.48.9' }],
  });
  stack.defer(() => router.stop());
  const toRouter = connectRouter(router);
  stack.defer(() => toRouter.close());
  pfsense = { connection: toRouter, lab };
}, 120_000);
afterAll(async () => {
  await stack.disposeAsync();
});

async function run<Context>(checks: readonly Check<Context>[], context: Context): Promise<readonly CheckReport[]> {
  const emulated = isRecording ? {} : await readEmulatedAnswers();
  return await runChecks(checks, { context, emulated, consent: () => Promise.resolve(true), signal });
}

/** What an owner would read: every check that came to something else than "as the emulator". */
function findings(reports: readonly CheckReport[]): readonly unknown[] {
  return reports.flatMap(({ name, outcome }): readonly unknown[] => {
    if (outcome.kind === 'compared') return outcome.differences.map((difference) => ({ name, ...difference }));
    return [{ name, ...outcome }];
  });
}

async function record(reports: readonly CheckReport[]): Promise<void> {
  const known = await readEmulatedAnswers().catch(() => ({}));
  const entries = reports.flatMap(({ outcome, ...check }) => {
    if (outcome.kind === 'not run') throw new Error(`${check.name}: ${outcome.why}`);
    return [[answerKey(check as CheckReport & { appliance: 'proxmox' }), outcome.seen] as const];
  });
  const text = JSON.stringify({ ...known, ...Object.fromEntries(entries) }, undefined, 1);
  await writeFile(emulatedAnswersFile, `${text}\n`);
}

it.runIf(isRecording)('writes down what the emulators answer', { timeout: 120_000 }, async () => {
  await writeFile(emulatedAnswersFile, '{}\n');
  await record(await run(proxmoxChecks, proxmox));
  await record(await run(pfsenseChecks, pfsense));
  expect(Object.keys(await readEmulatedAnswers())).toHaveLength(proxmoxChecks.length + pfsenseChecks.length);
});

it('the emulated Proxmox answers as is written down, and its VM is gone after', { timeout: 120_000 }, async () => {
  expect(findings(await run(proxmoxChecks, proxmox))).toEqual([]);
  expect(await removeOwnVm(proxmox, signal)).toBe(false);
});

it('the emulated pfSense answers as is written down, and nothing of it stays', { timeout: 120_000 }, async () => {
  expect(findings(await run(pfsenseChecks, pfsense))).toEqual([]);
  expect(await router.control.fetchConfig()).not.toContain('conformance.labwright.invalid');
});

it('writes that are not allowed are not made', { timeout: 60_000 }, async () => {
  const before = await router.control.fetchConfig();
  const emulated = await readEmulatedAnswers();
  const consent = (): Promise<boolean> => Promise.resolve(false);
  const reports = await runChecks(pfsenseChecks, { context: pfsense, emulated, consent, signal });
  expect(new Set(reports.flatMap(({ outcome }) => (outcome.kind === 'not run' ? [outcome.why] : [])))).toEqual(
    new Set(['you did not allow it']),
  );
  expect(await router.control.fetchConfig()).toBe(before);
});

it('a Proxmox with other words is found out', { timeout: 60_000 }, async () => {
  const fault = { kind: 'answer', status: 404, reason: 'no such VM', path: '/qemu/999999999/config' } as const;
  await cluster.fault('pve1', { ...fault, isCarriedOut: false });
  const reads = proxmoxChecks.filter(({ kind, after }) => kind === 'read' && after === undefined);
  const found = findings(await run(reads, proxmox));
  expect(found).toEqual([
    expect.objectContaining({ name: 'absent VM configuration', kind: 'differs', what: expect.stringContaining('404') }),
  ]);
});

it('a pfSense whose resolver cannot be told is found out', { timeout: 60_000 }, async () => {
  const page = await router.control.openPage();
  await page.save({ edits: [{ kind: 'remove', path: ['unbound', 'enable'] }], apply: ['unbound'] });
  const reads = pfsenseChecks.filter(({ kind }) => kind === 'read');
  expect(findings(await run(reads, pfsense))).toEqual([
    expect.objectContaining({ name: 'what is used', kind: 'differs', what: expect.stringContaining('resolver') }),
  ]);
});
