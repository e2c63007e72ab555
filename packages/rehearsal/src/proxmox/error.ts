// The errors an emulated Proxmox host answers with, and the one it refuses to start with.

/** What a call ends with when it fails: the HTTP status, the text of Perl's `die`, and one text a wrong parameter. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly parameters: Readonly<Record<string, string>>;

  constructor(status: number, message: string, parameters: Readonly<Record<string, string>> = {}) {
    super(message.endsWith('\n') ? message : `${message}\n`);
    this.status = status;
    this.parameters = parameters;
  }
}

/** A refusal of meaning rather than of form (missing, locked, running, exists): Proxmox answers 500 for nearly all. */
export function refusal(message: string): ApiError {
  return new ApiError(500, message);
}

export function parameterError(parameters: Readonly<Record<string, string>>): ApiError {
  return new ApiError(400, 'Parameter verification failed.', parameters);
}

export function permissionError(what: string): ApiError {
  return new ApiError(403, `Permission check failed (${what})`);
}

/** The emulator itself cannot work: what failed and what to do about it, for the person who started it. */
export class EmulatorError extends Error {
  override readonly name = 'EmulatorError';
  readonly fix: string;

  constructor(message: string, fix: string, cause?: unknown) {
    super(message, { cause });
    this.fix = fix;
  }
}

/** The text of anything thrown, without the newline that Perl's messages end with. */
export function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).trimEnd();
}

export function isMissingFile(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
