import { Secret } from '@labwright/core/ports/secret';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { formatKubeconfig, mergeKubeconfig, type Kubeconfig } from './kubeconfig.ts';

const config: Kubeconfig = {
  cluster: 'labwright-home',
  server: 'https://127.0.0.1:16443',
  tlsServerName: 'kube.home.arpa',
  ca: 'CA',
  user: { name: 'labwright-home', certificate: 'CERTIFICATE', privateKey: new Secret('KEY') },
  context: 'labwright-home',
};

test('a kubeconfig of one cluster and one user', () => {
  expect(formatKubeconfig(config)).toMatchInlineSnapshot(`
    "apiVersion: v1
    kind: Config
    clusters:
      - name: labwright-home
        cluster:
          server: https://127.0.0.1:16443
          tls-server-name: kube.home.arpa
          certificate-authority-data: Q0E=
    users:
      - name: labwright-home
        user:
          client-certificate-data: Q0VSVElGSUNBVEU=
          client-key-data: S0VZ
    contexts:
      - name: labwright-home
        context:
          cluster: labwright-home
          user: labwright-home
    current-context: labwright-home
    "
  `);
});

describe('merging', () => {
  const others = `# mine
apiVersion: v1
kind: Config
current-context: work
clusters:
- name: work # the office
  cluster: {server: "https://work.test:6443"}
users: []
contexts:
- {name: work, context: {cluster: work, user: me}}
`;

  test('leaves what is there alone and does not change which cluster is meant', () => {
    const merged = mergeKubeconfig(others, config) ?? '';
    expect(merged).toContain('# mine');
    expect(merged).toContain('# the office');
    expect(parse(merged)).toMatchObject({
      'current-context': 'work',
      clusters: [{ name: 'work' }, { name: 'labwright-home', cluster: { 'tls-server-name': 'kube.home.arpa' } }],
      contexts: [{ name: 'work' }, { name: 'labwright-home' }],
    });
  });

  test('a second time replaces ours and nothing else', () => {
    const once = mergeKubeconfig(others, config) ?? '';
    const twice = mergeKubeconfig(once, { ...config, server: 'https://127.0.0.1:20000' }) ?? '';
    expect(twice).toBe(once.replace('16443', '20000'));
  });

  test.each([
    ['nothing', ''],
    ['a new line', '\n'],
  ])('into %s it is the whole file', (_name, text) => {
    expect(mergeKubeconfig(text, config)).toBe(formatKubeconfig(config));
  });

  test('a file with empty lists, as kubectl writes it after its last cluster was removed', () => {
    const empty = 'apiVersion: v1\nkind: Config\nclusters: null\ncontexts: null\nusers: null\ncurrent-context: ""\n';
    expect(parse(mergeKubeconfig(empty, config) ?? '')).toEqual({ ...parse(formatKubeconfig(config)) });
  });

  test.each([
    ['a list', '- a\n'],
    ['not YAML', 'a: [\n'],
    ['another kind', 'kind: Pod\n'],
  ])('%s is refused', (_name, text) => {
    expect(mergeKubeconfig(text, config)).toBeUndefined();
  });
});
