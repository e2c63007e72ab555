import { describe, expect, test } from 'vitest';
import { formatDiagnostics } from './format-diagnostics.ts';
import { hideSecrets } from './hide-secrets.ts';
import { parseLab } from './parse-lab.ts';

describe('what of a lab file is shown', () => {
  test.each([
    ['  password: hunter2', '  password: •••'],
    ['  passwrd: hunter2', '  passwrd: •••'],
    ['router: { name: fw1, "password": "hunter2", kind: pfsense }', 'router: { name: fw1, "password": •••'],
    ['  password: { env: "hunter2!" }', '  password: •••'],
    ['  password: { value: hunter2 }', '  password: •••'],
    ['  password: {hunter2}', '  password: •••'],
    [
      '  db: { environment: { MARIADB_ROOT_PASSWORD: [hunter2] } }',
      '  db: { environment: { MARIADB_ROOT_PASSWORD: •••',
    ],
    ['  environment: { API_KEY: hunter2, DB_PASSWORD: {env: DB} }', '  environment: { API_KEY: •••'],
    ['  environment: { API_KEY: hunter2, DB_PASSWORD: hunter2 }', '  environment: { API_KEY: •••'],
    ['  secrets: { db: { data: { password: hunter2 } } }', '  secrets: { db: { data: { password: •••'],
    ['  keys: ["-----BEGIN OPENSSH PRIVATE KEY-----hunter2"]', '  keys: ["•••'],
    ['  identityFile: AGE-SECRET-KEY-1QQQ', '  identityFile: •••'],
  ])('%s', (line, shown) => {
    expect(hideSecrets(line)).toBe(shown);
  });

  test.each([
    ['proxmox: { token: { env: PROXMOX_TOKEN }, port: 70000 }'],
    ['ssh: { keys: [ssh-ed25519 AAAA], hostKey: "SHA256:abc", key: public }'],
    ['  environment: { API_KEY: {env: API_KEY} }'],
    ['  password: { file: ~/.config/router }'],
    ['  password: { file: ./router.txt }'],
    ['  password:'],
    ['  password: # below'],
    ['secrets: { identityFile: ~/.config/labwright/identity }'],
    ['# a password is never in the file'],
  ])('%s is shown whole', (line) => {
    expect(hideSecrets(line)).toBe(line);
  });

  test.each([
    ['a neighbour of the secret is wrong', 'router: { kind: pfsense, address: 10.1.0.1, password: hunter2, nme: x }'],
    ['a key where the reference should be', 'router: { kind: pfsense, address: 10.1.0.1, password: { hunter2 } }'],
    ['on a line of its own', 'router:\n  kind: pfsense\n  address: 10.1.0.1\n  password:\n    env: "hunter2 !"'],
    ['a key on a line of its own', 'router:\n  kind: pfsense\n  address: 10.1.0.1\n  password:\n    hunter2: x'],
    [
      'in the environment of a service',
      'services: { db: { address: 10.1.0.5, port: 80, environment: { A: b, KEY: hunter2 } } }',
    ],
    ['beside another mistake', 'services: { db: { address: 10.1.0.5, environment: { API_KEY: 1hunter2 }, prt: 80 } }'],
    ['a quote that is not closed', 'services: { db: { environment: { API_KEY: "hunter2 } } }'],
    ['not YAML', 'router: { password: hunter2'],
    ['the identity in place of its file', 'secrets: { identityFile: AGE-SECRET-KEY-1hunter2 }'],
  ])('no problem shows the secret: %s', (_, router) => {
    const source = `version: 1\nlab: home\n${router}\n`;
    const { diagnostics } = parseLab(source, 'lab.yaml');
    expect(formatDiagnostics(diagnostics, source, { width: 80 })).not.toContain('hunter2');
    expect(JSON.stringify(diagnostics)).not.toContain('hunter2');
    expect(diagnostics.length).toBeGreaterThan(0);
  });
});
