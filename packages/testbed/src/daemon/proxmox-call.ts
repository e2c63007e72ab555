// Entry: `node proxmox-call.ts ORDER` makes one call of the Proxmox API and awaits the task it starts, without a line of our own
// driver. It runs on the emulated LAN, where acceptance runs do not.
import { readFile } from 'node:fs/promises';
import { request } from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';

export interface ProxmoxOrder {
  readonly url: string;
  readonly tokenId: string;
  readonly secretFile: string;
  readonly method: string;
  readonly path: string;
  readonly parameters: Readonly<Record<string, string>>;
}

const order = JSON.parse(process.argv[2] ?? '') as ProxmoxOrder;
const secret = (await readFile(order.secretFile, 'utf8')).trim();

/** An emulated host that was idle for long may be half a minute away: its pages were taken, and are read back. */
const patienceMs = 90_000;

/** Asks again what certainly was not done: a host that could not be reached (595), or a question without an answer (596). */
async function call(method: string, path: string, parameters: Readonly<Record<string, string>> = {}): Promise<unknown> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const { status, text } = await ask(method, path, parameters);
    if (status === 200) return (JSON.parse(text) as { readonly data: unknown }).data;
    const isPassing = status === 595 || (status === 596 && method === 'GET');
    if (!isPassing || performance.now() > deadline) throw new Error(`${status} ${text}`);
    await delay(1000);
  }
}

async function ask(
  method: string,
  path: string,
  parameters: Readonly<Record<string, string>>,
): Promise<{ readonly status: number; readonly text: string }> {
  const form = new URLSearchParams(parameters).toString();
  const hasBody = method === 'POST' || method === 'PUT';
  const headers = {
    authorization: `PVEAPIToken=${order.tokenId}=${secret}`,
    ...(hasBody
      ? { 'content-type': 'application/x-www-form-urlencoded', 'content-length': Buffer.byteLength(form) }
      : {}),
  };
  return await new Promise((resolve, reject) => {
    // The certificate is one that the rehearsal made a moment ago, and the network is the rehearsal's own. A connection for each
    // question: the server may close one at the moment at which it would be used again.
    const how = { method, headers, rejectUnauthorized: false, agent: false };
    const outgoing = request(`${order.url}${path}`, how, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part: string) => (text += part));
      answer.on('error', reject);
      answer.on('end', () => {
        resolve({ status: answer.statusCode ?? 0, text });
      });
    });
    outgoing.on('error', reject);
    outgoing.end(hasBody ? form : undefined);
  });
}

const data = await call(order.method, order.path, order.parameters);
if (typeof data === 'string' && data.startsWith('UPID:')) {
  const path = `/nodes/${data.split(':')[1] ?? ''}/tasks/${encodeURIComponent(data)}/status`;
  for (;;) {
    const { status, exitstatus } = (await call('GET', path)) as {
      readonly status: string;
      readonly exitstatus?: string;
    };
    if (status === 'stopped' && exitstatus === 'OK') break;
    if (status === 'stopped') throw new Error(`the task ended with ${exitstatus ?? 'nothing'}`);
    await delay(100);
  }
}
process.stdout.write(JSON.stringify(data));
