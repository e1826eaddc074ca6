import { joinFieldPath } from "../field-path.ts";
import type { JsonObject, JsonValue } from "../json.ts";
import { compileExpression, type Expression, type ExpressionProblem } from "./expression.ts";
import { isAllowedName } from "./expression-result.ts";

/** What is wrong with an expression, and where: `traits.name.first`, `verified_addresses`. */
export interface LeafProblem extends ExpressionProblem {
  readonly path: string;
}

/** An expression with the place that its value goes to. */
export interface Leaf {
  /** The first part is the name of the group: `traits`. */
  readonly path: readonly string[];
  readonly expression: Expression;
}

/** The most expressions that belong together. */
const maxExpressions = 64;
const maxDepth = 8;
/** The most steps of all of them together. */
const maxSteps = 20_000;

/** Compiles expressions that belong together, such as those of one mapping, and gathers what is wrong with them. */
export class ExpressionLeaves {
  readonly #variables: readonly string[];
  readonly #whole: string;
  readonly #problems: LeafProblem[] = [];
  #expressions = 0;
  #steps = 0;

  /** `variables` are what the expressions see; `whole` is what all of them together are called. */
  constructor(variables: readonly string[], whole: string) {
    this.#variables = variables;
    this.#whole = whole;
  }

  /** The expressions of a map whose leaves they are. `path` is the place of the map. */
  leaves(map: JsonObject, path: readonly string[]): readonly Leaf[] {
    return Object.keys(map).flatMap((name) => {
      const inner = [...path, name];
      const value: JsonValue | undefined = map[name];
      if (!isAllowedName(name)) return this.#refuse(path, `\`${name.slice(0, 64)}\` cannot be a name`);
      if (typeof value === "string") return this.#leaf(value, inner);
      if (typeof value !== "object" || value === null || Array.isArray(value)) {
        return this.#refuse(inner, "is no expression; write CEL in quotation marks, or a map of expressions");
      }
      if (inner.length > maxDepth) return this.#refuse(inner, `is more than ${maxDepth - 1} levels deep`);
      return this.leaves(value, inner);
    });
  }

  /** An expression by itself; undefined if it is empty. */
  optional(source: string, path: string): Leaf | undefined {
    return source === "" ? undefined : this.#leaf(source, [path])[0];
  }

  /** What is wrong with all that was compiled. */
  finish(): readonly LeafProblem[] {
    if (this.#steps > maxSteps) {
      this.#refuse(
        [],
        `the expressions have ${this.#steps} steps together, of ${maxSteps}; use fewer loops, or smaller ones`,
      );
    }
    return this.#problems;
  }

  #leaf(source: string, path: readonly string[]): readonly Leaf[] {
    this.#expressions += 1;
    if (this.#expressions === maxExpressions + 1) {
      this.#refuse([], `a ${this.#whole} has at most ${maxExpressions} expressions`);
    }
    if (this.#expressions > maxExpressions) return [];
    const compiled = compileExpression(source, this.#variables);
    if ("expression" in compiled) {
      this.#steps += compiled.expression.steps;
      return [{ path, expression: compiled.expression }];
    }
    this.#problems.push(...compiled.problems.map((problem) => ({ path: joinFieldPath(path), ...problem })));
    return [];
  }

  #refuse(path: readonly string[], message: string): readonly Leaf[] {
    this.#problems.push({ path: joinFieldPath(path), message });
    return [];
  }
}

/** Puts a value at a path of members. The names were checked: none is one that every object inherits. */
export function setAt(group: JsonObject, path: readonly string[], value: JsonValue): void {
  let inner = group;
  for (const name of path.slice(0, -1)) {
    const found = inner[name];
    const next: JsonObject =
      typeof found === "object" && found !== null && !Array.isArray(found) ? found : {};
    inner[name] = next;
    inner = next;
  }
  const last = path.at(-1);
  if (last !== undefined) inner[last] = value;
}
