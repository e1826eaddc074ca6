/**
 * Joins the parts of a trait's path: `name.first`, `phones.0`. A dot or backslash within a part is written with a
 * backslash before it, as in the names of form nodes.
 */
export function joinTraitPath(parts: readonly string[]): string {
  return parts.map((part) => part.replace(/[\\.]/g, "\\$&")).join(".");
}

/** The parts of a joined path; what a backslash precedes is taken as it stands. */
export function splitTraitPath(path: string): readonly string[] {
  const parts = [""];
  for (const [piece, escaped] of path.matchAll(/\\(.)|./gsu)) {
    if (piece === ".") parts.push("");
    else parts[parts.length - 1] += escaped ?? piece;
  }
  return parts;
}
