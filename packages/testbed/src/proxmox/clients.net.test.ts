// The emulated Proxmox against clients that nobody here wrote: Debian's python3-proxmoxer and Ansible's proxmox_kvm, which must
// take it for the real one.
import { execFile } from 'node:child_process';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  fixtureSecret,
  fixtureToken,
  startClusterFixture,
  type ClusterFixture,
} from '@labwright/rehearsal/proxmox/cluster-fixture';
import { makeLan, type Peer, type PeerResult } from '../network/lan.ts';
import { peersRoot } from '../roots.ts';

const run = promisify(execFile);
const addresses = ['10.1.0.11', '10.1.0.12', '10.1.0.13'];
const [tokenUser = '', tokenName = ''] = fixtureToken.split('!');

let cluster: ClusterFixture;
let laptop: Peer;

beforeAll(async () => {
  const lan = await makeLan('vmbr0', '10.1.0.2/22');
  for (const address of addresses) await run('ip', ['addr', 'add', `${address}/22`, 'dev', 'vmbr0']);
  laptop = await lan.addPeer('laptop', '02:00:00:00:ff:02', '10.1.0.50/22');
  cluster = await startClusterFixture({
    addresses,
    port: 8006,
    topology: { timeScale: 0.1, unauthorizedDelayMs: 100 },
  });
});
afterAll(() => cluster.close());

async function runOnLaptop(command: readonly string[]): Promise<PeerResult> {
  const authority = cluster.topology.certificateAuthorityFile;
  const environment = [`REQUESTS_CA_BUNDLE=${authority}`, 'HOME=/tmp', 'LC_ALL=C.UTF-8', 'PATH=/usr/bin:/bin'];
  return laptop.exec(['env', '-i', ...environment, ...command], {
    root: await peersRoot(),
    binds: [dirname(authority)],
    timeoutMs: 90_000,
  });
}

describe('python3-proxmoxer', () => {
  it('lives through a VM with a token, through another host', { timeout: 60_000 }, async () => {
    const script = `
import sys, time
from proxmoxer import ProxmoxAPI
from proxmoxer.core import ResourceException
host, user, name, secret = sys.argv[1:5]
api = ProxmoxAPI(host, user=user, token_name=name, token_value=secret, verify_ssl=True)
print('version', api.version.get()['release'])
print('nodes', sorted(n['node'] for n in api.nodes.get()))
vmid = api.cluster.nextid.get()
def wait(upid):
    for _ in range(600):
        task = api.nodes('pve2').tasks(upid).status.get()
        if task['status'] == 'stopped':
            return task['exitstatus']
        time.sleep(0.05)
q = api.nodes('pve2').qemu
print('create', wait(q.create(vmid=vmid, name='made-by-proxmoxer', memory=512, scsi0='local-lvm:2', net0='virtio,bridge=vmbr0', tags='b;a')))
vm = q(vmid)
print('start', wait(vm.status.start.post()))
print('status', vm.status.current.get()['status'])
config = vm.config.get()
print('config', config['name'], config['tags'], config['scsi0'])
print('tasks', [task['type'] for task in api.nodes('pve2').tasks.get(vmid=vmid)])
try:
    q.create(vmid=vmid)
except ResourceException as error:
    print('again', error.status_code, error.content.strip())
try:
    q.create(vmid=vmid + 1, cores=0, nonsense=1)
except ResourceException as error:
    print('wrong', error.status_code, error.content.strip())
vm.config.put(description='changed')
print('shutdown', wait(vm.status.shutdown.post()))
print('delete', wait(vm.delete()))
`;
    const secrets = [tokenUser, tokenName, fixtureSecret];
    const { stdout, stderr, exitCode } = await runOnLaptop(['python3', '-c', script, addresses[0] ?? '', ...secrets]);
    expect([exitCode, stderr]).toEqual([0, '']);
    expect(stdout.trim().split('\n')).toEqual([
      'version 9.2',
      "nodes ['pve1', 'pve2', 'pve3']",
      'create OK',
      'start OK',
      'status running',
      'config made-by-proxmoxer a;b local-lvm:vm-100-disk-0,size=2G',
      "tasks ['qmstart', 'qmcreate']",
      "again 500 unable to create VM 100 - VM 100 already exists on node 'pve2'",
      'wrong 400 Parameter verification failed.',
      'shutdown OK',
      'delete OK',
    ]);
  });

  it('logs in with a password, whose ticket writes too', { timeout: 60_000 }, async () => {
    const script = `
import sys
from proxmoxer import ProxmoxAPI
from proxmoxer.backends.https import AuthenticationError
api = ProxmoxAPI(sys.argv[1], user='root@pam', password='correct horse')
upid = api.nodes('pve3').qemu.create(vmid=300, memory=128)
print(upid.split(':')[1], upid.split(':')[7])
try:
    ProxmoxAPI(sys.argv[1], user='root@pam', password='wrong')
except AuthenticationError as error:
    print('refused')
`;
    const { stdout, stderr } = await runOnLaptop(['python3', '-c', script, addresses[0] ?? '']);
    expect([stdout, stderr]).toEqual(['pve3 root@pam\nrefused\n', '']);
  });
});

