// The error that a promise is expected to end with.
import { LabwrightError } from '@labwright/core/errors/error';

export async function failure(promise: Promise<unknown>): Promise<LabwrightError> {
  const error = await promise.then(
    () => new Error('nothing was thrown'),
    (thrown: unknown) => thrown,
  );
  if (error instanceof LabwrightError) return error;
  throw error;
}
