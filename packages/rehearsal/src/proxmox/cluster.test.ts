// Three hosts as one cluster, and what breaks in it: calls through another host, hosts that are down, tokens, faults, delays.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixtureSecret, fixtureToken, startClusterFixture, type ClusterFixture } from './cluster-fixture.ts';
import { startEmulatedHost } from './emulated-host.ts';

let cluster: ClusterFixture;
beforeAll(async () => {
  cluster = await startClusterFixture();
});
afterAll(() => cluster.close());

const find = (rows: unknown, key: string, value: unknown): Record<string, unknown> | undefined =>
  (rows as readonly Record<string, unknown>[]).find((row) => row[key] === value);

describe('the cluster', () => {
  it('is described by any of its hosts', async () => {
    const { data } = await cluster.call('GET', '/cluster/status', {}, { host: 'pve2' });
    expect(find(data, 'type', 'cluster')).toMatchObject({ name: 'home', nodes: 3, quorate: 1 });
    expect(find(data, 'name', 'pve2')).toMatchObject({ online: 1, local: 1, ip: '127.0.0.2' });
    expect((await cluster.call('GET', '/version')).data).toMatchObject({ release: '9.2' });
  });

  it('answers for a node through another, and keeps its errors', async () => {
    expect(await cluster.callTask('POST', '/nodes/pve3/qemu', { vmid: 301, name: 'far', tags: 'x' })).toBe('OK');
    const { data } = await cluster.call('GET', '/nodes/pve3/qemu/301/config', {}, { host: 'pve2' });
    expect(data).toMatchObject({ name: 'far' });
    const wrong = await cluster.call('POST', '/nodes/pve3/qemu', { vmid: 'x' }, { host: 'pve1' });
    expect([wrong.status, wrong.errors]).toEqual([400, { vmid: "type check ('integer') failed - got 'x'" }]);
    expect(wrong.message).toBe('Parameter verification failed.\n');
  });

  it('shows a new VM without its name until the next report', async () => {
    expect(await cluster.callTask('POST', '/nodes/pve1/qemu', { vmid: 110, name: 'fresh', tags: 'mine' })).toBe('OK');
    const resources = async (): Promise<Record<string, unknown> | undefined> =>
      find((await cluster.call('GET', '/cluster/resources', { type: 'vm' }, { host: 'pve2' })).data, 'vmid', 110);
    expect(await resources()).toMatchObject({ id: 'qemu/110', node: 'pve1', tags: 'mine' });
    await expect
      .poll(resources, { timeout: 5_000 })
      .toMatchObject({ name: 'fresh', status: 'stopped', maxmem: 512 * 1024 ** 2 });
  });

  it('gives free IDs and says when one is taken', async () => {
    expect((await cluster.call('GET', '/cluster/nextid')).data).toBe(100);
    expect((await cluster.call('GET', '/cluster/nextid', { vmid: 301 })).errors).toEqual({
      vmid: 'VM 301 already exists',
    });
  });
});

describe('a host that is down', () => {
  it('refuses its port, answers 595 through others, keeps its IDs and comes back', async () => {
    await cluster.callTask('POST', '/nodes/pve3/qemu/301/status/start');
    await cluster.fault('pve3', { kind: 'host-down', guests: 'power-cut' });
    await expect(cluster.call('GET', '/version', {}, { host: 'pve3' })).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    const through = await cluster.call('GET', '/nodes/pve3/status');
    expect([through.status, through.reason, through.text]).toEqual([595, 'Connection refused', '']);
    expect((await cluster.call('POST', '/nodes/pve1/qemu', { vmid: 301 })).message).toBe(
      "unable to create VM 301 - VM 301 already exists on node 'pve3'\n",
    );
    const nodes = async (): Promise<unknown> =>
      find((await cluster.call('GET', '/nodes')).data, 'node', 'pve3')?.['status'];
    await expect.poll(nodes, { timeout: 5_000 }).toBe('offline');
    const vm = find((await cluster.call('GET', '/cluster/resources', { type: 'vm' })).data, 'vmid', 301);
    expect(vm).toMatchObject({ node: 'pve3', status: 'unknown' });
    await cluster.fault('pve3', { kind: 'host-up' });
    await expect.poll(nodes, { timeout: 5_000 }).toBe('online');
    expect((await cluster.call('GET', '/nodes/pve3/qemu/301/status/current')).data).toMatchObject({
      status: 'stopped',
    });
  });
});

