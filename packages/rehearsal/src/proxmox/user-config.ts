// Users, tokens, roles and access rules: the file user.cfg of the cluster, in Proxmox's own syntax, and the digests of the secrets.
//
//   user:labwright@pve:1:0:
//   token:labwright@pve!cli:0:1::
//   role:Labwright:VM.Audit,VM.Allocate:
//   pool:lab:comment:101,102:
//   acl:1:/:labwright@pve:Labwright:

interface AccessRule {
  readonly path: string;
  /** user@realm or user@realm!token */
  readonly subject: string;
  readonly role: string;
  readonly propagate: boolean;
}

export interface UserConfig {
  readonly users: Record<string, { enabled: boolean; expire: number; comment: string }>;
  readonly tokens: Record<string, { expire: number; privilegeSeparation: boolean; comment: string }>;
  readonly roles: Record<string, readonly string[]>;
  readonly pools: Record<string, { comment: string; vms: readonly number[]; storages: readonly string[] }>;
  rules: readonly AccessRule[];
}

export function makeUserConfig(): UserConfig {
  return { users: {}, tokens: {}, roles: {}, pools: {}, rules: [] };
}

const items = (text = ''): string[] => text.split(',').filter((item) => item !== '');
const escapeComment = (text: string): string => encodeURIComponent(text).replaceAll('%20', ' ');

export function parseUserConfig(raw: string): UserConfig {
  const config = makeUserConfig();
  const rules: AccessRule[] = [];
  for (const line of raw.split('\n')) {
    const [kind, ...fields] = line.split(':');
    const [first = '', second = '', third = '', fourth = ''] = fields;
    if (kind === 'user')
      config.users[first] = { enabled: second === '1', expire: Number(third), comment: decodeURIComponent(fourth) };
    else if (kind === 'token')
      config.tokens[first] = {
        expire: Number(second),
        privilegeSeparation: third === '1',
        comment: decodeURIComponent(fourth),
      };
    else if (kind === 'role') config.roles[first] = items(second);
    else if (kind === 'pool')
      config.pools[first] = {
        comment: decodeURIComponent(second),
        vms: items(third).map(Number),
        storages: items(fourth),
      };
    else if (kind === 'acl')
      for (const subject of items(third))
        for (const role of items(fourth)) rules.push({ propagate: first === '1', path: second, subject, role });
  }
  config.rules = rules;
  return config;
}

function sortEntries<T>(record: Readonly<Record<string, T>>): (readonly [string, T])[] {
  return Object.entries(record).sort(([left], [right]) => (left < right ? -1 : 1));
}

export function formatUserConfig(config: UserConfig): string {
  const lines: string[] = [];
  for (const [id, user] of sortEntries(config.users))
    lines.push(`user:${id}:${user.enabled ? 1 : 0}:${user.expire}:${escapeComment(user.comment)}:`);
  for (const [id, token] of sortEntries(config.tokens))
    lines.push(`token:${id}:${token.expire}:${token.privilegeSeparation ? 1 : 0}:${escapeComment(token.comment)}:`);
  for (const [id, pool] of sortEntries(config.pools))
    lines.push(`pool:${id}:${escapeComment(pool.comment)}:${pool.vms.join(',')}:${pool.storages.join(',')}:`);
  for (const [id, privileges] of sortEntries(config.roles)) lines.push(`role:${id}:${privileges.join(',')}:`);
  for (const rule of config.rules)
    lines.push(`acl:${rule.propagate ? 1 : 0}:${rule.path}:${rule.subject}:${rule.role}:`);
  return `${lines.join('\n')}\n`;
}
