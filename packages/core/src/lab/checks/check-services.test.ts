import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { parse as parseYaml, stringify } from 'yaml';
import { resolveBlueprint } from '../../blueprint/resolve-blueprint.ts';
import { secretOfValue } from '../service-schema.ts';
import { parseLab } from '../parse-lab.ts';

const home = await readFile(new URL('../../../../../examples/home/lab.yaml', import.meta.url), 'utf8');

/** The home example with a cluster; `sections` replaces top-level parts or adds to them. */
function makeLab(sections: Readonly<Record<string, unknown>>): string {
  const lab = parseYaml(home) as Record<string, Record<string, unknown>>;
  lab['pools'] = { control: { count: 1, role: 'control-plane' } };
  lab['kubernetes'] = { version: '1.35.4', endpoint: { address: '10.1.0.10' } };
  // With balancers on the router there would be no MetalLB and no Traefik.
  delete lab['exposures'];
  for (const [key, value] of Object.entries(sections)) {
    lab[key] = key === 'kubernetes' ? { ...lab[key], ...(value as object) } : (value as Record<string, unknown>);
  }
  return stringify(lab);
}

const messages = (sections: Readonly<Record<string, unknown>>) =>
  parseLab(makeLab(sections), 'lab.yaml').diagnostics.map(({ message }) => message);

function resolve(sections: Readonly<Record<string, unknown>>, rehearsal = false) {
  const { lab, diagnostics } = parseLab(makeLab(sections), 'lab.yaml');
  if (lab === undefined) throw new Error(diagnostics.map(({ message }) => message).join('\n'));
  return resolveBlueprint(lab, { rehearsal });
}

const volumes = {
  nas1: { kind: 'synology', address: '10.1.0.20', exports: [{ path: '/volume1/k8s/', for: 'volumes' }] },
};

describe('base services', () => {
  test('are on by default where they have what they need', () => {
    expect(Object.keys(resolve({}).charts?.base ?? {})).toEqual(['metallb', 'traefik', 'metrics-server']);
    expect(Object.keys(resolve({ nas: volumes }).charts?.base ?? {})).toContain('csi-driver-nfs');
    expect(Object.keys(resolve({ kubernetes: { podNetwork: 'flannel' } }).charts?.base ?? {})[0]).toBe('flannel');
  });

  test('are off by default in a rehearsal without a source, and on when stated', () => {
    expect(resolve({}, true).charts?.base).toEqual({});
    expect(Object.keys(resolve({ kubernetes: { chartMirror: 'charts' } }, true).charts?.base ?? {})).toHaveLength(3);
    expect(resolve({ kubernetes: { charts: { traefik: true } } }, true).charts?.base).toEqual({
      traefik: { values: {} },
    });
  });

  test('can be switched off, pinned otherwise and given values', () => {
    const charts = { metallb: false, traefik: { version: '40.0.0', values: { deployment: { replicas: 2 } } } };
    expect(resolve({ kubernetes: { charts } }).charts?.base).toEqual({
      traefik: { version: '40.0.0', values: { deployment: { replicas: 2 } } },
      'metrics-server': { values: {} },
    });
  });

  test.each([
    [{ charts: { metalb: true } }, 'kubernetes.charts has no key "metalb"'],
    [{ charts: { traefik: { version: 'latest' } } }, 'this is not the version of a chart'],
    [{ charts: { traefik: 'yes' } }, 'kubernetes.charts.traefik cannot be the text "yes"'],
    [{ charts: { 'csi-driver-nfs': true } }, 'csi-driver-nfs has nowhere to make volumes'],
    [{ charts: { flannel: { version: 'v0.28.5' } } }, 'flannel has settings, and the pod network is routed'],
    [{ ownCharts: { traefik: { chart: './traefik' } } }, 'traefik is a base service'],
    [{ ownCharts: { gitea: { chart: 'gitea' } } }, 'nothing says where the chart gitea comes from'],
    [{ ownCharts: { gitea: { chart: 'gitea', repository: 'https://a.example' } } }, 'has no version'],
    [
      { ownCharts: { gitea: { chart: 'gitea', repository: 'ftp://a.example' } } },
      'not the address of a chart repository',
    ],
    [
      { ownCharts: { a: { chart: './a', values: { password: { secret: { env: 'A', age: 'b' } } } } } },
      'a secret is named by exactly one of env, file and age',
    ],
    [{ secrets: { db: { data: { key: 'hunter2hunter2' } } } }, 'kubernetes.secrets.db.data.key'],
  ])('%j is refused', (kubernetes, expected) => {
    const found = messages({ kubernetes }).join('\n');
    expect(found).toContain(expected);
    expect(found).not.toContain('hunter2');
  });

  test.each(['https://a.example/charts', 'oci://a.example/charts', 'http://127.0.0.1:8879/charts', 'http://localhost'])(
    'a chart may come from %s',
    (repository) => {
      const ownCharts = { gitea: { chart: 'gitea', repository, version: '1.0.0' } };
      expect(messages({ kubernetes: { ownCharts } })).toEqual([]);
    },
  );

  test.each(['http://a.example', 'HTTP://a.example', 'http://localhost.example', 'http://127.0.0.1:80@a.example/'])(
    'a chart may not come from %s',
    (repository) => {
      const ownCharts = { gitea: { chart: 'gitea', repository, version: '1.0.0' } };
      expect(parseLab(makeLab({ kubernetes: { ownCharts } }), 'lab.yaml').diagnostics).toMatchObject([
        {
          message: 'kubernetes.ownCharts.gitea.repository: over http:// anybody on the way could change the chart',
          fix: 'write it like repository: https://dl.gitea.com/charts',
        },
      ]);
    },
  );

  test('metallb without a range for services is refused', () => {
    const networks = { lan: { cidr: '10.1.0.0/22', gateway: '10.1.0.1', machines: '10.1.1.0/28' } };
    expect(messages({ networks, kubernetes: { charts: { metallb: true } } }).join()).toContain(
      'metallb has no addresses to give',
    );
  });

  test('a chart may have a key "secret" of its own; only a reference is one', () => {
    expect(secretOfValue({ secret: { env: 'A' } })).toEqual({ env: 'A' });
    expect(secretOfValue({ secret: { name: 'a' } })).toBeUndefined();
    expect(secretOfValue({ secret: { env: 'A' }, other: 1 })).toBeUndefined();
    expect(messages({ kubernetes: { charts: { traefik: { values: { tls: { secret: 'name' } } } } } })).toEqual([]);
  });
});

