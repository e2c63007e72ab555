// The known name that was probably meant.

/** Longer names are cut: the work is quadratic, and a typo shows early. */
const maxCompared = 64;

/** The candidate with the fewest edits, if they are few for its length; undefined when none is near. */
export function nearestName(name: string, candidates: Iterable<string>): string | undefined {
  const wanted = name.slice(0, maxCompared).toLowerCase();
  let best: { readonly candidate: string; readonly distance: number } | undefined;
  for (const candidate of candidates) {
    const distance = editDistance(wanted, candidate.slice(0, maxCompared).toLowerCase());
    if (distance <= allowedEdits(wanted, candidate) && (best === undefined || distance < best.distance))
      best = { candidate, distance };
  }
  return best?.candidate;
}

/** A third of the shorter name: with half of it changed, every short name would resemble every other. */
function allowedEdits(one: string, other: string): number {
  return Math.floor(Math.min(one.length, other.length, maxCompared) / 3);
}

/** Insertions, deletions, replacements and swaps of neighbours (optimal string alignment). */
export function editDistance(one: string, other: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: other.length + 1 }, (_, column) => column);
  for (let row = 1; row <= one.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= other.length; column += 1) {
      const same = one[row - 1] === other[column - 1];
      let distance = Math.min(
        at(previous, column) + 1,
        at(current, column - 1) + 1,
        at(previous, column - 1) + (same ? 0 : 1),
      );
      const swapped = row > 1 && column > 1 && one[row - 1] === other[column - 2] && one[row - 2] === other[column - 1];
      if (swapped) distance = Math.min(distance, at(beforePrevious, column - 2) + 1);
      current.push(distance);
    }
    beforePrevious = previous;
    previous = current;
  }
  return at(previous, other.length);
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Number.POSITIVE_INFINITY;
}
