// The mark that makes an entry of the router ours: lab, cluster and key. Whatever has none, or a damaged one, is a person's.
import { type HostName, type LabId, labId, parseHostName } from '@labwright/core/addresses/names';

/** Several clusters, of one lab or of several, may keep their entries on one router. */
export interface Owner {
  readonly lab: LabId;
  /** What belongs to the lab and to no cluster (leases of machines, boot files) has the word "lab" here. */
  readonly cluster: HostName;
}

export interface Mark extends Owner {
  /** Stays the same while the entry lives: the exposure's or the machine's name, with a word before it for its kind. */
  readonly key: string;
}

const prefix = 'labwright:';
const keyPattern = /^[a-z0-9][a-z0-9._~-]{0,99}$/;

function isMarkKey(text: string): boolean {
  return keyPattern.test(text);
}

/** "labwright:home/main/web.svc", the whole of the entry's description. */
export function formatMark({ lab, cluster, key }: Mark): string {
  return `${prefix}${lab}/${cluster}/${key}`;
}

/** The mark that a description consists of; undefined for any other text, also for a mark with something added to it. */
export function parseMark(text: string): Mark | undefined {
  if (!text.startsWith(prefix)) return undefined;
  const [lab = '', cluster = '', key = '', ...rest] = text.slice(prefix.length).split('/');
  const name = parseHostName(cluster);
  const isLab = parseHostName(lab.replace(/\+rehearsal$/, '')) !== undefined;
  if (!isLab || name === undefined || !isMarkKey(key) || rest.length > 0) return undefined;
  return { lab: labId(lab), cluster: name, key };
}

export function isOwnedBy(mark: Mark, owner: Owner): boolean {
  return mark.lab === owner.lab && mark.cluster === owner.cluster;
}

/** The first line of a back end's own settings, where HAProxy takes it as a comment and the router's page shows it. */
export function formatMarkComment(mark: Mark): string {
  return `# ${formatMark(mark)}`;
}

/** The mark in a text that a person reads as settings (base64 in config.xml): only its first line counts. */
export function parseMarkComment(settings: string): Mark | undefined {
  const [line = ''] = Buffer.from(settings, 'base64').toString('utf8').split('\n');
  return line.startsWith('# ') ? parseMark(line.slice(2).replace(/\r$/, '')) : undefined;
}