describe('faults', () => {
  it('answers as often as told with a status of the proxy', async () => {
    await cluster.fault('pve1', {
      kind: 'answer',
      status: 596,
      reason: 'Connection timed out',
      path: 'GET /nodes/pve1/qemu$',
      isCarriedOut: false,
      times: 1,
    });
    const struck = await cluster.call('GET', '/nodes/pve1/qemu');
    expect([struck.status, struck.reason, struck.headers.connection]).toEqual([596, 'Connection timed out', 'close']);
    expect((await cluster.call('GET', '/nodes/pve1/qemu')).status).toBe(200);
  });

  it('makes tasks slow, warn and fail', async () => {
    await cluster.fault('pve1', { kind: 'task-warning', text: 'storage nearly full', type: 'qmstart', times: 1 });
    expect(await cluster.callTask('POST', '/nodes/pve1/qemu/110/status/start')).toBe('WARNINGS: 1');
    await cluster.fault('pve1', { kind: 'task-failure', text: 'out of luck', type: 'qmstop', times: 1 });
    expect(await cluster.callTask('POST', '/nodes/pve1/qemu/110/status/stop')).toBe('out of luck');
    await cluster.fault('pve1', { kind: 'slow-tasks', seconds: 1_000, type: 'qmstop', times: 1 });
    const { data: upid } = await cluster.call('POST', '/nodes/pve1/qemu/110/status/stop');
    const task = `/nodes/pve1/tasks/${encodeURIComponent(String(upid))}`;
    expect((await cluster.call('GET', `${task}/status`)).data).toMatchObject({
      status: 'running',
      type: 'qmstop',
      id: '110',
      user: 'labwright@pve',
      tokenid: 'test',
    });
    expect((await cluster.call('DELETE', task)).status).toBe(200);
    expect(await cluster.awaitTask(upid)).toBe('received interrupt');
    expect(await cluster.callTask('POST', '/nodes/pve1/qemu/110/status/stop')).toBe('OK');
  });

  it('answers 596 when a call takes longer than the proxy waits', async () => {
    await cluster.fault('pve1', { kind: 'slow-calls', seconds: 35, path: 'PUT /nodes/pve1/qemu/110/config', times: 1 });
    const late = await cluster.call('PUT', '/nodes/pve1/qemu/110/config', { cores: 2 });
    expect([late.status, late.reason, late.text]).toEqual([596, 'Connection timed out', '']);
    // It is carried out all the same.
    const cores = async (): Promise<unknown> =>
      ((await cluster.call('GET', '/nodes/pve1/qemu/110/config')).data as { readonly cores?: number }).cores;
    await expect.poll(cores, { timeout: 5_000 }).toBe(2);
  });

  it('takes a disk away with the guest that ran from it, and leaves the configuration', async () => {
    const scsi0 = 'local-lvm:vm-160-disk-0,size=1G';
    const config = { vmid: 160, scsi0: 'local-lvm:1', scsi1: 'local:1', memory: 128 };
    expect(await cluster.callTask('POST', '/nodes/pve2/qemu', config)).toBe('OK');
    expect(await cluster.callTask('POST', '/nodes/pve2/qemu/160/status/start')).toBe('OK');
    await cluster.fault('pve2', { kind: 'lose-disk', vmId: 160 });
    const current = await cluster.call('GET', '/nodes/pve2/qemu/160/status/current');
    expect(current.data).toMatchObject({ status: 'stopped' });
    for (const storage of ['local', 'local-lvm']) {
      const { data } = await cluster.call('GET', `/nodes/pve2/storage/${storage}/content`, { vmid: 160 });
      expect(data).toEqual([]);
    }
    expect((await cluster.call('GET', '/nodes/pve2/qemu/160/config')).data).toMatchObject({ scsi0 });
    // What a guest that does not run has is lost as well; a VM that is not there has none.
    await cluster.fault('pve2', { kind: 'lose-disk', vmId: 160 });
    await expect(cluster.fault('pve2', { kind: 'lose-disk', vmId: 999 })).rejects.toThrow(/does not exist/);
  });

  it('refuses unknown ones with the reason', async () => {
    await expect(cluster.fault('pve1', { kind: 'nonsense' as 'host-up' })).rejects.toThrow(/Invalid/);
  });
});

