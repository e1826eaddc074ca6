import { type CelInput, type CelResult, parse, plan } from "@bufbuild/cel";
import { compileLinearPattern } from "../linear-pattern.ts";
import { closest } from "../suggest.ts";
import {
  type Allowance,
  type ExpressionPattern,
  expressionEnvironment,
  expressionFunctions,
  expressionMacros,
  expressionOperators,
  runWith,
} from "./expression-functions.ts";
import { maxItems } from "./limited-claims.ts";

/** What is wrong with an expression, and where. */
export interface ExpressionProblem {
  /** A sentence without a full stop. */
  readonly message: string;
  /** From 1; undefined where the whole of it is meant. */
  readonly line?: number;
  readonly column?: number;
}

/** An expression that was checked. */
export interface Expression {
  readonly source: string;
  /** How many parts are evaluated at most, whatever the values. */
  readonly steps: number;
  /** `values` are those of the variables, by their names. */
  evaluate(values: Readonly<Record<string, CelInput>>, allowance: Allowance): CelResult;
}

/** The most characters of an expression; the configuration's message says the same. */
const maxLength = 1024;
const maxNesting = 32;
const maxNodes = 256;
const maxPatternLength = 128;
const maxPatternStates = 512;

type Node = ReturnType<typeof parse>["expr"];

/**
 * Parses and checks an expression: of what it names, the variables and functions are there, and it costs little whatever the values are.
 *
 * Security rule (SR-MAP-1): length and nesting are limited before the parser, which recurses; then the number of parts, one level
 * of loops, and patterns, which have to be literals. The library checks none of this, and finds an unknown name only when it
 * evaluates it.
 */
export function compileExpression(
  source: string,
  variables: readonly string[] = ["claims"],
): { readonly expression: Expression } | { readonly problems: readonly ExpressionProblem[] } {
  if (source.trim() === "") return problemOf("is empty");
  if (source.length > maxLength) return problemOf(`is longer than ${maxLength} characters`);
  if (nestingOf(source) > maxNesting)
    return problemOf(`has more than ${maxNesting} brackets within each other`);
  try {
    const parsed = parse(source);
    const check = new Check(source, parsed.sourceInfo?.positions ?? {});
    const steps = check.visit(parsed.expr, new Set(variables), false);
    if (check.problems.length > 0) return { problems: check.problems };
    const run = plan(expressionEnvironment(), parsed.expr);
    const { patterns } = check;
    return {
      expression: {
        source,
        steps,
        evaluate: (values, allowance) => runWith(allowance, patterns, () => run(values)),
      },
    };
  } catch (error) {
    return { problems: [syntaxProblem(error)] };
  }
}

function problemOf(message: string): { readonly problems: readonly ExpressionProblem[] } {
  return { problems: [{ message }] };
}

/** Brackets in texts count as well, which is simpler and refuses nothing that anybody writes. */
function nestingOf(source: string): number {
  let depth = 0;
  let deepest = 0;
  for (const character of source) {
    if ("([{".includes(character)) depth += 1;
    if (")]}".includes(character)) depth -= 1;
    deepest = Math.max(deepest, depth);
  }
  return deepest;
}

/** What the parser has found: it throws errors with a place, and a RangeError for what is too deep for it. */
function syntaxProblem(error: unknown): ExpressionProblem {
  const { location, found, rawMessage } = error as {
    location?: { start?: { line?: number; column?: number } };
    found?: string | null;
    rawMessage?: string;
  };
  if (location?.start === undefined) return { message: "cannot be read as CEL" };
  const { line, column } = location.start;
  const place = { ...(line !== undefined && { line }), ...(column !== undefined && { column }) };
  if (found !== undefined) {
    const what = found === null || found === "" ? "the end" : `\`${found}\``;
    return { message: `is not CEL: ${what} cannot stand here`, ...place };
  }
  return { message: `is not CEL: ${rawMessage ?? "it cannot be read"}`, ...place };
}

/** Walks over a parsed expression. */
class Check {
  readonly problems: ExpressionProblem[] = [];
  readonly patterns = new Map<string, ExpressionPattern>();
  readonly #source: string;
  readonly #positions: Readonly<Record<string, number>>;
  #nodes = 0;

  constructor(source: string, positions: Readonly<Record<string, number>>) {
    this.#source = source;
    this.#positions = positions;
  }

