// Before each file of network tests: what an earlier one left in the testbed (namespaces, bridges, cables) goes, so that no file
// depends on the names that others use. Run by vitest inside tools/in-testbed; see vitest.config.ts.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** What the tests make; the kernel's own interfaces stay. */
const kinds = ['veth', 'bridge', 'dummy'];

if (process.env['LABWRIGHT_TESTBED'] === '1') {
  for (const { name } of await list<{ readonly name: string }>('netns', 'list'))
    await run('ip', ['netns', 'del', name]);
  for (const kind of kinds) {
    for (const { ifname } of await list<{ readonly ifname?: string }>('link', 'show', 'type', kind)) {
      // The other end of a cable is gone with the first.
      if (ifname !== undefined) await run('ip', ['link', 'del', ifname]).catch(onlyIfGone);
    }
  }
}

async function list<Row>(...argv: readonly string[]): Promise<readonly Row[]> {
  const { stdout } = await run('ip', ['-json', ...argv]);
  return stdout.trim() === '' ? [] : (JSON.parse(stdout) as readonly Row[]);
}

function onlyIfGone(error: unknown): void {
  if (!/Cannot find device|No such device/.test(String(error))) throw error;
}
