// For tests: runs snippets in a real PHP over a folder, with testdata/library.php in the place of pfSense.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type SnippetName, formatSnippet } from './snippet.ts';

export interface Php {
  readonly command: string;
  readonly options: readonly string[];
}

/** The PHP of this computer, else that of a router's Debian root in the cache; undefined where there is neither. */
export async function findPhp(): Promise<Php | undefined> {
  const own = ['/usr/bin/php', '/usr/local/bin/php'].find((file) => existsSync(file));
  if (own !== undefined) return { command: own, options: [] };
  const roots = join(homedir(), '.cache/labwright/debian-roots');
  const names = existsSync(roots) ? await readdir(roots) : [];
  for (const root of names.filter((name) => name.startsWith('router-') && !name.endsWith('.lock'))) {
    const at = (path: string): string => join(roots, root, path);
    const [loader, php] = [at('lib64/ld-linux-x86-64.so.2'), at('usr/bin/php8.2')];
    const modules = existsSync(at('usr/lib/php'))
      ? (await readdir(at('usr/lib/php'))).find((name) => /^\d{8}$/.test(name))
      : undefined;
    if (!existsSync(loader) || !existsSync(php) || modules === undefined) continue;
    const folder = at(`usr/lib/php/${modules}`);
    const extensions = ['xml', 'simplexml'].flatMap((name) => ['-d', `extension=${folder}/${name}.so`]);
    return { command: loader, options: ['--library-path', at('usr/lib/x86_64-linux-gnu'), php, '-n', ...extensions] };
  }
  process.stderr.write('skipped: no PHP here and no Debian root of a router in the cache; its snippets are not run\n');
  return undefined;
}

/**
 * Fills in what it misses, as the real one does, and takes no server with the port 666. A reload fails at front ends whose ports
 * are in the file "taken-ports", and names them unless the word "unnamed" is there too.
 */
const balancerPackage = `<?php
function haproxy_check_and_run(&$messages, $reload) {
	global $config;
	$package = isset($config['installedpackages']['haproxy']) ? $config['installedpackages']['haproxy'] : '';
	$pools = isset($package['ha_pools']['item']) ? $package['ha_pools']['item'] : array();
	if (is_array($package)) {
		$config['installedpackages']['haproxy']['email_mailers'] = array('item' => array());
	}
	note_call($reload ? 'haproxy reload' : 'haproxy check');
	$is_bad = strpos(serialize($pools), '"666"') !== false;
	$messages = $is_bad ? 'Errors found<br/>[ALERT] port &lt;666&gt;' : '';
	$file = "{$GLOBALS['folder']}/taken-ports";
	$taken = $reload && !$is_bad && is_file($file) ? explode(' ', file_get_contents($file)) : array();
	foreach (count($taken) > 0 ? $package['ha_backends']['item'] : array() as $front) {
		if (in_array($front['a_extaddr']['item'][0]['extaddr_port'], $taken, true)) {
			$named = in_array('unnamed', $taken, true) ? '' : "Starting frontend {$front['name']}: ";
			$messages .= "<br/>[ALERT] (1) : {$named}cannot bind socket";
			$is_bad = true;
		}
	}
	return $is_bad ? false : 'Configuration file is valid';
}
`;

/** su, and unbound-control behind it: keeps what it was told, and fails while the file "down" is there. */
const resolverControl = `#!/bin/sh
folder=$(dirname "$0")/..
action=\${4##* }
echo "unbound-control $action" >> "$folder/calls"
test -e "$folder/resolver/down" && { echo "error: connect: Connection refused"; exit 1; }
test "$1 $2 $3" = "-m unbound -c" && cat >> "$folder/resolver/$action" && echo ok
`;

export type SlipMoment = 'at-lock' | 'at-backup' | 'after-write';

