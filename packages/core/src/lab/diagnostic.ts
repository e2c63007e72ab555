// What is wrong in the lab file, where, and what to write instead.
import { namesSecret } from './secret-variable.ts';

/** Keys and list indexes from the top of the file: ['pools', 'workers', 'memory']. */
export type LabPath = readonly (string | number)[];

/** Line and column count from 1, in characters; length is that of the caret line. */
export interface Position {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly length: number;
}

export interface RelatedPosition {
  readonly path: LabPath;
  readonly position: Position;
  /** "pve3 is in maintenance". */
  readonly message: string;
}

export interface Diagnostic {
  readonly severity: 'error' | 'warning';
  readonly path: LabPath;
  readonly position: Position;
  /** One sentence that can stand alone. */
  readonly message: string;
  /** A few words beside the caret. */
  readonly label?: string;
  /** What to write or do. */
  readonly fix: string;
  readonly related: readonly RelatedPosition[];
}

/** A place in the file by path; `key` points at the name before the colon. */
export interface Place {
  readonly path: LabPath;
  readonly part?: 'key' | 'value';
}

/** A finding before it has a position: checks work on the parsed lab and know paths only. */
export interface Problem extends Place {
  readonly severity?: 'error' | 'warning';
  readonly message: string;
  readonly label?: string;
  readonly fix: string;
  readonly related?: readonly (Place & { readonly message: string })[];
}

/** Where the parts of one file stand. A path that is not in the file has the position of its nearest ancestor. */
export interface Positions {
  readonly file: string;
  positionOf(place: Place): Position;
  /** The file itself says this, not a default. */
  has(path: LabPath): boolean;
}

export function locateProblem(problem: Problem, positions: Positions): Diagnostic {
  return {
    severity: problem.severity ?? 'error',
    path: problem.path,
    position: positions.positionOf(problem),
    message: problem.message,
    ...(problem.label === undefined ? {} : { label: problem.label }),
    fix: problem.fix,
    related: (problem.related ?? []).map((place) => ({
      path: place.path,
      position: positions.positionOf(place),
      message: place.message,
    })),
  };
}

/** "pools.workers.disk.size", "networks.lan.reserved[2]". */
export function formatPath(path: LabPath): string {
  return path.map((part, index) => (typeof part === 'number' ? `[${part}]` : (index > 0 ? '.' : '') + part)).join('');
}

export function hasErrors(diagnostics: readonly Diagnostic[]): boolean {
  return diagnostics.some((diagnostic) => diagnostic.severity === 'error');
}

/** A place where the file names a secret by reference; what stands there by mistake may be the secret itself and is never shown. */
export function isSecretPath(path: LabPath): boolean {
  const [section, part, third, fourth] = path;
  if (section === 'services' && third === 'environment' && fourth !== undefined && namesSecret(String(fourth)))
    return true;
  if (section === 'kubernetes' && part === 'secrets' && fourth === 'data' && path.length > 4) return true;
  if ((section === 'proxmox' || section === 'router') && isSecretKey(part)) return true;
  return isSecretKey(path.at(-1));
}

function isSecretKey(key: string | number | undefined): boolean {
  return key === 'token' || key === 'password';
}
