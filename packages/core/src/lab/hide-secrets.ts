// Lines of a lab file as they may be shown: what stands where a secret is named may be the secret itself, by mistake.

/** A key that a secret may stand behind, also when it is misspelt, and the place of its value. */
const secretKey = /[\w-]*(?:pass|pwd|token|secret)[\w-]*["']?\s*:(?=$|[\s"'{[])\s*/giu;
/** The same for a variable of a service (API_KEY): `key` on its own also ends names of what is public, such as hostKey. */
const secretVariable = /\w*(?:_(?:key|pw)|credentials?|apikey)\d*["']?\s*:(?=$|[\s"'{[])\s*/giu;
/** Where the secret is, which is no secret. */
const reference = /^\{\s*(?:env|file|age)\s*:\s*(?:[A-Za-z_][\w./~-]*|[./~][\w./~-]*)\s*\}/u;
const keyItself = /-----BEGIN [A-Z ]*PRIVATE KEY|AGE-SECRET-KEY-/iu;

/** The line, with dots from the first value on that may be a secret. */
export function hideSecrets(line: string): string {
  const places = [keyItself.exec(line)?.index, findValue(line, secretKey), findValue(line, secretVariable)];
  const from = places.filter((at) => at !== undefined);
  return from.length === 0 ? line : `${line.slice(0, Math.min(...from))}•••`;
}

function findValue(line: string, key: RegExp): number | undefined {
  for (const found of line.matchAll(key)) {
    const at = found.index + found[0].length;
    const value = line.slice(at);
    // `secrets` holds maps by name; what is in them is looked at on its own.
    const isSection = /^secrets["']?\s*:/u.test(found[0]) && /^[{&]/u.test(value);
    if (value !== '' && !value.startsWith('#') && !isSection && !reference.test(value)) return at;
  }
  return undefined;
}