export interface PhpRouter {
  readonly folder: string;
  execPhp(code: string): Promise<unknown>;
  run(name: SnippetName, values: unknown): Promise<Record<string, unknown>>;
  readConfig(): Promise<string>;
  writeConfig(text: string): Promise<void>;
  /** Another page's whole config.xml, saved at that moment of our write. */
  slip(moment: SlipMoment, text: string): Promise<void>;
  /** Takes back a slip whose moment did not come; false when there is none. */
  dropSlip(): Promise<boolean>;
  /** What was called, and forgets it. */
  takeCalls(): Promise<readonly string[]>;
  close(): Promise<void>;
}

export async function openPhpRouter(php: Php, config: string, version = '2.7.2-RELEASE'): Promise<PhpRouter> {
  const folder = await mkdtemp(join(tmpdir(), 'router-'));
  await mkdir(join(folder, 'conf/backup'), { recursive: true });
  await mkdir(join(folder, 'run'));
  await mkdir(join(folder, 'tmp'));
  await mkdir(join(folder, 'include'));
  await writeFile(join(folder, 'include/unbound.inc'), '<?php\n');
  await writeFile(join(folder, 'include/haproxy.inc'), balancerPackage);
  await writeFile(join(folder, 'include/su'), resolverControl, { mode: 0o755 });
  await mkdir(join(folder, 'resolver'));
  await writeFile(join(folder, 'calls'), '');
  const line = /^(2\.8|25\.)/.test(version) ? '2.8' : 'older';
  await writeFile(join(folder, 'profile.json'), JSON.stringify({ version, platform: 'pfSense', line }));
  const file = join(folder, 'conf/config.xml');
  await writeFile(file, config);
  const library = new URL('testdata/library.php', import.meta.url).pathname;

  const running = new Set<Promise<unknown>>();
  const execPhp = async (code: string): Promise<unknown> => {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const child = execFile(
      php.command,
      [...php.options, library, folder],
      { maxBuffer: 64 * 1024 * 1024 },
      (error, stdout, stderr) => {
        if (error === null && stderr === '') resolve(stdout);
        else reject(new Error(`php: ${stderr}${stdout}`, { cause: error }));
      },
    );
    // Programs and packages lie at fixed places on a router; here they are stand-ins in the folder.
    const here = code
      .replaceAll('/usr/local/pkg/haproxy/haproxy.inc', join(folder, 'include/haproxy.inc'))
      .replaceAll('/tmp/haproxy.socket', join(folder, 'haproxy.socket'))
      .replaceAll("'/usr/bin/su'", `'${join(folder, 'include/su')}'`);
    child.stdin?.end(here);
    running.add(promise);
    const answer = await promise.finally(() => running.delete(promise));
    try {
      return JSON.parse(answer) as unknown;
    } catch (error) {
      throw new Error(`php answered ${answer}`, { cause: error });
    }
  };

  return {
    folder,
    execPhp,
    async run(name, values) {
      const answer = (await execPhp(await formatSnippet(name, values))) as { readonly r: string };
      return JSON.parse(answer.r) as Record<string, unknown>;
    },
    readConfig: async () => await readFile(file, 'utf8'),
    writeConfig: async (text) => {
      await writeFile(`${file}.by-hand`, text);
      await rename(`${file}.by-hand`, file);
    },
    slip: async (moment, text) => {
      await writeFile(join(folder, `slip-${moment}`), text);
    },
    async dropSlip() {
      const left = (await readdir(folder)).filter((name) => name.startsWith('slip-'));
      for (const name of left) await rm(join(folder, name));
      return left.length > 0;
    },
    async takeCalls() {
      const text = await readFile(join(folder, 'calls'), 'utf8');
      await writeFile(join(folder, 'calls'), '');
      return text.split('\n').filter((name) => name !== '');
    },
    close: async () => {
      // A caller that went away leaves its call running, as on a router.
      await Promise.allSettled(running);
      await rm(folder, { recursive: true });
    },
  };
}
