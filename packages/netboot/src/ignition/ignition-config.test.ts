import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ipv4 } from '@labwright/core/addresses/ipv4';
import { mac } from '@labwright/core/addresses/mac';
import { hostName } from '@labwright/core/addresses/names';
import { expect, test } from 'vitest';
import { renderIgnition, type IgnitionMachine } from './ignition-config.ts';

const machine: IgnitionMachine = {
  hostname: hostName('node101'),
  domain: 'home.arpa',
  user: {
    name: 'ops',
    authorizedKeys: ['ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIDbzXkc1D5u0LqJ6GPo9FDgy0t5hLQIYcLS0Y5jvuZQ ops@desk'],
  },
  network: {
    mac: mac('02:1a:b0:00:01:01'),
    address: ipv4('10.1.1.1'),
    prefixLength: 22,
    gateway: ipv4('10.1.0.1'),
    resolvers: [ipv4('10.1.0.1')],
  },
  files: [{ path: '/etc/motd', mode: 0o644, content: 'héllo, 100 %\n' }],
  units: [
    { name: 'hello.service', enabled: true, content: '[Service]\nExecStart=/bin/true\n' },
    { name: 'ssh.service', dropins: [{ name: '10-late.conf', content: '[Unit]\nAfter=hello.service\n' }] },
  ],
};

interface Rendered {
  readonly ignition: { readonly version: string };
  readonly storage: {
    readonly files: readonly {
      readonly path: string;
      readonly mode: number;
      readonly contents: { readonly source: string };
    }[];
  };
}

function contentOf(rendered: string, path: string): string {
  const file = (JSON.parse(rendered) as Rendered).storage.files.find((each) => each.path === path);
  return decodeURIComponent(file?.contents.source.slice('data:,'.length) ?? '');
}

test('name, network and user are there as files', () => {
  const rendered = renderIgnition(machine, '3.3.0');
  expect(contentOf(rendered, '/etc/hostname')).toBe('node101\n');
  expect(contentOf(rendered, '/etc/hosts')).toContain('10.1.1.1 node101.home.arpa node101');
  expect(contentOf(rendered, '/etc/resolv.conf')).toBe('nameserver 10.1.0.1\nsearch home.arpa\n');
  expect(contentOf(rendered, '/etc/systemd/network/10-labwright.network')).toMatch(
    /MACAddress=02:1a:b0:00:01:01\nType=ether[^]*Address=10\.1\.1\.1\/22\nGateway=10\.1\.0\.1\n/,
  );
  expect(contentOf(rendered, '/etc/motd')).toBe('héllo, 100 %\n');
});

test('a file that is given wins over one of ours, and is there once', () => {
  const rendered = renderIgnition(
    { ...machine, files: [{ path: '/etc/hosts', mode: 0o600, content: 'mine' }] },
    '3.4.0',
  );
  const hosts = (JSON.parse(rendered) as Rendered).storage.files.filter((file) => file.path === '/etc/hosts');
  expect(hosts).toHaveLength(1);
  expect(contentOf(rendered, '/etc/hosts')).toBe('mine');
});

/** Debian's ignition-validate out of the image cache, run by its own loader; it knows the specification up to 3.3. */
function findValidator(): { readonly program: string; readonly args: readonly string[] } | undefined {
  const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'labwright/debian-roots');
  const name = existsSync(cache)
    ? readdirSync(cache).find((each) => each.startsWith('node-boot-') && !each.includes('.'))
    : undefined;
  if (name === undefined) return undefined;
  const root = join(cache, name);
  const libraries = ['lib/x86_64-linux-gnu', 'usr/lib/x86_64-linux-gnu'].map((path) => join(root, path)).join(':');
  return {
    program: join(root, 'lib64/ld-linux-x86-64.so.2'),
    args: ['--library-path', libraries, join(root, 'usr/bin/ignition-validate')],
  };
}

test('ignition-validate of Debian takes it, and would not take a wrong one', (context) => {
  const validator = findValidator();
  if (validator === undefined) {
    console.log('not run: the Debian image was never built here, and ignition-validate comes out of it');
    context.skip('the Debian image was never built here');
    return;
  }
  const validate = (config: string): string =>
    execFileSync(validator.program, [...validator.args, '-'], { input: config, encoding: 'utf8', stdio: 'pipe' });
  validate(renderIgnition(machine, '3.3.0'));
  expect(() => validate(renderIgnition(machine, '3.3.0').replace('"/etc/motd"', '"motd"'))).toThrow('Command failed');
});
