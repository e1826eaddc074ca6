import type { LeafProblem } from "../domain/provider/expression-leaves.ts";

/** Source of the value of a key. */
export type Source =
  | { readonly kind: "default" }
  | { readonly kind: "file"; readonly file: string; readonly line: number }
  | { readonly kind: "variable"; readonly name: string }
  | { readonly kind: "flag"; readonly name: string };

/** Something wrong with a key. */
export interface Problem {
  /** The key's path: `server.public.port`, `access.client_certificates[0].scopes`. Empty: the file as a whole. */
  readonly key: string;
  /** What is wrong and what to do, in the middle of a sentence: `must be a whole number`. Never a secret. */
  readonly message: string;
  /** Named only where it differs from the source of the key. */
  readonly source?: Source;
  /** It works, but is insecure: refused outside development mode, a warning within it. */
  readonly insecure?: boolean;
}

/** The problem of a key, if there is one. */
export function problemIf(
  isWrong: boolean,
  key: string,
  message: string,
  more?: { insecure: true },
): Problem[] {
  return isWrong ? [{ key, message, ...more }] : [];
}

/**
 * The problem of an expression below a key. The line is that of the key; in a text of several lines that of the expression is said as
 * well.
 */
export function expressionProblem(key: string, { path, message, line = 1 }: LeafProblem): Problem {
  const place = line > 1 ? `in line ${line} of the expression: ` : "";
  return { key: path === "" ? key : `${key}.${path}`, message: `${place}${message}` };
}

/** The configuration cannot be used. The message has one line for each problem. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  /** One line each: the key, where it came from, what is wrong with it. */
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.problems = problems;
  }
}

/** The sources of keys, by path; also of sections and of what is within lists. */
export type Sources = Map<string, Source>;

/** The source of a key, or of the nearest thing around it that has one. */
export function sourceOf(sources: Sources, key: string): Source {
  for (let path = key; path !== ""; path = parentOf(path)) {
    const source = sources.get(path);
    if (source !== undefined) return source;
  }
  return sources.get("") ?? { kind: "default" };
}

/** A source for people: `ostiary.yaml:12`, a variable's name, a flag. Undefined for a default. */
export function describeSource(source: Source): string | undefined {
  switch (source.kind) {
    case "default":
      return undefined;
    case "file":
      return `${source.file}:${source.line}`;
    case "variable":
    case "flag":
      return source.name;
    default:
      return source satisfies never;
  }
}

/** The line for a problem: `server.public.port (ostiary.yaml:3): must be a whole number`. */
export function describeProblem(problem: Problem, sources: Sources): string {
  const place = describeSource(problem.source ?? sourceOf(sources, problem.key));
  // Control characters of a key or value are removed, so that they cannot forge another line.
  return `${label(problem.key, place)}: ${problem.message}`.replace(/[\p{Cc}\u2028\u2029]+/gu, " ");
}

function label(key: string, place: string | undefined): string {
  if (key === "") return place ?? "configuration";
  return place === undefined ? key : `${key} (${place})`;
}

function parentOf(path: string): string {
  const end = Math.max(path.lastIndexOf("."), path.lastIndexOf("["));
  return end === -1 ? "" : path.slice(0, end);
}
