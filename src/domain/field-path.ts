/**
 * Paths to fields, as the contract writes them everywhere: in the violations of an error, in the names of form nodes, in
 * filters. ostiary/error/v1/field_violation.proto has the grammar.
 */

/**
 * Joins the parts of a path: `name.first`, `phones.0`. A dot or backslash within a part is written with a backslash before it.
 */
export function joinFieldPath(parts: readonly string[]): string {
  return parts.map((part) => part.replace(/[\\.]/g, "\\$&")).join(".");
}

/** The parts of a joined path. A character after a backslash is taken literally. */
export function splitFieldPath(path: string): readonly string[] {
  const parts = [""];
  for (const [piece, escaped] of path.matchAll(/\\(.)|./gsu)) {
    if (piece === ".") parts.push("");
    else parts[parts.length - 1] += escaped ?? piece;
  }
  return parts;
}