describe('logins', () => {
  const asToken = (secret: string): { readonly headers: Readonly<Record<string, string>> } => ({
    headers: { authorization: `PVEAPIToken=${fixtureToken}=${secret}` },
  });

  it('refuses without and with wrong credentials, in the words of the version', async () => {
    const none = await cluster.call('GET', '/version', {}, { headers: {} });
    expect([none.status, none.reason, none.text]).toEqual([401, 'No ticket', '']);
    const wrong = await cluster.call('GET', '/version', {}, asToken('0'));
    expect([wrong.status, wrong.reason, wrong.text]).toEqual([401, 'Authentication failed!', '']);
  });

  it('takes a ticket, and wants the CSRF token for every change', async () => {
    const login = await cluster.call(
      'POST',
      '/access/ticket',
      { username: 'root', realm: 'pam', password: 'correct horse' },
      { headers: {} },
    );
    const { ticket, CSRFPreventionToken } = login.data as {
      readonly ticket: string;
      readonly CSRFPreventionToken: string;
    };
    expect(ticket).toMatch(/^PVE:root@pam:[0-9A-F]{8}::/);
    const cookie = { cookie: `PVEAuthCookie=${encodeURIComponent(ticket)}` };
    expect((await cluster.call('GET', '/nodes', {}, { headers: cookie })).status).toBe(200);
    const without = await cluster.call('POST', '/pools', { poolid: 'lab' }, { headers: cookie });
    expect([without.status, without.reason]).toEqual([401, 'Permission denied - invalid csrf token']);
    const csrf = { ...cookie, csrfpreventiontoken: CSRFPreventionToken };
    expect((await cluster.call('POST', '/pools', { poolid: 'lab' }, { headers: csrf })).status).toBe(200);
    const wrong = await cluster.call(
      'POST',
      '/access/ticket',
      { username: 'root@pam', password: 'x' },
      { headers: {} },
    );
    expect([wrong.status, wrong.message]).toEqual([401, 'authentication failure\n']);
    const renewed = await cluster.call(
      'POST',
      '/access/ticket',
      { username: 'root@pam', password: ticket },
      { headers: {} },
    );
    expect(renewed.status).toBe(200);
  });

  it('knows what a token may do, and names what is missing', async () => {
    const permissions = (await cluster.call('GET', '/access/permissions', { path: '/vms/999' })).data;
    expect(permissions).toMatchObject({ '/vms/999': { 'VM.Allocate': 1 } });
    const denied = await cluster.call('POST', '/pools', { poolid: 'other' });
    expect([denied.status, denied.message]).toEqual([403, 'Permission check failed (/pool/other, Pool.Allocate)\n']);
    const startup = await cluster.call('PUT', '/nodes/pve1/qemu/110/config', { startup: 'order=1' });
    expect(startup.message).toBe('Permission check failed (/, Sys.Modify)\n');
  });

  it('ends with a revoked token', async () => {
    const made = await cluster.call('POST', '/access/users/labwright@pve/token/short', { privsep: 0 });
    expect(made.status).toBe(403);
    const login = await cluster.call(
      'POST',
      '/access/ticket',
      { username: 'root@pam', password: 'correct horse' },
      { headers: {} },
    );
    const { ticket, CSRFPreventionToken } = login.data as {
      readonly ticket: string;
      readonly CSRFPreventionToken: string;
    };
    const headers = { cookie: `PVEAuthCookie=${ticket}`, csrfpreventiontoken: CSRFPreventionToken };
    const token = await cluster.call('POST', '/access/users/labwright@pve/token/short', { privsep: 0 }, { headers });
    const { value } = token.data as { readonly value: string };
    const asShort = { headers: { authorization: `PVEAPIToken=labwright@pve!short=${value}` }, host: 'pve2' };
    expect((await cluster.call('GET', '/nodes', {}, asShort)).status).toBe(200);
    await cluster.fault('pve1', { kind: 'revoke-token', token: 'labwright@pve!short' });
    expect((await cluster.call('GET', '/nodes', {}, asShort)).status).toBe(401);
  });
});

describe('a host that is started again', () => {
  it('finds its guests running and its cut-off tasks without a result', async () => {
    expect(await cluster.callTask('POST', '/nodes/pve1/qemu/110/status/start')).toBe('OK');
    const pid = async (): Promise<unknown> =>
      ((await cluster.call('GET', '/nodes/pve1/qemu/110/status/current')).data as { readonly pid: number }).pid;
    const before = await pid();
    const old = cluster.hosts.get('pve1');
    await old?.close({ guests: 'keep' });
    const again = await startEmulatedHost(cluster.topology, 'pve1');
    (cluster.hosts as Map<string, typeof again>).set('pve1', again);
    expect(await pid()).toBe(before);
    expect(await cluster.callTask('POST', '/nodes/pve1/qemu/110/status/stop')).toBe('OK');
    expect((await cluster.call('GET', '/nodes/pve1/qemu/110/status/current')).data).toMatchObject({
      status: 'stopped',
    });
  });
});

it('keeps secrets out of what a host writes for others to read', () => {
  expect(JSON.stringify(cluster.topology)).not.toContain(fixtureSecret);
});
