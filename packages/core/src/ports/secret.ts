// A secret prints as dots wherever it ends up: logs, JSON, errors, the REPL.

const dots = '•••';

export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The value itself; only where it is sent or used. */
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return dots;
  }

  toJSON(): string {
    return dots;
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return dots;
  }
}