  /** The number of steps of a part. `variables` are the names that are known in it. */
  visit(node: Node | undefined, variables: ReadonlySet<string>, inLoop: boolean): number {
    if (node === undefined) return 0;
    this.#nodes += 1;
    if (this.#nodes === maxNodes + 1) this.problems.push({ message: `has more than ${maxNodes} parts` });
    if (this.#nodes > maxNodes) return 0;
    const visit = (inner: Node | undefined) => this.visit(inner, variables, inLoop);
    const sum = (nodes: readonly (Node | undefined)[]) =>
      1 + nodes.reduce((all, each) => all + visit(each), 0);
    const { exprKind: kind } = node;
    switch (kind.case) {
      case "constExpr":
        if (kind.value.constantKind.case === "bytesValue")
          this.#report(node, "bytes cannot be used; write a text");
        return 1;
      case "identExpr":
        if (!variables.has(kind.value.name)) this.#report(node, unknownName(kind.value.name, variables));
        return 1;
      case "selectExpr":
        return sum([kind.value.operand]);
      case "listExpr":
        return sum(kind.value.elements);
      case "structExpr":
        if (kind.value.messageName !== "") {
          this.#report(node, `there are no messages, so no \`${kind.value.messageName}\`; write a map`);
        }
        return sum(
          kind.value.entries.flatMap(({ keyKind, value }) => [
            keyKind.case === "mapKey" ? keyKind.value : undefined,
            value,
          ]),
        );
      case "callExpr": {
        const { function: name, target, args } = kind.value;
        const problem = callProblem(name, target !== undefined, args.length);
        if (problem !== undefined) {
          this.#report(node, problem);
          // A misspelt macro has variables of its own, which would be reported too.
          return sum([target]);
        }
        if (name === "matches") this.#addPattern(args[0]);
        return sum([target, ...args]);
      }
      case "comprehensionExpr": {
        if (inLoop)
          this.#report(node, "a loop (`map`, `filter`, `exists`, `all`) cannot stand within another one");
        const { iterVar, accuVar, iterRange, accuInit, loopCondition, loopStep, result } = kind.value;
        const inner = new Set([...variables, iterVar, accuVar]);
        const once = visit(iterRange) + visit(accuInit) + this.visit(result, inner, inLoop);
        return (
          1 + once + maxItems * (this.visit(loopCondition, inner, true) + this.visit(loopStep, inner, true))
        );
      }
      default:
        this.#report(node, "cannot be used here");
        return 1;
    }
  }

  #addPattern(node: Node | undefined): void {
    const constant = node?.exprKind.case === "constExpr" ? node.exprKind.value.constantKind : undefined;
    if (node === undefined || constant?.case !== "stringValue") {
      if (node !== undefined) this.#report(node, "the pattern of `matches` has to be written out, as a text");
      return;
    }
    const text = constant.value;
    const states = statesOf(text);
    if (text.length > maxPatternLength || states > maxPatternStates) {
      this.#report(
        node,
        `the pattern is too large: at most ${maxPatternLength} characters, and few repetitions`,
      );
      return;
    }
    try {
      this.patterns.set(text, { pattern: compileLinearPattern(text), states });
    } catch (error) {
      this.#report(node, error instanceof Error ? error.message : String(error));
    }
  }

  #report(node: Node, message: string): void {
    const offset = this.#positions[String(node.id)];
    if (offset === undefined) {
      this.problems.push({ message });
      return;
    }
    const before = this.#source.slice(0, offset).split("\n");
    this.problems.push({ message, line: before.length, column: (before.at(-1)?.length ?? 0) + 1 });
  }
}

/** At least as many states as a pattern has: a counted repetition is written out as often as it counts. */
function statesOf(pattern: string): number {
  let states = pattern.length;
  for (const [, min = "", max = ""] of pattern.matchAll(/\{(\d+)(?:,(\d*))?\}/g)) {
    states *= Math.max(Number(min), Number(max), 1);
  }
  return states;
}

function unknownName(name: string, variables: ReadonlySet<string>): string {
  const near = closest(name, [...variables]);
  if (near !== undefined) return `there is no \`${name}\`; did you mean \`${near}\`?`;
  if (variables.has("claims"))
    return `there is no \`${name}\`; a claim is written \`claims.${name}\`, a text in quotation marks`;
  return `there is no \`${name}\`; there is ${[...variables].join(" and ")}, and a text is written in quotation marks`;
}

function callProblem(name: string, isMethod: boolean, count: number): string | undefined {
  if (expressionOperators.has(name)) return undefined;
  const use = expressionMacros.get(name);
  if (use !== undefined) return `\`${name}\` is written \`${use}\``;
  const shape = expressionFunctions.get(name);
  if (shape === undefined) {
    const names = [...expressionFunctions.keys(), ...expressionMacros.keys()];
    const near = closest(name, names);
    return `there is no function \`${name}\`; ${near === undefined ? `there is ${names.join(", ")}` : `did you mean \`${near}\`?`}`;
  }
  const range = isMethod ? shape.method : shape.call;
  if (range === undefined) {
    return `\`${name}\` is called as ${isMethod ? `\`${name}(x)\`` : `\`x.${name}(…)\``}`;
  }
  const [min, max] = range;
  if (count >= min && count <= max) return undefined;
  return `\`${name}\` takes ${min === max ? min : `${min} or ${max}`} argument${max === 1 ? "" : "s"} here`;
}
