// An emulated pfSense on a LAN of its own under the rehearsal's real keeper, and a client of other people on a second device: Python's
// xmlrpc.client.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DeviceInput } from '@labwright/rehearsal/lab/topology';
import { makeRouterControl, type RouterControl } from '@labwright/rehearsal/pfsense/control-client';
import { writePfsense } from '@labwright/rehearsal/pfsense/pfsense-device';
import { routerFiles, type RouterPlanInput } from '@labwright/rehearsal/pfsense/router-plan';
import { peersRoot } from '../roots.ts';
import { startTopology, type CommandResult, type RunningTopology } from '../rehearsal/running-topology.ts';
import { routerRoot } from './router-root.ts';

const routerAddress = '10.77.46.1';
const laptopAddress = '10.77.46.50';
const passwords = { admin: 'admin of the test', sync: 'sync & "quoted"', none: 'may nothing' } as const;

export type RouterUser = keyof typeof passwords;

export type Reply =
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'fault'; readonly code: number; readonly text: string }
  | { readonly kind: 'http'; readonly status: number }
  | { readonly kind: 'gone'; readonly text: string };

export interface CallOptions {
  readonly user?: RouterUser;
  readonly password?: string;
  readonly timeoutSeconds?: number;
}

export interface PfsenseLan {
  readonly lab: RunningTopology;
  readonly control: RouterControl;
  readonly stateDirectory: string;
  /** Calls a method by Python's xmlrpc.client; gives what that made of the answer. */
  call(method: string, parameters: readonly unknown[], options?: CallOptions): Promise<Reply>;
  /** exec_php; the value as it comes. */
  php(code: string, options?: CallOptions): Promise<Reply>;
  /** A program of the peers' root on the laptop. */
  onLaptop(...command: string[]): Promise<CommandResult>;
  stop(): Promise<void>;
}

// One connection for all calls of a run, as a client would have.
const client = `
import json, ssl, sys, socket, xmlrpc.client
question = json.load(sys.stdin) if len(sys.argv) < 2 else json.loads(sys.argv[1])
socket.setdefaulttimeout(question["timeoutSeconds"])
context = ssl._create_unverified_context()
def quote(text):
    import urllib.parse
    return urllib.parse.quote(text, safe="")
url = "https://%s:%s@%s/xmlrpc.php" % (quote(question["user"]), quote(question["password"]), question["address"])
def ask():
    proxy = xmlrpc.client.ServerProxy(url, context=context)
    try:
        value = getattr(proxy, question["method"])(*question["parameters"])
        return {"kind": "value", "value": value}
    except xmlrpc.client.Fault as fault:
        return {"kind": "fault", "code": fault.faultCode, "text": fault.faultString}
    except xmlrpc.client.ProtocolError as error:
        return {"kind": "http", "status": error.errcode}
    except Exception as error:
        return {"kind": "gone", "text": repr(error)}
print(json.dumps(ask()))
`;

export async function startPfsense(changes: Partial<RouterPlanInput> = {}): Promise<PfsenseLan> {
  const [peers, tree] = await Promise.all([peersRoot(), routerRoot()]);
  let stateDirectory = '';
  const makeDevices = async (state: string): Promise<readonly DeviceInput[]> => {
    stateDirectory = join(state, 'router');
    const secrets = join(state, 'secrets');
    await mkdir(secrets);
    const users: RouterPlanInput['users'] = [];
    for (const role of ['admin', 'sync', 'none'] as const) {
      const passwordFile = join(secrets, role);
      await writeFile(passwordFile, passwords[role]);
      users.push({ name: role, role, passwordFile });
    }
    const router = await writePfsense({
      name: 'router',
      router: {
        version: 1,
        lab: 'test+rehearsal',
        domain: 'home.arpa',
        latency: 'none',
        tree,
        stateDirectory,
        lan: { address: routerAddress, bits: 24 },
        users,
        dhcp: { from: '10.77.46.100', to: '10.77.46.150' },
        ...changes,
      },
    });
    return [router, { name: 'laptop', address: laptopAddress }];
  };
  const lab = await startTopology({ makeDevices });
  const onLaptop = async (...command: string[]): Promise<CommandResult> => await lab.runOn('laptop', peers, command);
  const call = async (method: string, parameters: readonly unknown[], options: CallOptions = {}): Promise<Reply> => {
    const { user = 'sync', timeoutSeconds = 14 } = options;
    const password = options.password ?? passwords[user];
    const question = { address: routerAddress, user, password, method, parameters, timeoutSeconds };
    const { output } = await onLaptop('python3', '-c', client, JSON.stringify(question));
    try {
      return JSON.parse(output) as Reply;
    } catch (error) {
      throw new Error(output, { cause: error });
    }
  };
  return {
    lab,
    stateDirectory,
    control: makeRouterControl(routerFiles(stateDirectory).control),
    call,
    php: async (code, options) => await call('pfsense.exec_php', [code], options),
    onLaptop,
    stop: async () => await lab.stop(),
  };
}
