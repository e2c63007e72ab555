// The API on a Unix socket that only its owner may use: a command's way to the Labwright that runs. Runs stream their
// events as JSON lines; a client that hangs up in the middle interrupts nothing: its run goes on here.
import { intentSchema, paths, runRequest } from '@labwright/core/contract/contract';
import { asLabwrightError, LabwrightError, type ErrorJson } from '@labwright/core/errors/error';
import type { LabEvent } from '@labwright/core/events/event';
import type { Log } from '@labwright/core/ports/log';
import { Hono } from 'hono';
import { stream } from 'hono/streaming';
import type { ClusterArea } from '../cluster/cluster-area.ts';
import type { EventBus } from '../event-bus.ts';
import type { LabService } from '../lab-service.ts';

/** The last line of a run's stream. */
export type RunEnd =
  | { readonly type: 'end'; readonly outcome: string; readonly errors: readonly ErrorJson[] }
  | { readonly type: 'error'; readonly error: ErrorJson };

export interface ApiOptions {
  readonly service: LabService;
  /** Absent for a lab without one. */
  readonly cluster?: ClusterArea;
  readonly bus: EventBus;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export function makeApi({ service, cluster, bus, log, signal }: ApiOptions): Hono {
  const api = new Hono();
  // The interrupts of runs under way, by the client's own name for its run.
  const interrupts = new Map<string, AbortController>();

  api.onError((thrown, context) => {
    const error = asLabwrightError(thrown);
    // Whoever asked is told; only a mistake of ours is news for the log as well.
    const level = error.kind === 'bug' ? 'error' : 'debug';
    log[level]('a request failed', { code: error.code, what: error.message, path: context.req.path });
    return context.json(error.toJSON(), error.kind === 'usage' ? 400 : 500);
  });
  api.get(paths.status, async (context) => context.json(await service.status(context.req.raw.signal)));
  api.post(paths.plan, async (context) => {
    const intent = intentSchema.safeParse(await context.req.json().catch(() => undefined));
    if (!intent.success) throw new LabwrightError('LW0002', { what: 'the request to plan has not the expected form' });
    return context.json(await service.plan(intent.data, context.req.raw.signal));
  });
  api.get(`${paths.plan}/:id`, (context) => context.json(service.getSavedPlan(context.req.param('id'))));
  const getCluster = (): ClusterArea => {
    if (cluster !== undefined) return cluster;
    throw new LabwrightError('LW0002', {
      what: 'this lab has no cluster',
      why: 'its lab file has no section kubernetes',
      fix: ['labwright config show --resolved'],
    });
  };
  api.post(paths.clusterLogin, async (context) => context.json(await getCluster().makeLogin(context.req.raw.signal)));
  api.get(paths.clusterCertificates, async (context) =>
    context.json(await getCluster().certificates(context.req.raw.signal)),
  );
  api.post(`${paths.runs}/:ticket`, async (context) => {
    const request = runRequest.safeParse(await context.req.json().catch(() => undefined));
    if (!request.success) throw new LabwrightError('LW0002', { what: 'the request to run has not the expected form' });
    const interrupt = new AbortController();
    const ticket = context.req.param('ticket');
    interrupts.set(ticket, interrupt);
    context.header('content-type', 'application/x-ndjson');
    return stream(context, async (out) => {
      const write = (value: LabEvent | RunEnd): void => void out.write(`${JSON.stringify(value)}\n`);
      try {
        const result = await service.run({
          planId: request.data.plan,
          emit: write,
          interrupt: interrupt.signal,
          signal,
        });
        write({ type: 'end', outcome: result.outcome, errors: result.failures.map(({ error }) => error.toJSON()) });
      } catch (thrown) {
        write({ type: 'error', error: asLabwrightError(thrown).toJSON() });
      } finally {
        interrupts.delete(ticket);
      }
    });
  });
  api.delete(`${paths.runs}/:ticket`, (context) => {
    interrupts.get(context.req.param('ticket'))?.abort(new LabwrightError('LW0003', { what: 'interrupted' }));
    return context.body(null, 204);
  });
  api.get(paths.events, (context) => {
    context.header('content-type', 'application/x-ndjson');
    return stream(context, async (out) => {
      const gone = new AbortController();
      out.onAbort(() => gone.abort());
      bus.listen((event) => void out.write(`${JSON.stringify(event)}\n`), gone.signal);
      const ended = AbortSignal.any([gone.signal, signal]);
      await new Promise<void>((resolve) => ended.addEventListener('abort', () => resolve(), { once: true }));
    });
  });
  return api;
}
