// A chart repository on loopback with charts that the test writes, packed and indexed by the real helm.
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';

export interface TestChart {
  readonly name: string;
  readonly version: string;
  /** By path in the chart: "templates/deployment.yaml", "crds/things.yaml". */
  readonly files: Readonly<Record<string, string>>;
  readonly values?: Readonly<Record<string, unknown>>;
}

export interface ChartRepository {
  readonly url: string;
  /** Where the packages are, as a folder to mirror from. */
  readonly directory: string;
  /** Paths that were asked for. */
  readonly asked: readonly string[];
  add(chart: TestChart): Promise<void>;
  close(): Promise<void>;
}

export async function openChartRepository(helm: string, parent: string): Promise<ChartRepository> {
  const directory = await mkdtemp(join(parent, 'charts-'));
  const packages = join(directory, 'packages');
  await mkdir(packages);
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const name = basename(request.url ?? '');
    asked.push(name);
    readFile(join(packages, name)).then(
      (content) => response.end(content),
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const run = promisify(execFile);
  return {
    url,
    directory: packages,
    asked,
    async add(chart) {
      const source = await writeChart(join(directory, `${chart.name}-${chart.version}`), chart);
      await run(helm, ['package', source, '--destination', packages]);
      await run(helm, ['repo', 'index', packages, '--url', url]);
    },
    async close() {
      await new Promise((resolve) => {
        server.close(resolve);
      });
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** The chart as a folder; gives its path, which ends in the chart's name as helm wants it. */
async function writeChart(parent: string, { name, version, files, values = {} }: TestChart): Promise<string> {
  const folder = join(parent, name);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'Chart.yaml'), `apiVersion: v2\nname: ${name}\nversion: ${version}\nappVersion: "1"\n`);
  await writeFile(join(folder, 'values.yaml'), JSON.stringify(values));
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  return folder;
}
