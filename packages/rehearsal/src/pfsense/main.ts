// Entry: `node main.ts ROUTER.json` is one emulated pfSense, in a network, mount and process namespace of its own. SIGTERM ends it as a
// person would halt it; SIGKILL is a power cut.
import { startRouter } from './emulated-router.ts';
import { openControlServer } from './control-server.ts';
import { messageOf, RouterError } from './router-error.ts';
import { readRouterPlan } from './router-plan.ts';

const write = (line: string): void => void process.stderr.write(`${line}\n`);

async function run(file: string | undefined): Promise<void> {
  if (file === undefined) throw new RouterError('no plan given', 'run: node main.ts ROUTER.json');
  const plan = await readRouterPlan(file);
  const router = await startRouter(plan, { log: write });
  const control = await openControlServer(router, () => process.kill(process.pid, 'SIGKILL'));
  write(`pfSense ${plan.profile} answers on https://${plan.lan.address}:${plan.port}/xmlrpc.php`);
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
  });
  await control.close();
  await router.close();
}

run(process.argv[2]).catch((error: unknown) => {
  write(
    error instanceof RouterError
      ? `${messageOf(error)}\nfix: ${error.fix}`
      : String(error instanceof Error ? (error.stack ?? error.message) : error),
  );
  process.exitCode = 1;
});
