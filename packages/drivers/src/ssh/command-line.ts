// A command for a remote shell. sshd hands one string to the login shell, so every word is quoted here, in one place.

/** The words as one line that any POSIX shell splits into the very same words. */
export function formatCommandLine(words: readonly string[]): string {
  return words.map(quoteWord).join(' ');
}

/** Within single quotes a POSIX shell takes everything literally except the quote itself. */
function quoteWord(word: string): string {
  return /^[A-Za-z0-9_@%+:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
