// The terminal as a port: results go to out, talk goes to err. Nothing else in this package touches a stream.
import type { TextStyle } from './render/text.ts';

export interface Terminal {
  out(text: string): void;
  err(text: string): void;
  /** How text may look on each; one may be a terminal while the other goes into a file. */
  readonly outStyle: TextStyle;
  readonly errStyle: TextStyle;
  readonly rows: number;
  /** A person watches err: redraw lines, show motion. */
  readonly isInteractive: boolean;
  /** Asks on err and reads a line; undefined when nobody can answer. */
  ask(question: string): Promise<string | undefined>;
}

/** The same without colour and motion, and with words beside symbols. */
export function plainTerminal(terminal: Terminal): Terminal {
  const plain = (style: TextStyle): TextStyle => ({ ...style, hasColour: false, isPlain: true });
  return {
    out: (text) => terminal.out(text),
    err: (text) => terminal.err(text),
    get outStyle() {
      return plain(terminal.outStyle);
    },
    get errStyle() {
      return plain(terminal.errStyle);
    },
    get rows() {
      return terminal.rows;
    },
    isInteractive: false,
    ask: async (question) => await terminal.ask(question),
  };
}
