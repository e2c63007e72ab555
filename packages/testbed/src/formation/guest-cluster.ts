// The cluster of a rehearsal, by kubectl from this computer as its owner uses it.
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { findKubernetesMirror, findPrograms } from '../kubernetes/binaries.ts';
import { type RealLab, until } from '../daemon/real-lab.ts';
import { testCacheDirectory } from '../roots.ts';

const minutes = 60_000;

export class GuestCluster {
  readonly #lab: RealLab;
  readonly #kubectl: string;

  private constructor(lab: RealLab, kubectl: string) {
    this.#lab = lab;
    this.#kubectl = kubectl;
  }

  /** Releases come from the folder beside the repository where there is one: the product is told of it in its own way. */
  static async make(lab: RealLab): Promise<GuestCluster> {
    const found = await findPrograms();
    if (found.kind === 'missing') throw new Error(found.why);
    const context = { cacheDir: testCacheDirectory(), signal: new AbortController().signal, onProgress: console.log };
    const mirror = await findKubernetesMirror(context);
    if (mirror !== undefined) process.env['LABWRIGHT_KUBERNETES_MIRROR'] = mirror;
    return new GuestCluster(lab, found.programs.kubernetes.kubectl);
  }

  /** After the cluster was formed: gets the login that the others use. */
  async connect(): Promise<void> {
    const kubeconfig = await this.#lab.expectOutput('cluster', 'kubeconfig');
    await writeFile(this.#kubeconfig(), kubeconfig, { mode: 0o600 });
  }

  /** Its output without the last newline. Throws with what kubectl said. */
  async run(...words: readonly string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(this.#kubectl, [`--kubeconfig=${this.#kubeconfig()}`, ...words]);
    return stdout.trim();
  }

  async apply(name: string, manifest: string): Promise<void> {
    const file = `${this.#lab.labFile}.${name}`;
    await writeFile(file, manifest);
    // An API server without KVM, short after it began, may take longer for an admission than it gives itself.
    await until(`${name} is applied`, 2 * minutes, async () => {
      return await this.run('apply', '-f', file).catch((error: unknown) => {
        if (/timed out|timeout|InternalError|connection refused|EOF/i.test(String(error))) return undefined;
        throw error;
      });
    });
  }

  /** What a program in a pod says. */
  async runIn(pod: string, ...command: readonly string[]): Promise<string> {
    return await this.run('exec', pod, '--', ...command);
  }

  /** Name, address and node of each pod with the label "app=NAME" that runs and is not on its way out. */
  async listPods(
    app: string,
  ): Promise<readonly { readonly name: string; readonly ip: string; readonly node: string }[]> {
    const { items } = JSON.parse(await this.run('get', 'pods', `-l=app=${app}`, '-o=json')) as {
      readonly items: readonly {
        readonly metadata: { readonly name: string; readonly deletionTimestamp?: string };
        readonly spec: { readonly nodeName?: string };
        readonly status: { readonly podIP?: string; readonly phase?: string };
      }[];
    };
    return items.flatMap(({ metadata, spec, status }) =>
      metadata.deletionTimestamp === undefined && status.phase === 'Running'
        ? [{ name: metadata.name, ip: status.podIP ?? '', node: spec.nodeName ?? '' }]
        : [],
    );
  }

  /** "node101 1.20.2" for each node that is ready. */
  async listReadyNodes(): Promise<readonly string[]> {
    const template =
      '{range .items[*]}{.metadata.name} {.status.nodeInfo.kubeletVersion} {.status.conditions[?(@.type=="Ready")].status}{"\\n"}{end}';
    const lines = (await this.run('get', 'nodes', `-o=jsonpath=${template}`)).split('\n');
    return lines.filter((line) => line.endsWith(' True')).map((line) => line.replace(/ v/, ' ').replace(/ True$/, ''));
  }

  async untilReady(names: readonly string[], timeoutMs: number): Promise<readonly string[]> {
    return await until(`${names.join(', ')} are ready`, timeoutMs, async () => {
      // The API is away while its machine has no time for it.
      const nodes = await this.listReadyNodes().catch(() => []);
      return names.every((name) => nodes.some((node) => node.startsWith(`${name} `))) ? nodes : undefined;
    });
  }

  async planned(): Promise<readonly string[]> {
    return (await this.#lab.listPlannedSteps()).map((step) => `the next plan would ${step}`);
  }

  /** Healing may still be at it for a moment. */
  async settledPlan(): Promise<readonly string[]> {
    return await until('the plan is empty', 3 * minutes, async () => {
      const steps = await this.planned();
      return steps.length === 0 ? steps : undefined;
    }).catch(async () => await this.planned());
  }

  #kubeconfig(): string {
    return `${this.#lab.labFile}.kubeconfig`;
  }
}
