// Text of a lab file in, a lab or every problem it has out. Pure, and total: any text gives an answer.
import { checkLab } from './checks/check-lab.ts';
import { hasErrors, locateProblem, type Diagnostic, type LabPath, type Positions } from './diagnostic.ts';
import { parseLabDocument } from './lab-document.ts';
import { labJsonSchema } from './lab-json-schema.ts';
import { labSchema, type Lab } from './lab-schema.ts';
import { shapeProblems } from './shape-problems.ts';

export interface ParsedLab {
  readonly lab: Lab;
  /** Warnings only. */
  readonly diagnostics: readonly Diagnostic[];
  readonly positions: Positions;
}

export interface RefusedLab {
  readonly lab?: undefined;
  /** At least one error. */
  readonly diagnostics: readonly Diagnostic[];
}

/** `fileName` is what diagnostics call the file. Never throws on any text. */
export function parseLab(source: string, fileName: string): ParsedLab | RefusedLab {
  const { value, diagnostics: found, positions } = parseLabDocument(source, fileName);
  if (value === undefined) return { diagnostics: found };
  const shape = labSchema.safeParse(value);
  const problems = shape.success
    ? checkLab(shape.data)
    : [
        ...shapeProblems(shape.error.issues, { value, schema: labJsonSchema() }),
        ...checkRest(value, shape.error.issues as readonly ShapeIssue[]),
      ];
  const diagnostics = inFileOrder([...found, ...problems.map((problem) => locateProblem(problem, positions))]);
  if (!shape.success || hasErrors(diagnostics)) return { diagnostics: firstOf(diagnostics) };
  return { lab: shape.data, diagnostics, positions };
}

interface ShapeIssue {
  readonly code: string;
  readonly path: LabPath;
  readonly keys?: readonly string[];
}

/** Values that no finding of another value leans on: without one of them the rest can still be checked. */
const separable = new Set(
  `memory cores disk image firmware startOrder spread vlan bridge maintenance port tls storage kind bays ports
  services dynamic reserved resolvers mode httpPort authorizedKeys identityFile serve ups`.split(/\s+/),
);

/**
 * So that a typo does not hide an overlap: takes out unknown keys and separable values with a wrong form, and checks
 * what is left. Nothing when more than that is wrong: what follows from a missing part would only confuse.
 */
function checkRest(value: unknown, issues: readonly ShapeIssue[]): ReturnType<typeof checkLab> {
  const rest: unknown = structuredClone(value);
  for (const { code, path, keys } of issues) {
    if (code === 'unrecognized_keys') {
      for (const key of keys ?? []) removeAt(rest, [...path, key]);
      continue;
    }
    const end = path.findIndex((step) => separable.has(String(step)));
    if (end < 0) return [];
    removeAt(rest, path.slice(0, end + 1));
  }
  const shape = labSchema.safeParse(rest);
  return shape.success ? checkLab(shape.data) : [];
}

function removeAt(root: unknown, path: LabPath): void {
  let parent = root;
  for (const step of path.slice(0, -1)) {
    if (typeof parent !== 'object' || parent === null) return;
    parent = (parent as Record<string | number, unknown>)[step];
  }
  const last = path.at(-1);
  if (typeof parent === 'object' && parent !== null && last !== undefined) Reflect.deleteProperty(parent, last);
}

/** A person repairs a few at a time; thousands mean that this is not a lab file. */
const maxDiagnostics = 200;

function firstOf(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  const next = diagnostics[maxDiagnostics];
  if (next === undefined) return diagnostics;
  const message = `${diagnostics.length - maxDiagnostics} more problems from here on are not shown`;
  const { path, position } = next;
  return [...diagnostics.slice(0, maxDiagnostics), { severity: 'error', path, position, message, related: [] }];
}

function inFileOrder(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  return diagnostics.toSorted(
    (one, other) => one.position.line - other.position.line || one.position.column - other.position.column,
  );
}
