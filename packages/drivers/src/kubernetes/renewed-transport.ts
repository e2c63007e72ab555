// A transport for longer than a login lasts: each request goes by the newest login, and what went by a former one is left to end.
import type { Clock } from '@labwright/core/ports/clock';
import type { ClusterLogin } from './connection.ts';
import type { ApiTransport, FinishingTransport } from './transport.ts';

/** Of a login without renewal it is the plain transport. `open` opens nothing yet, as connecting does. */
export function openRenewedTransport(
  first: ClusterLogin,
  open: (login: ClusterLogin) => FinishingTransport,
  clock: Pick<Clock, 'now'>,
): ApiTransport {
  if (first.renewal === undefined) return open(first);
  let login = first;
  let newest = open(first);
  let renewing: Promise<void> | undefined;
  /** A connection that is kept alive shows the login it was made with: these take no more requests. */
  const former = new Set<FinishingTransport>();
  let isClosed = false;

  const renew = async (next: () => Promise<ClusterLogin>): Promise<void> => {
    const renewed = await next();
    if (isClosed) return;
    const ended = newest;
    [login, newest] = [renewed, open(renewed)];
    former.add(ended);
    void ended.finish().finally(() => former.delete(ended));
  };
  const ensureCurrent = async (): Promise<void> => {
    const { renewal } = login;
    if (renewal === undefined || clock.now() < renewal.at) return;
    renewing ??= renew(renewal.next).finally(() => (renewing = undefined));
    await renewing;
  };

  return {
    async send(request, signal) {
      await ensureCurrent();
      return await newest.send(request, signal);
    },
    async stream(path, silenceMs, signal) {
      await ensureCurrent();
      return await newest.stream(path, silenceMs, signal);
    },
    async close() {
      isClosed = true;
      await Promise.all([newest, ...former].map((each) => each.close()));
    },
  };
}
