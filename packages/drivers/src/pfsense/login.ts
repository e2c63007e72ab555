// The login of Labwright at a router, and what becomes of it once it was refused: nothing is sent any more until there is another
// password, or a person asks again. pfSense bans an address after three failed logins within half an hour, pages and all.
import type { LabwrightError } from '@labwright/core/errors/error';
import type { Secret } from '@labwright/core/ports/secret';

export interface RouterLoginOptions {
  readonly password: Secret;
  /** What the lab refers to by now; absent where that cannot change. */
  readonly readPassword?: () => Promise<Secret>;
  readonly now?: () => number;
}

export type Refusal =
  /** The user or the password is wrong. */
  | 'login'
  /** The login is right, and lacks a privilege: asking again harms nobody. */
  | 'privilege';

const bannedWithinMs = 30 * 60_000;
const mostRefusals = 2;
const privilegeAgainMs = 60_000;

export class RouterLogin {
  readonly #options: RouterLoginOptions;
  readonly #now: () => number;
  #password: Secret;
  #refused: { readonly error: LabwrightError; readonly kind: Refusal; readonly atMs: number } | undefined;
  #refusals: readonly number[] = [];

  constructor(options: RouterLoginOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#password = options.password;
  }

  get password(): Secret {
    return this.#password;
  }

  /** Why nothing is sent. */
  get refusal(): LabwrightError | undefined {
    return this.#refused?.error;
  }

  refused(error: LabwrightError, kind: Refusal): void {
    const atMs = this.#now();
    this.#refused = { error, kind, atMs };
    if (kind === 'login') this.#refusals = [...this.#recent(), atMs];
  }

  /** Whether a call may be sent by now: another password is taken up, and a privilege may have been given since. Sends nothing. */
  async isMended(): Promise<boolean> {
    const refused = this.#refused;
    if (refused === undefined) return true;
    const isDue = refused.kind === 'privilege' && this.#now() - refused.atMs >= privilegeAgainMs;
    if (!isDue && !(await this.#isChanged())) return false;
    if (this.#refused === refused) this.#refused = undefined;
    return true;
  }

  /** A person asks for one more try of the same. Says whether it may be: not where that one could have the router ban us. */
  forgive(): boolean {
    if (this.#refused?.kind === 'login' && this.#recent().length >= mostRefusals) return false;
    this.#refused = undefined;
    return true;
  }

  /** A secret that cannot be read at the moment is being written. */
  async #isChanged(): Promise<boolean> {
    const next = await this.#options.readPassword?.().catch(() => undefined);
    if (next === undefined || next.reveal() === this.#password.reveal()) return false;
    this.#password = next;
    return true;
  }

  #recent(): readonly number[] {
    return this.#refusals.filter((atMs) => atMs > this.#now() - bannedWithinMs);
  }
}
