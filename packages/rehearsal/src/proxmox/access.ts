// The users of the cluster and how a request proves to be one of them: a ticket in a cookie, or an API token in a header.
import { createHash, createHmac, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { nowSeconds, type Clock } from './clock.ts';
import { ApiError } from './error.ts';
import type { ClusterFiles } from './pmxcfs.ts';
import type { Topology } from './topology.ts';
import { formatUserConfig, makeUserConfig, parseUserConfig, type UserConfig } from './user-config.ts';

const ticketLifeSeconds = 2 * 60 * 60;

interface Identity {
  /** user@realm, or user@realm!token, which is never equal to its user. */
  readonly user: string;
  readonly kind: 'ticket' | 'token';
}

export interface Credentials {
  readonly cookie: string | undefined;
  readonly authorization: string | undefined;
  readonly csrfToken: string | undefined;
}

interface Ticket {
  readonly ticket: string;
  readonly csrfToken: string;
}

export interface Access {
  readUsers(): Promise<UserConfig>;
  changeUsers(change: (config: UserConfig) => void): Promise<void>;
  /** The identity of a request; throws the 401 of the emulated version. */
  authenticate(method: string, credentials: Credentials): Promise<Identity>;
  /** Throws 401 "authentication failure" for a wrong password; an old ticket counts as one. */
  login(user: string, password: string): Promise<Ticket>;
  /** A new secret, known only to whoever asked. */
  createTokenSecret(tokenId: string): Promise<string>;
  forgetSecret(id: string): Promise<void>;
}

const usersFile = 'user.cfg';
const secretsFile = 'priv/secrets.json';
const keyFile = 'priv/authkey';
const seedFile = 'priv/seed';

export async function openAccess(topology: Topology, files: ClusterFiles, clock: Clock): Promise<Access> {
  await files.holdClusterLock('access', () => seedUsers(topology, files));
  const key = (await files.readText(keyFile)) ?? '';
  const sign = (text: string): string => createHmac('sha256', key).update(text).digest('base64');
  const isNewer = topology.profile === '9.2';
  const refuse = (olderText: string): ApiError => new ApiError(401, isNewer ? 'Authentication failed!' : olderText);

  const readUsers = async (): Promise<UserConfig> => parseUserConfig((await files.readText(usersFile)) ?? '');
  const readSecrets = async (): Promise<Record<string, string>> =>
    JSON.parse((await files.readText(secretsFile)) ?? '{}') as Record<string, string>;
  const changeSecrets = (change: (secrets: Record<string, string>) => void): Promise<void> =>
    files.holdClusterLock('access', async () => {
      const secrets = await readSecrets();
      change(secrets);
      await files.writeText(secretsFile, JSON.stringify(secrets), 0o600);
    });

  async function verifyToken(text: string): Promise<Identity> {
    const match = /^([^\s:/@!]+@[^\s!]+![A-Za-z][A-Za-z0-9.\-_]+)[= ](\S+)$/.exec(text);
    if (match === null) throw refuse('no tokenid specified');
    const [, user = '', secret = ''] = match;
    const users = await readUsers();
    const owner = user.split('!')[0] ?? '';
    const token = users.tokens[user];
    if (users.users[owner]?.enabled !== true) throw refuse(`no such user ('${owner}')`);
    if (token === undefined) throw refuse(`no such token '${user.split('!')[1]}' for user '${owner}'`);
    if (token.expire !== 0 && token.expire < nowSeconds(clock)) throw refuse(`token '${user}' access expired`);
    if (!isSameDigest((await readSecrets())[user], sha256(secret))) throw refuse('invalid token value!');
    return { user, kind: 'token' };
  }

  async function verifyTicket(ticket: string): Promise<string> {
    const match = /^PVE:([^\s:]+):([0-9A-F]{8})::(\S+)$/.exec(ticket);
    const [, user = '', time = '', signature = ''] = match ?? [];
    const age = nowSeconds(clock) - Number.parseInt(time, 16);
    const isGood =
      match !== null && isSame(signature, sign(`PVE:${user}:${time}`)) && age >= -300 && age < ticketLifeSeconds;
    if (!isGood || (await readUsers()).users[user]?.enabled !== true)
      throw refuse('permission denied - invalid PVE ticket');
    return user;
  }

  function verifyCsrf(user: string, token: string | undefined): void {
    const [time = '', signature = ''] = (token ?? '').split(/:(.*)/s);
    const age = nowSeconds(clock) - Number.parseInt(time, 16);
    const isGood = isSame(signature, sign(`CSRF:${time}:${user}`)) && age >= -300 && age < ticketLifeSeconds;
    if (!isGood) throw new ApiError(401, 'Permission denied - invalid csrf token');
  }

  function issue(user: string): Ticket {
    const time = nowSeconds(clock).toString(16).toUpperCase().padStart(8, '0');
    const text = `PVE:${user}:${time}`;
    return { ticket: `${text}::${sign(text)}`, csrfToken: `${time}:${sign(`CSRF:${time}:${user}`)}` };
  }

  return {
    readUsers,
    changeUsers: (change) =>
      files.holdClusterLock('access', async () => {
        const config = await readUsers();
        change(config);
        await files.writeText(usersFile, formatUserConfig(config));
      }),
    authenticate: async (method, { cookie, authorization, csrfToken }) => {
      const ticket = readTicket(cookie) ?? readTicket(authorization);
      if (ticket !== undefined) {
        const user = await verifyTicket(ticket);
        if (method !== 'GET') verifyCsrf(user, csrfToken);
        return { user, kind: 'ticket' };
      }
      const token = /(?:^|\s)PVEAPIToken(?:=|\s)(.+)$/.exec(authorization ?? '')?.[1];
      if (token === undefined) throw new ApiError(401, 'No ticket');
      return verifyToken(token.trim());
    },
    login: async (user, password) => {
      const failure = new ApiError(401, 'authentication failure');
      if (password.startsWith('PVE:')) {
        if ((await verifyTicket(password).catch(() => undefined)) !== user) throw failure;
        return issue(user);
      }
      const users = await readUsers();
      const isKnown = users.users[user]?.enabled === true;
      if (!isSameDigest((await readSecrets())[user], sha256(password)) || !isKnown) throw failure;
      return issue(user);
    },
    createTokenSecret: async (tokenId) => {
      const secret = randomUUID();
      await changeSecrets((secrets) => (secrets[tokenId] = sha256(secret)));
      return secret;
    },
    forgetSecret: (id) => changeSecrets((secrets) => delete secrets[id]),
  };
}

/** Writes the topology's users once; again when its users changed, without losing those made through the API. */
async function seedUsers(topology: Topology, files: ClusterFiles): Promise<void> {
  if ((await files.readText(keyFile)) === undefined)
    await files.writeText(keyFile, randomBytes(32).toString('hex'), 0o600);
  const secrets = JSON.parse((await files.readText(secretsFile)) ?? '{}') as Record<string, string>;
  const wanted: Record<string, string> = {};
  for (const { id, password } of topology.users) if (password !== undefined) wanted[id] = await digestOf(password);
  for (const { id, secret } of topology.tokens) wanted[id] = await digestOf(secret);
  const seed = sha256(JSON.stringify([topology.users, topology.tokens, wanted]));
  if ((await files.readText(seedFile)) === seed) return;

  const config = parseUserConfig((await files.readText(usersFile)) ?? formatUserConfig(makeUserConfig()));
  config.users['root@pam'] = { enabled: true, expire: 0, comment: '' };
  const subjects: { readonly id: string; readonly acl: Topology['users'][number]['acl'] }[] = [];
  for (const user of topology.users) {
    config.users[user.id] = { enabled: true, expire: 0, comment: '' };
    subjects.push(user);
  }
  for (const token of topology.tokens) {
    const { privilegeSeparation } = token;
    config.tokens[token.id] = { expire: 0, privilegeSeparation, comment: '' };
    subjects.push(token);
  }
  const seeded = new Set(subjects.map(({ id }) => id));
  config.rules = config.rules.filter((rule) => !seeded.has(rule.subject));
  for (const { id, acl } of subjects) {
    for (const { path, privileges } of acl) {
      const role = `Rehearsal-${sha256(privileges.join(',')).slice(0, 8)}`;
      config.roles[role] = privileges;
      config.rules = [...config.rules, { path, subject: id, role, propagate: true }];
    }
  }
  await files.writeText(secretsFile, JSON.stringify({ ...secrets, ...wanted }), 0o600);
  await files.writeText(usersFile, formatUserConfig(config));
  await files.writeText(seedFile, seed, 0o600);
}

async function digestOf(secret: { readonly sha256: string } | { readonly file: string }): Promise<string> {
  return 'sha256' in secret ? secret.sha256 : sha256((await readFile(secret.file, 'utf8')).trim());
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function isSameDigest(known: string | undefined, given: string): boolean {
  return known !== undefined && isSame(known, given);
}

function isSame(left: string, right: string): boolean {
  const [first, second] = [Buffer.from(left), Buffer.from(right)];
  return first.length === second.length && timingSafeEqual(first, second);
}

function readTicket(header: string | undefined): string | undefined {
  const value = /(?:^|[\s;])PVEAuthCookie=([^;]*)/.exec(header ?? '')?.[1];
  return value === undefined || value === '' ? undefined : decodeURIComponent(value);
}
