// Text of a lab file in, a lab or every problem it has out. Pure, and total: any text gives an answer.
import type { z } from 'zod';
import { checkLab } from './checks/check-lab.ts';
import { hasErrors, locateProblem, type Diagnostic, type Positions, type Problem } from './diagnostic.ts';
import { parseLabDocument } from './lab-document.ts';
import { labJsonSchema } from './lab-json-schema.ts';
import { labSchema, type Lab } from './lab-schema.ts';
import { shapeProblems } from './shape-problems.ts';
import { soundPart, type ShapeIssue } from './sound-part.ts';

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
  const problems = shape.success ? checkLab(shape.data) : checkBroken(value, shape.error.issues);
  const diagnostics = inFileOrder([...found, ...problems.map((problem) => locateProblem(problem, positions))]);
  if (!shape.success || hasErrors(diagnostics)) return { diagnostics: firstOf(diagnostics) };
  return { lab: shape.data, diagnostics, positions };
}

/** What has a wrong form; and so that a typo does not hide an overlap, what the checks find in the rest. */
function checkBroken(value: unknown, issues: readonly z.core.$ZodIssue[]): readonly Problem[] {
  const problems = shapeProblems(issues, { value, schema: labJsonSchema() });
  // What stands under a misspelt key is as good as wrong under the right one.
  const misspelt = problems.flatMap(({ meansKey }) =>
    meansKey === undefined ? [] : [{ code: 'misspelt', path: meansKey }],
  );
  const rest = soundPart(value, [...(issues as readonly ShapeIssue[]), ...misspelt]);
  const shape = labSchema.safeParse(rest.value);
  return [...problems, ...(shape.success ? rest.keepSound(checkLab(shape.data)) : [])];
}

/** A person repairs a few at a time; thousands mean that this is not a lab file. */
const maxDiagnostics = 200;

function firstOf(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  const next = diagnostics[maxDiagnostics];
  if (next === undefined) return diagnostics;
  const message = `${diagnostics.length - maxDiagnostics} more problems from here on are not shown`;
  const { path, position } = next;
  const fix = 'mend the ones above first';
  return [...diagnostics.slice(0, maxDiagnostics), { severity: 'error', path, position, message, fix, related: [] }];
}

function inFileOrder(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  return diagnostics.toSorted(
    (one, other) => one.position.line - other.position.line || one.position.column - other.position.column,
  );
}
