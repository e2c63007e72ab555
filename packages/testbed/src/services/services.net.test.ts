// Releases and Secrets in a real API server, by the real helm, from a repository of our own.
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import { resolveBlueprint } from '@labwright/core/blueprint/resolve-blueprint';
import { runPlan } from '@labwright/core/engine/engine';
import type { LabEvent } from '@labwright/core/events/event';
import { parseLab } from '@labwright/core/lab/parse-lab';
import { mergePlans, type AreaPlan } from '@labwright/core/plan/plan';
import { Secret } from '@labwright/core/ports/secret';
import { systemClock } from '@labwright/core/ports/system';
import { observeServices } from '@labwright/cluster/services/observe-services';
import { makeServiceExecutors } from '@labwright/cluster/services/service-executors';
import { planServices, serviceEntries } from '@labwright/cluster/services/service-plan';
import { connectHelm, type Helm } from '@labwright/drivers/helm/helm';
import { stringify } from 'yaml';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { findPrograms } from '../kubernetes/binaries.ts';
import { type ControlPlane, startControlPlane } from '../kubernetes/control-plane.ts';
import { type FakeNode, fakeNode } from '../kubernetes/fake-node.ts';
import { type ChartRepository, openChartRepository, type TestChart } from './chart-repository.ts';
import { findHelmPrograms } from './helm-programs.ts';

const found = await findPrograms();
const helms = await findHelmPrograms();
const canRun = found.kind === 'there' && helms.length > 0;
/** A suite has a test also where all of them are skipped. */
const programs =
  helms.length > 0 ? helms : [{ path: '', version: { major: 0, minor: 0, patch: 0 }, source: 'installed' as const }];
const signal = new AbortController().signal;

/** Its Deployment becomes ready unless told otherwise; it wants an object of a kind that its own CRD brings. */
function webChart(version: string, changes: Partial<TestChart> = {}): TestChart {
  return {
    name: 'web',
    version,
    values: { replicas: 1, ready: true, password: '', hook: false },
    files: {
      'crds/page.yaml': pageDefinition(version),
      'templates/page.yaml':
        'apiVersion: test.example/v1\nkind: Page\nmetadata: {name: {{ .Release.Name }}}\nspec: {title: home}\n',
      'templates/deployment.yaml': `apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}, labels: {app.kubernetes.io/instance: {{ .Release.Name }}}}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app.kubernetes.io/instance: {{ .Release.Name }}}}
  template:
    metadata:
      labels: {app.kubernetes.io/instance: {{ .Release.Name }}}
      annotations: {test/ready: {{ .Values.ready | quote }}, chart: ${version}}
    spec:
      automountServiceAccountToken: false
      containers: [{name: web, image: web, env: [{name: PASSWORD, value: {{ .Values.password | quote }}}]}]
`,
      'templates/hook.yaml': `{{ if .Values.hook }}
apiVersion: batch/v1
kind: Job
metadata: {name: {{ .Release.Name }}-before, annotations: {helm.sh/hook: pre-upgrade}}
spec: {template: {spec: {restartPolicy: Never, automountServiceAccountToken: false, containers: [{name: job, image: job}]}}}
{{ end }}`,
    },
    ...changes,
  };
}

/** Each version knows one more field, and the API server drops the fields that it does not know. */
const pageDefinition = (version: string): string => `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: pages.test.example}
spec:
  group: test.example
  scope: Namespaced
  names: {kind: Page, plural: pages, singular: page}
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, description: "of ${version}", properties: {title: {type: string}}}}}}
`;

const secretValues: Record<string, string> = { WEB_PASSWORD: 'correct-horse', DB_PASSWORD: 'battery-staple' };
const read = async (reference: { env?: string | undefined }) =>
  await Promise.resolve(new Secret(secretValues[reference.env ?? ''] ?? ''));