describe('exports of a NAS', () => {
  test('lose a slash at their end', () => {
    expect(resolve({ nas: volumes }).nas).toEqual([
      { name: 'nas1', kind: 'synology', address: '10.1.0.20', exports: [{ path: '/volume1/k8s', use: 'volumes' }] },
    ]);
  });

  test.each([
    [[{ path: 'volume1', for: 'data' }], 'this is not the whole path of a folder'],
    [[{ path: '/a/../etc', for: 'data' }], 'this is not the whole path of a folder'],
    [[{ path: '/my files', for: 'data' }], 'this path has a space'],
    [
      [
        { path: '/a', for: 'volumes' },
        { path: '/b', for: 'volumes' },
      ],
      'two exports are for volumes',
    ],
    [
      [
        { path: '/a', for: 'volumes' },
        { path: '/a/', for: 'data' },
      ],
      'nas1 exports /a twice',
    ],
  ])('%j are refused', (exports, expected) => {
    expect(messages({ nas: { nas1: { kind: 'linux', address: '10.1.0.20', exports } } }).join()).toContain(expected);
  });

  test('for snapshots want the folder named where it is mounted', () => {
    const nas = { nas1: { ...volumes.nas1, exports: [{ path: '/volume1/etcd', for: 'snapshots' }] } };
    const unnamed =
      'nas1 exports /volume1/etcd for snapshots, and they would go to the folder snapshots beside this file';
    expect(messages({ nas })).toEqual([unnamed]);
    expect(messages({ nas, kubernetes: { snapshots: { every: '1h' } } })).toEqual([unnamed]);
    expect(messages({ nas, kubernetes: { snapshots: { to: '/mnt/nas/etcd' } } })).toEqual([]);
    expect(messages({ nas: volumes })).toEqual([]);
    // One that is not understood is all there is to tell.
    expect(messages({ nas, kubernetes: { snapshots: { to: 3 } } })).toHaveLength(1);
  });

  test('are written on linux only', () => {
    const ssh = { hostKey: 'SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' };
    expect(messages({ nas: { nas1: { kind: 'linux', address: '10.1.0.20', ssh } } })).toEqual([]);
    expect(messages({ nas: { nas1: { kind: 'synology', address: '10.1.0.20', ssh } } }).join()).toContain(
      'changes exports of linux ones only',
    );
  });
});

