// What keeps the emulated router from working, for the person who started it.

export class RouterError extends Error {
  override readonly name = 'RouterError';
  readonly fix: string;

  constructor(message: string, fix: string, cause?: unknown) {
    super(message, { cause });
    this.fix = fix;
  }
}

export function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).trimEnd();
}
