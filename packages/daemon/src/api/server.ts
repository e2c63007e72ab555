// The API on a Unix socket that only its owner may use: a command's way to the Labwright that runs. Runs stream their
// events as JSON lines; a client that hangs up in the middle interrupts nothing: its run goes on here.
import {
  adoptRequest,
  intentSchema,
  labDigestHeader,
  paths,
  restoreRequest,
  runRequest,
} from '@labwright/core/contract/contract';
import { asLabwrightError, LabwrightError, type ErrorJson } from '@labwright/core/errors/error';
import { missingCluster } from '@labwright/core/blueprint/missing-section';
import type { LabEvent } from '@labwright/core/events/event';
import type { Log } from '@labwright/core/ports/log';
import { Hono, type Context } from 'hono';
import { stream } from 'hono/streaming';
import type { ClusterArea } from '../cluster/cluster-area.ts';
import type { EventBus } from '../event-bus.ts';
import type { ExposuresArea } from '../exposures/exposures-area.ts';
import type { LabService } from '../lab-service.ts';
import type { OpenLab } from '../open-lab.ts';
import type { RouterArea } from '../router/router-area.ts';
import { adoptEntry, backUpRouter, diffRouter } from '../router/router-questions.ts';
import { restoreRouter } from '../router/router-restore.ts';
import type { LabRequest, ServedLab } from '../served-lab.ts';

/** The last line of a run's stream. */
export type RunEnd =
  | { readonly type: 'end'; readonly outcome: string; readonly errors: readonly ErrorJson[] }
  | { readonly type: 'error'; readonly error: ErrorJson };

export interface ApiOptions {
  readonly lab: ServedLab;
  readonly bus: EventBus;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export function makeApi({ lab, bus, log, signal }: ApiOptions): Hono {
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
  const use = async <Result>(
    context: Context,
    purpose: LabRequest['purpose'],
    work: (open: OpenLab, signal: AbortSignal) => Promise<Result>,
  ): Promise<Result> =>
    await lab.use({ digest: context.req.header(labDigestHeader), purpose }, (open) =>
      work(open, context.req.raw.signal),
    );
  api.get(paths.status, async (context) =>
    context.json(await use(context, 'look', ({ service }, given) => service.status(given))),
  );
  api.post(paths.plan, async (context) => {
    const intent = intentSchema.safeParse(await context.req.json().catch(() => undefined));
    if (!intent.success) throw new LabwrightError('LW0002', { what: 'the request to plan has not the expected form' });
    return context.json(await use(context, 'act', ({ service }, given) => service.plan(intent.data, given)));
  });
  api.get(`${paths.plan}/:id`, async (context) =>
    context.json(await use(context, 'look', async ({ service }) => service.getSavedPlan(context.req.param('id')))),
  );
  const clusterOf = ({ cluster }: OpenLab): ClusterArea => {
    if (cluster !== undefined) return cluster;
    throw missingCluster();
  };
  api.post(paths.clusterLogin, async (context) =>
    context.json(await use(context, 'look', (open, given) => clusterOf(open).makeLogin(given))),
  );
  api.get(paths.clusterCertificates, async (context) =>
    context.json(
      await use(context, 'look', async (open, given) => {
        const cluster = clusterOf(open);
        await lookIfAnswered(open.service, given);
        return await cluster.certificates(given);
      }),
    ),
  );
  const routerOf = ({ router }: OpenLab): RouterArea => {
    if (router !== undefined) return router;
    throw new LabwrightError('LW1004', {
      what: 'Labwright manages no router of this lab',
      why: 'its lab file has no section router, or no password for it that can be read',
      fix: ['router: { kind: pfsense, address: …, password: { env: PFSENSE_PASSWORD }, manage: [dns] }'],
    });
  };
  const exposuresOf = ({ exposures }: OpenLab): ExposuresArea => {
    if (exposures !== undefined) return exposures;
    throw missingCluster();
  };
  api.get(paths.exposures, async (context) =>
    context.json(await use(context, 'look', (open, given) => exposuresOf(open).list(given))),
  );
  api.get(`${paths.why}/:name`, async (context) =>
    context.json(await use(context, 'look', (open, given) => exposuresOf(open).why(context.req.param('name'), given))),
  );
  api.get(paths.routerDiff, async (context) =>
    context.json(await use(context, 'look', (open, given) => diffRouter(routerOf(open), given))),
  );
  api.post(paths.routerBackup, async (context) =>
    context.json(await use(context, 'look', (open, given) => backUpRouter(routerOf(open), given))),
  );
  api.post(paths.routerAdopt, async (context) => {
    const request = adoptRequest.safeParse(await context.req.json().catch(() => undefined));
    if (!request.success)
      throw new LabwrightError('LW0002', { what: 'the request to adopt has not the expected form' });
    return context.json(await use(context, 'act', (open, given) => adoptEntry(routerOf(open), request.data, given)));
  });
  api.post(paths.routerRestore, async (context) => {
    const request = restoreRequest.safeParse(await context.req.json().catch(() => undefined));
    if (!request.success)
      throw new LabwrightError('LW0002', { what: 'the request to restore has not the expected form' });
    return context.json(
      await use(context, 'act', async (open, given) => {
        // A run waits for what it put on the router, and its plan was made for the router as it was.
        if (request.data.agreedTo !== undefined) open.service.assertNoRun();
        return await restoreRouter(routerOf(open), request.data, given);
      }),
    );
  });
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
        // Not the client's signal: a run goes on when whoever asked for it hangs up.
        const result = await use(context, 'act', ({ service }) =>
          service.run({ planId: request.data.plan, by: 'person', emit: write, interrupt: interrupt.signal, signal }),
        );
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

/** Who replaces whom is known from the hypervisors. While none of them answers, what was last seen has to do. */
async function lookIfAnswered(service: Pick<LabService, 'look'>, signal: AbortSignal): Promise<void> {
  try {
    await service.look(signal);
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof LabwrightError) || error.code !== 'LW2001') throw error;
  }
}