describe("Ansible's proxmox_kvm", () => {
  const common = {
    api_host: addresses[0] ?? '',
    api_user: tokenUser,
    api_token_id: tokenName,
    api_token_secret: fixtureSecret,
    validate_certs: true,
    node: 'pve1',
    name: 'made-by-ansible',
    timeout: 20,
  };

  async function playTask(parameters: Readonly<Record<string, unknown>>): Promise<Record<string, unknown>> {
    const options = JSON.stringify({ ...common, ...parameters });
    const environment = [
      'ANSIBLE_LOAD_CALLBACK_PLUGINS=1',
      'ANSIBLE_STDOUT_CALLBACK=json',
      'ANSIBLE_PYTHON_INTERPRETER=/usr/bin/python3',
    ];
    const command = ['ansible', 'localhost', '-c', 'local', '-m', 'community.general.proxmox_kvm', '-a', options];
    const { stdout, stderr } = await runOnLaptop(['env', ...environment, ...command]);
    const start = stdout.indexOf('{');
    if (start < 0) throw new Error(`${stdout}\n${stderr}`);
    const report = JSON.parse(stdout.slice(start)) as {
      readonly plays: readonly {
        readonly tasks: readonly { readonly hosts: Readonly<Record<string, Record<string, unknown>>> }[];
      }[];
    };
    return report.plays[0]?.tasks[0]?.hosts['localhost'] ?? {};
  }

  it('creates, starts, stops and deletes a machine', { timeout: 240_000 }, async () => {
    const machine = {
      state: 'present',
      vmid: 200,
      memory: 512,
      cores: 2,
      scsihw: 'virtio-scsi-single',
      scsi: { scsi0: 'local-lvm:4' },
      net: { net0: 'virtio,bridge=vmbr0' },
      tags: ['lab'],
    };
    expect(await playTask(machine)).toMatchObject({ changed: true, vmid: 200 });
    expect(await playTask(machine)).toMatchObject({ changed: false });
    expect(await playTask({ state: 'started', vmid: 200 })).toMatchObject({ changed: true, msg: 'VM 200 started' });
    expect(await playTask({ state: 'current', vmid: 200 })).toMatchObject({ status: 'running' });
    expect(await playTask({ state: 'stopped', vmid: 200, force: true })).toMatchObject({ changed: true });
    expect(await playTask({ state: 'absent', vmid: 200 })).toMatchObject({ changed: true, msg: 'VM 200 removed' });
    expect((await cluster.call('GET', '/nodes/pve1/qemu/200/config')).status).toBe(500);
  });
});
