// Environment variables of a service by their names alone: whether what stands behind one is a secret.

/** PGPASSWORD and APITOKEN as well as DB_PASSWORD; of shorter words only whole ones: neither MONKEY nor COMPASS. */
const secretName =
  /(?:password|passwd|passphrase|secret|token|credentials?|apikey|(?:^|_)(?:pass|pwd|key|pw))(?:_base)?_?\d*$/iu;
const publicName = /(?:^|_)pub(?:lic)?_?key$/iu;

/** True for MARIADB_ROOT_PASSWORD, false for MARIADB_ROOT_PASSWORD_FILE and SSH_PUBLIC_KEY. */
export function namesSecret(variable: string): boolean {
  return secretName.test(variable) && !publicName.test(variable);
}

/** Behind such a name, what cannot be the secret: nothing, a switch (MARIADB_ALLOW_EMPTY_ROOT_PASSWORD), the path of a file. */
export function isHarmless(value: string): boolean {
  return /^(?:|[01]|yes|no|true|false|on|off|(?:\/[\w.-]+){2,})$/iu.test(value.trim());
}
