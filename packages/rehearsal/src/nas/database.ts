// What the database of the rehearsal's NAS is told: MariaDB 10.11 with little memory, and its databases and users.

export interface NasDatabase {
  readonly name: string;
  readonly user: string;
  readonly password: string;
}

/** A file for /etc/mysql/mariadb.conf.d. */
export function formatDatabaseConfig(address: string, port: number): string {
  return [
    '[mysqld]',
    `bind-address = ${address}`,
    `port = ${port}`,
    // Clients are machines and pods; a look-up for each would only be a delay.
    'skip-name-resolve',
    'max-connections = 50',
    'performance-schema = off',
    'innodb-buffer-pool-size = 16M',
    'innodb-log-buffer-size = 1M',
    'innodb-log-file-size = 8M',
    'key-buffer-size = 1M',
    'aria-pagecache-buffer-size = 1M',
    'table-open-cache = 64',
    '',
  ].join('\n');
}

/** Statements for `--init-file`, one a line; they end the same however often they are run. */
export function formatDatabaseUsers(databases: readonly NasDatabase[]): string {
  return databases
    .flatMap(({ name, user, password }) => [
      `CREATE DATABASE IF NOT EXISTS ${quoteName(name)};`,
      `CREATE USER IF NOT EXISTS ${quoteText(user)}@'%';`,
      `ALTER USER ${quoteText(user)}@'%' IDENTIFIED BY ${quoteText(password)};`,
      `GRANT ALL ON ${quoteName(name)}.* TO ${quoteText(user)}@'%';`,
    ])
    .map((statement) => `${statement}\n`)
    .join('');
}

const quoteName = (name: string): string => `\`${name.replaceAll('`', '``')}\``;

/** As MariaDB reads it in its default mode, in which a backslash escapes. */
const quoteText = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
