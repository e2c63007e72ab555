// The one error class: what happened, where, why, and how to fix it, in the user's words.
import { describeFileFailure } from './file-failure.ts';
import { errorTable, type ErrorCode, type ErrorKind } from './table.ts';

export interface ErrorDetails {
  /** One sentence with the names of the things concerned. */
  readonly what: string;
  /** Named places: { call: 'POST /nodes/pve1/qemu', machine: 'node101' }. */
  readonly where?: Readonly<Record<string, string>>;
  /** The reason, as far as it is known; the peer's own words where it gave some. */
  readonly why?: string;
  /** Commands to run or lines of the lab file to change, most likely first. */
  readonly fix?: readonly string[];
  /** The last lines of a log that belongs to the failure, oldest first. */
  readonly log?: readonly string[];
  readonly cause?: unknown;
}

/** The shape an error has in `--json`, on the socket and in the journal. */
export interface ErrorJson {
  readonly code: ErrorCode;
  readonly kind: ErrorKind;
  readonly title: string;
  readonly what: string;
  readonly where: Readonly<Record<string, string>>;
  readonly why?: string;
  readonly fix: readonly string[];
  readonly log: readonly string[];
}

export class LabwrightError extends Error {
  readonly code: ErrorCode;
  readonly where: Readonly<Record<string, string>>;
  readonly why: string | undefined;
  readonly fix: readonly string[];
  readonly log: readonly string[];

  constructor(code: ErrorCode, details: ErrorDetails) {
    super(details.what, details.cause === undefined ? {} : { cause: details.cause });
    this.name = 'LabwrightError';
    this.code = code;
    this.where = details.where ?? {};
    this.why = details.why;
    this.fix = details.fix ?? [];
    this.log = details.log ?? [];
  }

  get kind(): ErrorKind {
    return errorTable[this.code].kind;
  }

  toJSON(): ErrorJson {
    return {
      code: this.code,
      kind: this.kind,
      title: errorTable[this.code].title,
      what: this.message,
      where: this.where,
      ...(this.why === undefined ? {} : { why: this.why }),
      fix: this.fix,
      log: this.log,
    };
  }

  /** The error a peer (the socket, the journal) wrote with toJSON. */
  static fromJSON(json: ErrorJson): LabwrightError {
    return new LabwrightError(json.code, {
      what: json.what,
      where: json.where,
      fix: json.fix,
      log: json.log,
      ...(json.why === undefined ? {} : { why: json.why }),
    });
  }
}

/**
 * Anything thrown, as a LabwrightError: ours stay, a file that cannot be used is LW0005, the rest become LW0001; the cause
 * is kept.
 */
export function asLabwrightError(thrown: unknown): LabwrightError {
  if (thrown instanceof LabwrightError) return thrown;
  const fileFailure = describeFileFailure(thrown);
  if (fileFailure !== undefined) return new LabwrightError('LW0005', fileFailure);
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new LabwrightError('LW0001', {
    what: message === '' ? 'an error without a message' : message,
    fix: ['report this with the output of the same command and --debug'],
    cause: thrown,
  });
}

/** Holds a claim the program relies on; what breaks it is our mistake, not the user's. */
export function invariant(condition: unknown, claim: string): asserts condition {
  if (!condition) throw new LabwrightError('LW0001', { what: `this should always hold: ${claim}` });
}