describe('services outside the cluster', () => {
  test('get a name, an address and what their kind gives', () => {
    const services = {
      db: {
        kind: 'mariadb',
        nas: 'nas1',
        volume: '/volume1/db',
        environment: { MARIADB_ROOT_PASSWORD: { env: 'DB' } },
      },
      printer: { address: '10.1.0.77', port: 9100 },
    };
    expect(resolve({ services }).services).toEqual([
      {
        name: 'db',
        dnsName: 'db.home.arpa',
        kind: 'mariadb',
        address: '10.1.0.20',
        port: 3306,
        container: {
          nas: 'nas1',
          image: 'mariadb:11.8',
          port: 3306,
          volume: { path: '/volume1/db', mount: '/var/lib/mysql' },
          environment: { MARIADB_ROOT_PASSWORD: { env: 'DB' } },
        },
      },
      { name: 'printer', dnsName: 'printer.home.arpa', kind: 'other', address: '10.1.0.77', port: 9100 },
    ]);
  });

  test.each([
    [{ db: { kind: 'mariadb' } }, 'neither a NAS nor an address'],
    [{ db: { kind: 'mariadb', nas: 'nas1', address: '10.1.0.5' } }, 'both a NAS and an address'],
    [{ db: { kind: 'mariadb', nas: 'nas2' } }, 'there is no NAS "nas2"'],
    [{ db: { kind: 'mysql', nas: 'nas1' } }, 'services.db.kind cannot be the text "mysql"'],
    [{ web: { nas: 'nas1', image: 'nginx' } }, 'has no port, and its kind gives none'],
    [{ web: { address: '10.1.0.5', port: 80, image: 'nginx' } }, 'so image has no meaning'],
    [{ web: { nas: 'nas1', port: 80, image: 'nginx', volume: '/a' } }, 'where the container of web has its folder'],
    [{ kube: { address: '10.1.0.5', port: 80 } }, 'would have the name of the endpoint of the cluster'],
    [{ node101: { address: '10.1.0.5', port: 80 } }, 'would have the name of machine node101'],
    [{ nas1: { address: '10.1.0.5', port: 80 } }, 'would have the name of NAS nas1'],
    [{ a: { kind: 'redis', nas: 'nas1' }, b: { kind: 'redis', address: '10.1.0.20' } }, 'have the same port 6379'],
  ])('%j are refused', (services, expected) => {
    expect(messages({ services }).join('\n')).toContain(expected);
  });

  const inEnvironment = (environment: Readonly<Record<string, unknown>>) =>
    messages({ services: { db: { kind: 'mariadb', nas: 'nas1', environment } } }).join('\n');

  test.each([
    'MARIADB_ROOT_PASSWORD',
    'PGPASSWORD',
    'SMTP_PASS',
    'SECRET_KEY_BASE',
    'api_token',
    'API_KEY',
    'KEY',
    'APIKEY2',
  ])('have no secret of their own in the file: %s', (variable) => {
    const message = `${variable} of the service db is the secret itself`;
    expect(inEnvironment({ [variable]: 'hunter2' })).toContain(message);
    expect(inEnvironment({ [variable]: 'hunter2' })).not.toContain('hunter2');
    expect(inEnvironment({ [variable]: 8_675_309 })).toContain('cannot be the secret itself');
    expect(inEnvironment({ [variable]: { env: 'DB' } })).toBe('');
  });

  test.each([
    ['MARIADB_ALLOW_EMPTY_ROOT_PASSWORD', 'yes'],
    ['MARIADB_RANDOM_ROOT_PASSWORD', '1'],
    ['MARIADB_ROOT_PASSWORD_FILE', '/run/secrets/db'],
    ['TLS_KEY', '/certs/tls.key'],
    ['SSH_PUBLIC_KEY', 'ssh-ed25519 AAAA'],
    ['MARIADB_DATABASE', 'tokens'],
    ['MONKEY', 'bananas'],
  ])('may be told what is no secret: %s: %s', (variable, value) => {
    expect(inEnvironment({ [variable]: value })).toBe('');
  });
});
