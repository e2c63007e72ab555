// The terminal as a port: results go to out, talk goes to err. Nothing else in this package touches a stream.

export interface Terminal {
  out(text: string): void;
  err(text: string): void;
  readonly columns: number;
  readonly rows: number;
  /** A person watches err: redraw lines, show motion. */
  readonly isInteractive: boolean;
  readonly hasColour: boolean;
  /** Asks on err and reads a line; undefined when nobody can answer. */
  ask(question: string): Promise<string | undefined>;
}
