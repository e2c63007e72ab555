// The emulator's own door beside xmlrpc.php: faults, the hand on the router and the truth about it, over a Unix socket that only its
// owner may open.
//
//   GET /status · GET /config · GET /backups · GET /journal
//   GET /faults · POST /faults {kind: …} · DELETE /faults[/ID]
//   POST /pages · POST /pages/ID {edits, …} · DELETE /pages/ID
import { once } from 'node:events';
import { chmod, readdir, readFile, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import * as z from 'zod';
import { timeOf, type EmulatedRouter } from './emulated-router.ts';
import { faultSchema, type Fault } from './fault.ts';
import { saveSchema } from './hand.ts';
import { messageOf, RouterError } from './router-error.ts';

export interface ControlServer {
  close(): Promise<void>;
}

export async function openControlServer(router: EmulatedRouter, onPowerCut: () => void): Promise<ControlServer> {
  const socket = router.files.control;
  await rm(socket, { force: true });
  const server = createServer((request, response) => {
    answer(request, router, onPowerCut).then(
      (value) => response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(value)),
      (error: unknown) => response.writeHead(400).end(JSON.stringify({ error: messageOf(error) })),
    );
  });
  server.listen(socket);
  await once(server, 'listening');
  await chmod(socket, 0o600);
  return {
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
      await rm(socket, { force: true });
    },
  };
}

async function answer(request: IncomingMessage, router: EmulatedRouter, onPowerCut: () => void): Promise<unknown> {
  const { method, url = '/' } = request;
  const [, what = '', number] = /^\/(\w+)(?:\/(\d+))?$/.exec(url) ?? [];
  const id = number === undefined ? undefined : Number(number);
  switch (`${method} /${what}${id === undefined ? '' : '/ID'}`) {
    case 'GET /status':
      return { state: router.state(), profile: router.plan.profile, blocked: router.protection.list() };
    case 'GET /config':
      return { text: await readFile(router.files.config, 'utf8') };
    case 'GET /backups':
      return await readBackups(router);
    case 'GET /journal':
      return await readJournal(router.files.journal);
    case 'GET /faults':
      return router.faults.list();
    case 'POST /faults':
      return await applyFault(router, await readJson(request, faultSchema), onPowerCut);
    case 'DELETE /faults':
    case 'DELETE /faults/ID':
      router.faults.remove(id);
      return {};
    case 'POST /pages':
      return { page: await router.hand.open() };
    case 'POST /pages/ID':
      await router.hand.save(id ?? 0, await readJson(request, saveSchema));
      return {};
    case 'DELETE /pages/ID':
      router.hand.leave(id ?? 0);
      return {};
    default:
      throw new RouterError(`no ${method} ${url} here`, 'read the list at the top of control-server.ts');
  }
}

async function readBackups({ files }: EmulatedRouter): Promise<readonly { time: number; text: string }[]> {
  const names = (await readdir(files.backups)).filter((name) => /^config-\d+\.xml$/.test(name));
  const read = names.map(async (name) => ({
    time: timeOf(name),
    text: await readFile(`${files.backups}/${name}`, 'utf8'),
  }));
  return (await Promise.all(read)).sort((one, other) => one.time - other.time);
}

async function readJournal(file: string): Promise<readonly unknown[]> {
  const text = await readFile(file, 'utf8').catch(() => ''); // Nothing was done yet.
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line): unknown => JSON.parse(line));
}

async function readJson<S extends z.ZodType>(request: IncomingMessage, schema: S): Promise<z.output<S>> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const result = schema.safeParse(JSON.parse(Buffer.concat(chunks).toString('utf8')));
  if (result.success) return result.data;
  throw new RouterError(z.prettifyError(result.error), 'correct the request');
}

/** Makes it happen, or stand; gives the ID by which a standing one is ended. */
async function applyFault(router: EmulatedRouter, fault: Fault, onPowerCut: () => void): Promise<{ id?: number }> {
  switch (fault.kind) {
    case 'reboot':
      await router.reboot(fault.seconds);
      return {};
    case 'restore':
      await router.restore(fault.time, fault.seconds);
      return {};
    case 'power-cut':
      onPowerCut();
      return {};
    case 'answer':
    case 'slow':
    case 'cut':
      return { id: router.faults.add(fault) };
  }
}