function makeBlueprint(kubernetes: Readonly<Record<string, unknown>>): Blueprint {
  const source = stringify({
    version: 1,
    lab: 'home',
    networks: {
      lan: { cidr: '10.1.0.0/22', gateway: '10.1.0.1', machines: '10.1.1.0/28', services: '10.1.3.100-10.1.3.200' },
    },
    hosts: { pve1: { address: '10.1.0.11', cores: 12, memory: '24GiB' } },
    proxmox: { token: { env: 'TOKEN' } },
    netboot: { address: '10.1.0.9' },
    nas: { nas1: { kind: 'linux', address: '10.1.0.20', exports: [{ path: '/srv/k8s', for: 'volumes' }] } },
    pools: { control: { role: 'control-plane' } },
    kubernetes: { version: '1.20.2', endpoint: { address: '10.1.0.10' }, ...kubernetes },
  });
  const { lab, diagnostics } = parseLab(source, 'lab.yaml');
  if (lab === undefined) throw new Error(diagnostics.map(({ message }) => message).join('\n'));
  return resolveBlueprint(lab, { rehearsal: true });
}

describe
  .skipIf(!canRun)
  .each(programs.map((program) => ({ program, version: `${program.version.major}.${program.version.minor}` })))(
  'services by helm $version',
  ({ program }) => {
    let plane: ControlPlane;
    let node: FakeNode;
    let repository: ChartRepository;
    let directory: string;
    let helm: Helm;

    beforeAll(async () => {
      if (found.kind === 'missing') return;
      plane = await startControlPlane({ programs: found.programs, scheduler: true });
      node = await fakeNode(plane.connection, 'node102');
      directory = await mkdtemp('/run/services-');
      repository = await openChartRepository(program.path, directory);
      await repository.add(webChart('1.0.0'));
      await repository.add(webChart('1.1.0'));
      const kubeconfig = new Secret(
        await readFile(await plane.apiServers[0].writeKubeconfig('admin', ['system:masters']), 'utf8'),
      );
      helm = connectHelm({ program, kubeconfig, temporaryDirectory: directory, environment: {} });
    }, 60_000);
    afterAll(async () => {
      await node?.stop();
      await repository?.close();
      await plane?.stop();
      await rm(directory, { recursive: true, force: true });
    });
    /** Nothing of the test before is left, and what Labwright does not own is untouched. */
    beforeEach(async () => {
      if ((await run(makeBlueprint({}))).outcome !== 'done') throw new Error('the cluster could not be emptied');
    });

    const own = (changes: Readonly<Record<string, unknown>> = {}) => ({
      ownCharts: { web: { chart: 'web', repository: repository.url, version: '1.0.0', ...changes } },
    });
    const charts = () => ({ cacheDirectory: join(directory, 'cache'), directory });
    const observe = async (blueprint: Blueprint) =>
      await observeServices(blueprint, {
        connection: plane.connection,
        helm: async () => await Promise.resolve(helm),
        charts: charts(),
        read,
        clock: systemClock,
        signal,
      });
    const planFor = async (blueprint: Blueprint): Promise<AreaPlan> =>
      planServices(blueprint, await observe(blueprint));

    async function run(blueprint: Blueprint, timeoutMs = 30_000) {
      const facts = await observe(blueprint);
      const plan = mergePlans(blueprint.lab, facts.asOf, [planServices(blueprint, facts)]);
      const entries = serviceEntries(blueprint, facts);
      expect(plan.steps.flatMap(({ relies }) => relies.filter(({ entry, was }) => entries.get(entry) !== was))).toEqual(
        [],
      );
      const events: LabEvent[] = [];
      const result = await runPlan(plan, {
        run: 'test',
        executors: makeServiceExecutors({
          blueprint,
          connection: async () => await Promise.resolve(plane.connection),
          helm: async () => await Promise.resolve(helm),
          charts: charts(),
          read,
          timeoutMs,
        }),
        clock: systemClock,
        journal: { append: async () => await Promise.resolve() },
        emit: (event) => events.push(event),
        interrupt: signal,
        signal,
      });
      return { ...result, plan, events };
    }
    const done = async (blueprint: Blueprint) => {
      const result = await run(blueprint);
      expect(result.failures.map(({ error }) => error.toJSON())).toEqual([]);
      expect(result.outcome).toBe('done');
      return result;
    };
    const steps = async (blueprint: Blueprint) =>
      (await planFor(blueprint)).steps.map(({ title, reason }) => `${title} (${reason})`);
    const kubectl = async (...argv: string[]) => await plane.kubectl(argv);
    const deployment = async (template: string) =>
      await kubectl('get', 'deployment', 'web', '-n', 'web', '-o', `jsonpath=${template}`);

    test('a chart is installed with its CRDs first, and planning again finds nothing to do', async () => {
      const blueprint = makeBlueprint(own({ values: { replicas: 2 } }));
      expect(await steps(blueprint)).toEqual(['install web 1.0.0 (the lab file has it, and the cluster does not)']);
      await done(blueprint);
      expect(await deployment('{.status.readyReplicas}')).toBe('2');
      expect(await kubectl('get', 'pages', '-n', 'web', '-o', 'name')).toBe('page.test.example/web\n');
      expect(await steps(blueprint)).toEqual([]);
    });

    test('an upgrade is planned by version and values, brings newer CRDs, and keeps nothing of earlier values', async () => {
      await done(makeBlueprint(own({ values: { replicas: 2, labels: { tier: 'test' } } })));
      const blueprint = makeBlueprint(own({ version: '1.1.0', values: { replicas: 1 } }));
      expect(await steps(blueprint)).toEqual([
        'upgrade web from 1.0.0 to 1.1.0 (version: 1.0.0 → 1.1.0; labels.tier: "test" → none; replicas: 2 → 1)',
      ]);
      await done(blueprint);
      expect(await deployment('{.spec.replicas} {.spec.template.metadata.annotations.chart}')).toBe('1 1.1.0');
      const description = '{.spec.versions[0].schema.openAPIV3Schema.properties.spec.description}';
      expect(await kubectl('get', 'crd', 'pages.test.example', '-o', `jsonpath=${description}`)).toBe('of 1.1.0');
      expect(await steps(blueprint)).toEqual([]);
    });

    test('an upgrade whose pods do not become ready is rolled back, and the step says what helm says', async () => {
      await done(makeBlueprint(own()));
      const { outcome, failures } = await run(
        makeBlueprint(own({ version: '1.1.0', values: { ready: false } })),
        6_000,
      );
      expect(outcome).toBe('failed');
      expect(failures[0]?.error).toMatchObject({
        code: 'LW7003',
        message: expect.stringContaining('it was rolled back to what it was before'),
        where: { release: 'web/web' },
        why: expect.stringMatching(/UPGRADE FAILED|timed out|not ready|deadline/i),
      });
      expect(await deployment('{.spec.template.metadata.annotations.chart}')).toBe('1.0.0');
      expect(await steps(makeBlueprint(own()))).toEqual([]);
    });

    test('an upgrade whose hook never ends is rolled back too', async () => {
      await done(makeBlueprint(own()));
      const { failures } = await run(makeBlueprint(own({ values: { hook: true, replicas: 3 } })), 5_000);
      expect(failures[0]?.error.code).toBe('LW7003');
      expect(await deployment('{.spec.replicas}')).toBe('1');
    });

    test('an installation that fails leaves nothing, and the next run starts from there', async () => {
      const { failures } = await run(makeBlueprint(own({ values: { ready: false } })), 5_000);
      expect(failures[0]?.error.message).toContain('it was taken out again');
      expect(await kubectl('get', 'deployments', '-n', 'web', '-o', 'name')).toBe('');
      await done(makeBlueprint(own()));
    });

    test('values that a chart cannot use fail with helm’s words and without the secret', async () => {
      const blueprint = makeBlueprint(
        own({ values: { replicas: 'many', password: { secret: { env: 'WEB_PASSWORD' } } } }),
      );
      const { failures, events } = await run(blueprint, 5_000);
      expect(failures[0]?.error.why).toMatch(/replicas|cannot unmarshal|invalid/i);
      expect(JSON.stringify([failures[0]?.error, events])).not.toContain(secretValues['WEB_PASSWORD']);
    });

    test('a secret in values reaches the chart and shows in no plan, command line or file', async () => {
      const blueprint = makeBlueprint(own({ values: { password: { secret: { env: 'WEB_PASSWORD' } } } }));
      const { plan, events } = await done(blueprint);
      expect(await deployment('{.spec.template.spec.containers[0].env[0].value}')).toBe('correct-horse');
      secretValues['WEB_PASSWORD'] = 'another-horse';
      const changed = await planFor(blueprint);
      expect(changed.steps.map(({ reason }) => reason)).toEqual(['password: ••• → •••']);
      // Also when the lab file no longer says that it is one.
      const bare = await planFor(makeBlueprint(own()));
      expect(bare.steps.map(({ reason }) => reason)).toEqual(['password: ••• → none']);
      expect(JSON.stringify([plan, events, changed, bare])).not.toMatch(/(correct|another)-horse/);
      expect(await readdir(directory).then((names) => names.filter((name) => name.startsWith('helm-')))).toEqual([]);
      secretValues['WEB_PASSWORD'] = 'correct-horse';
    });

    test('a release of somebody else is never touched, and said to be in the way', async () => {
      const packed = join(repository.directory, 'web-1.0.0.tgz');
      const change = { name: 'web', namespace: 'web', chart: packed, values: new Secret('replicas: 3'), secrets: [] };
      await helm.upgrade({ ...change, timeoutMs: 20_000 }, { signal });
      const { steps: none, problems } = await planFor(makeBlueprint(own()));
      expect(none).toEqual([]);
      expect(problems).toMatchObject([{ code: 'LW7004', where: { release: 'web/web' } }]);
      // The same when it came between plan and run.
      const result = await runStep(makeBlueprint(own()), 'service.install');
      expect(result).toMatchObject({ code: 'LW7004' });
      expect(await deployment('{.spec.replicas}')).toBe('3');
      await helm.uninstall(change, { signal, timeoutMs: 20_000 });
      expect(await steps(makeBlueprint({}))).toEqual([]);
    });

    async function runStep(blueprint: Blueprint, kind: string): Promise<unknown> {
      const wanted = (await observe(makeBlueprint(own()))).wanted.get('web');
      if (wanted?.kind !== 'ready') throw new Error('the chart is at hand');
      const { version, digest } = wanted;
      const executor = makeServiceExecutors({
        blueprint,
        connection: async () => await Promise.resolve(plane.connection),
        helm: async () => await Promise.resolve(helm),
        charts: charts(),
        read,
      }).get(kind);
      const context = { signal, progress: () => undefined };
      return await executor?.run({ name: 'web', namespace: 'web', version, digest }, context).then(
        () => undefined,
        (error: unknown) => error,
      );
    }

    test('what is ours and no longer in the lab file is removed, with its record', async () => {
      await done(makeBlueprint(own()));
      const empty = makeBlueprint({});
      expect((await planFor(empty)).steps).toMatchObject([{ kind: 'service.remove', risk: { level: 'data-loss' } }]);
      await done(empty);
      expect(
        await kubectl('get', 'deployments,configmaps', '-n', 'web', '-o', 'name', '-l', 'labwright.dev/release'),
      ).toBe('');
      expect(await helm.listReleases({ signal })).toEqual([]);
      expect(await steps(empty)).toEqual([]);
    });

    test.each([
      ['an installation', 'pending-install', undefined],
      ['an upgrade', 'pending-upgrade', { replicas: 1 }],
    ] as const)('%s whose helm was killed is ended by the next run', async (_what, status, before) => {
      if (before !== undefined) await done(makeBlueprint(own({ values: before })));
      const blueprint = makeBlueprint(own({ values: { replicas: 2 } }));
      // As Labwright leaves it when it is killed: claimed, and helm in the middle.
      await killHelmInTheMiddle(blueprint);
      expect((await helm.listReleases({ signal }))[0]?.status).toBe(status);
      const again = await planFor(blueprint);
      expect(again.steps[0]?.reason).toContain(`its last change did not end (${status})`);
      await done(blueprint);
      expect(await deployment('{.status.readyReplicas}')).toBe('2');
      expect(await steps(blueprint)).toEqual([]);
    });

    /** Runs the step with a helm that waits for pods that never are ready, and kills it once its change is recorded. */
    async function killHelmInTheMiddle(blueprint: Blueprint): Promise<void> {
      const ending = new AbortController();
      const killed = connectHelm({
        program: helm.program,
        kubeconfig: await adminConfig(),
        temporaryDirectory: directory,
        environment: {},
      });
      const facts = await observe(blueprint);
      const wanted = facts.wanted.get('web');
      if (wanted?.kind !== 'ready') throw new Error('the chart is at hand');
      const slow: Helm = {
        ...killed,
        upgrade: async (change) => {
          const args = [
            'upgrade',
            '--install',
            'web',
            change.chart,
            '-n',
            'web',
            '--wait',
            '--set',
            'ready=false',
            '--skip-crds',
          ];
          const child = spawn(helm.program.path, [...args, '--kubeconfig', await adminFile()], { stdio: 'ignore' });
          const exited = new Promise((resolve) => {
            child.once('exit', resolve);
          });
          await expect
            .poll(async () => (await killed.listReleases({ signal }))[0]?.status, { timeout: 15_000 })
            .toMatch(/^pending/);
          child.kill('SIGKILL');
          await exited;
          ending.abort(new Error('killed'));
          ending.signal.throwIfAborted();
        },
      };
      const executor = makeServiceExecutors({
        blueprint,
        connection: async () => await Promise.resolve(plane.connection),
        helm: async () => await Promise.resolve(slow),
        charts: charts(),
        read,
      }).get('service.install');
      const input = { name: 'web', namespace: 'web', version: wanted.version, digest: wanted.digest };
      await expect(executor?.run(input, { signal: ending.signal, progress: () => undefined })).rejects.toThrow(
        'killed',
      );
    }
    const adminFile = async () => await plane.apiServers[0].writeKubeconfig('admin', ['system:masters']);
    const adminConfig = async () => new Secret(await readFile(await adminFile(), 'utf8'));

    test('the cache serves when the repository is gone, and a chart that cannot be had is a problem of its own', async () => {
      await done(makeBlueprint(own()));
      const asked = repository.asked.length;
      await planFor(makeBlueprint(own()));
      expect(repository.asked.length).toBe(asked);
      const both = makeBlueprint({
        ownCharts: { ...own().ownCharts, lost: { chart: 'lost', repository: repository.url, version: '9.9.9' } },
      });
      const { steps: none, problems } = await planFor(both);
      expect(none).toEqual([]);
      expect(problems).toMatchObject([{ code: 'LW7002', what: 'the chart lost 9.9.9 could not be fetched' }]);
    });

    test('base services come from a mirror folder with our values and objects, which are put back when they are changed', async () => {
      await promisify(execFile)('mkdir', ['-p', join(directory, 'mirror')]);
      const fakes = await openChartRepository(program.path, directory);
      // Not the real MetalLB, which is not here: its kinds, and a chart by its name that keeps the values it gets.
      await fakes.add({
        name: 'metallb',
        version: '0.13.12',
        files: {
          'crds/kinds.yaml': ['IPAddressPool', 'L2Advertisement'].map(metallbDefinition).join('---\n'),
          'templates/values.yaml': `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: values}\ndata: {values: {{ toJson .Values | quote }}}\n`,
        },
      });
      await fakes.add({ name: 'csi-driver-nfs', version: 'v4.1.0', files: { 'templates/none.yaml': '' } });
      const base = { chartMirror: fakes.directory, charts: { traefik: false, 'metrics-server': false } };
      const blueprint = makeBlueprint(base);
      await done(blueprint);
      expect(
        await kubectl(
          'get',
          'ns',
          'metallb-system',
          '-o',
          'jsonpath={.metadata.labels.pod-security\\.kubernetes\\.io/enforce}',
        ),
      ).toBe('privileged');
      expect(
        await kubectl('get', 'ipaddresspools', '-n', 'metallb-system', '-o', 'jsonpath={.items[*].spec.addresses}'),
      ).toBe('["10.1.3.100-10.1.3.200"]');
      expect(
        await kubectl('get', 'storageclass', 'nfs', '-o', 'jsonpath={.parameters.server}:{.parameters.share}'),
      ).toBe('10.1.0.20:/srv/k8s');
      expect(await kubectl('get', 'cm', 'values', '-n', 'metallb-system', '-o', 'jsonpath={.data.values}')).toContain(
        '"frr":{"enabled":false}',
      );
      expect(await steps(blueprint)).toEqual([]);

      await kubectl('delete', 'storageclass', 'nfs');
      await kubectl(
        'patch',
        'ipaddresspool',
        'labwright',
        '-n',
        'metallb-system',
        '--type',
        'merge',
        '-p',
        '{"spec":{"addresses":["10.1.3.1-10.1.3.2"]}}',
      );
      expect(await steps(blueprint)).toEqual([
        'settle IPAddressPool metallb-system/labwright of metallb (not as the lab file says)',
        'settle StorageClass nfs of csi-driver-nfs (not as the lab file says)',
      ]);
      await done(blueprint);
      // Parameters of a storage class cannot be changed: it is made anew.
      const moved = {
        ...blueprint,
        nas: blueprint.nas.map((nas) => ({ ...nas, exports: [{ path: '/srv/new', use: 'volumes' as const }] })),
      };
      await done(moved);
      expect(await kubectl('get', 'storageclass', 'nfs', '-o', 'jsonpath={.parameters.share}')).toBe('/srv/new');
      expect(await steps(moved)).toEqual([]);

      await done(makeBlueprint({}));
      expect(await kubectl('get', 'storageclass', '-o', 'name')).toBe('');
      await fakes.close();
    }, 60_000);

    test('Secrets of the lab are made, compared by hash, changed, and removed; others never', async () => {
      const secrets = (namespace = 'apps') => ({
        secrets: { db: { namespace, data: { user: { env: 'WEB_PASSWORD' }, password: { env: 'DB_PASSWORD' } } } },
      });
      const blueprint = makeBlueprint(secrets());
      const { plan } = await done(blueprint);
      const stored = async (key: string) =>
        Buffer.from(
          await kubectl('get', 'secret', 'db', '-n', 'apps', '-o', `jsonpath={.data.${key}}`),
          'base64',
        ).toString();
      expect(await stored('password')).toBe('battery-staple');
      expect(await steps(blueprint)).toEqual([]);

      secretValues['DB_PASSWORD'] = 'paper-clip';
      const changed = await planFor(blueprint);
      expect(changed.steps.map(({ title, reason }) => [title, reason])).toEqual([
        ['change Secret apps/db', 'password: ••• → •••'],
      ]);
      await done(blueprint);
      expect(await stored('password')).toBe('paper-clip');
      expect(JSON.stringify([plan, changed])).not.toMatch(/staple|clip|horse/);

      await kubectl('create', 'secret', 'generic', 'db', '--from-literal=password=theirs');
      const { steps: removal, problems } = await planFor(makeBlueprint(secrets('default')));
      expect(problems).toMatchObject([{ code: 'LW7004', where: { secret: 'default/db' } }]);
      expect(removal).toMatchObject([{ kind: 'service.secret-remove', target: 'apps/db' }]);
      await done(makeBlueprint({}));
      expect(await kubectl('get', 'secrets', '-A', '-o', 'name', '--field-selector', 'metadata.name=db')).toBe(
        'secret/db\n',
      );
      await kubectl('delete', 'secret', 'db');
      secretValues['DB_PASSWORD'] = 'battery-staple';
    });

    test('without an answering cluster everything is planned as new, after the steps that form it', async () => {
      const blueprint = makeBlueprint({ ...own(), secrets: { db: { data: { password: { env: 'DB_PASSWORD' } } } } });
      const options = {
        helm: async () => await Promise.resolve(helm),
        charts: charts(),
        read,
        clock: systemClock,
        signal,
      };
      const { steps: planned } = planServices(blueprint, await observeServices(blueprint, options), [
        'cluster.settle cluster',
      ]);
      expect(planned.map(({ id, needs }) => [id, needs])).toEqual([
        ['service.secret default/db', ['cluster.settle cluster']],
        ['service.install web', ['cluster.settle cluster', 'service.secret default/db']],
      ]);
    });

    test('a mistake in the lab file is found before anything changes', () => {
      expect(() => makeBlueprint({ charts: { metalb: true } })).toThrow('kubernetes.charts has no key "metalb"');
    });
  },
);

const metallbDefinition = (kind: string): string => `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: ${kind.toLowerCase()}s.metallb.io}
spec:
  group: metallb.io
  scope: Namespaced
  names: {kind: ${kind}, plural: ${kind.toLowerCase()}s, singular: ${kind.toLowerCase()}}
  versions:
    - {name: v1beta1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
`;
