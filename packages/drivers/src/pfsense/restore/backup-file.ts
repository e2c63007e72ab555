// A file that is to be restored: read as a whole configuration of a pfSense, or refused with the reason. Pure.
import { LabwrightError } from '@labwright/core/errors/error';
import { parseText } from '../config/config-value.ts';
import {
  type XmlDocument,
  type XmlElement,
  XmlProblem,
  childElements,
  findElement,
  parseXml,
} from '../config/xml-tree.ts';
import { type LabMark, findMarks } from './marks.ts';

export interface RouterBackup {
  readonly text: string;
  readonly document: XmlDocument;
  /** "22.9": of the configuration's form, not of pfSense. */
  readonly configVersion: string;
  /** When it became what it is, in milliseconds since 1970 UTC; undefined where it does not say. */
  readonly madeAt?: number;
  /** Sections that are data beside the configuration: graphs, leases, host keys. */
  readonly leftOut: readonly string[];
}

export interface BackupTarget {
  /** Its name. */
  readonly router: string;
  /** The newest version of configurations that it reads. */
  readonly latest: string;
  /** Whose router it is. */
  readonly world: 'hardware' | 'rehearsal';
}

/** Throws LW8012. */
export function readRouterBackup(text: string, { router }: Pick<BackupTarget, 'router'>): RouterBackup {
  if (/^\s*-{2,}\s*BEGIN config\.xml/.test(text)) {
    throw backupError(router, 'it is encrypted', [
      'decrypt it, or restore it on the page Diagnostics > Backup & Restore',
    ]);
  }
  const document = parseBackup(text, router);
  const { root } = document;
  if (root.name !== 'pfsense') {
    throw backupError(router, `its outermost element is <${root.name}>, where a whole configuration has <pfsense>`, [
      'a backup of one area: Diagnostics > Backup & Restore on the router takes it',
    ]);
  }
  const missing = ['version', 'system', 'interfaces'].find((name) => findElement(root, [name]) === undefined);
  if (missing !== undefined) throw backupError(router, `it has no section <${missing}>`);
  const configVersion = textOf(root, ['version']);
  if (parseVersion(configVersion) === undefined) {
    throw backupError(router, `"${configVersion.slice(0, 20)}" is no version of a configuration`);
  }
  const seconds = Number(textOf(root, ['revision', 'time']));
  return {
    text,
    document,
    configVersion,
    ...(Number.isInteger(seconds) && seconds > 0 && seconds < 1e11 ? { madeAt: seconds * 1000 } : {}),
    leftOut: childElements(root).flatMap((section) => (isDataBeside(section) ? [section.name] : [])),
  };
}

/** Throws LW8012 for a backup of a newer pfSense, and for one of the other world. */
export function assertFits({ configVersion, document }: RouterBackup, { router, latest, world }: BackupTarget): void {
  if (isNewerVersion(configVersion, latest)) {
    throw backupError(
      router,
      `it is of version ${configVersion} of pfSense's configurations, and this router knows them up to ${latest}`,
      ['update the router first'],
    );
  }
  const other = findMarks(document.root).find((mark) => worldOf(mark) !== world);
  if (other === undefined) return;
  const [its, here] = world === 'hardware' ? ['a rehearsal', 'hardware'] : ['hardware', 'in a rehearsal'];
  throw backupError(
    router,
    `it is a backup of ${its} (it has an entry of the lab ${other.lab}), and this router is ${here}`,
  );
}

export function isNewerVersion(version: string, than: string): boolean {
  const [left, right] = [parseVersion(version), parseVersion(than)];
  if (left === undefined || right === undefined) return true;
  return left[0] === right[0] ? left[1] > right[1] : left[0] > right[0];
}

function parseVersion(text: string): readonly [major: number, minor: number] | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})$/.exec(text);
  return match === null ? undefined : [Number(match[1]), Number(match[2])];
}

const worldOf = ({ lab }: LabMark): BackupTarget['world'] => (lab.endsWith('+rehearsal') ? 'rehearsal' : 'hardware');

/** What the page adds to a backup has files for elements, and is no configuration: pfSense takes it out again too. */
const dataTags: ReadonlySet<string> = new Set(['rrddatafile', 'sshkeyfile', 'voucherdbfile', 'xmldatafile']);

function isDataBeside(section: XmlElement): boolean {
  const inner = childElements(section);
  return inner.length > 0 && inner.every(({ name }) => dataTags.has(name));
}

function parseBackup(text: string, router: string): XmlDocument {
  try {
    return parseXml(text);
  } catch (error) {
    if (!(error instanceof XmlProblem)) throw error;
    throw backupError(router, `it is no configuration in XML: ${error.message} (at character ${error.offset})`);
  }
}

function textOf(root: XmlElement, path: readonly string[]): string {
  const element = findElement(root, path);
  return element === undefined ? '' : parseText(element).trim();
}

export function backupError(router: string, why: string, fix: readonly string[] = []): LabwrightError {
  return new LabwrightError('LW8012', {
    what: `the file cannot be restored on the router ${router}; nothing was changed`,
    where: { router },
    why,
    fix: [...fix, 'labwright router backup   makes files that can be restored'],
  });
}
