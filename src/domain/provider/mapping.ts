/** What of a provider's claims becomes what of an account, in CEL. */
import { joinFieldPath } from "../field-path.ts";
import type { JsonObject, JsonValue } from "../json.ts";
import { compileExpression, type Expression, type ExpressionProblem } from "./expression.ts";
import { type Allowance, tooMuchWork, wholeAllowance } from "./expression-functions.ts";
import { type ExpressionOutcome, isAllowedName, toOutcome } from "./expression-result.ts";
import { type LeftOut, limitClaims } from "./limited-claims.ts";

/** The expressions of a provider, as they are written: maps whose leaves are CEL. */
export interface MappingExpressions {
  readonly traits: JsonObject;
  /** A list of texts. Empty: none. */
  readonly verifiedAddresses: string;
  readonly publicMetadata: JsonObject;
  readonly adminMetadata: JsonObject;
  /** A text. Empty: none. */
  readonly account: string;
}

/** What an account gets from claims. */
export interface MappedClaims {
  readonly traits: JsonObject;
  /** As the provider writes them; not normalised. */
  readonly verifiedAddresses: readonly string[];
  readonly publicMetadata: JsonObject;
  readonly adminMetadata: JsonObject;
  /** What the owner knows the account at the provider by; empty: nothing is known. */
  readonly account: string;
}

/** A mapping that was checked. */
export interface ClaimsMapping {
  readonly expressions: MappingExpressions;
  /** Never throws: what an expression cannot find, or is not of its kind, is left out. */
  apply(claims: JsonObject): MappedClaims;
  /** The same for operators, with what was left out. */
  explain(claims: JsonObject): MappingExplanation;
}

/** What becomes of claims, and what does not. */
export interface MappingExplanation {
  readonly mapped: MappedClaims;
  /** Expressions that gave nothing: `traits.name`, `verified_addresses`, `account`. */
  readonly leftOut: readonly LeftOut[];
  /** Claims that no expression sees, because they are too large. */
  readonly ignoredClaims: readonly LeftOut[];
}

/** What is wrong with a mapping, and where: `traits.name.first`, `verified_addresses`. */
export interface MappingProblem extends ExpressionProblem {
  readonly path: string;
}

/** The most expressions of one mapping. */
const maxExpressions = 64;
const maxDepth = 8;
/** The most steps of all expressions of one mapping together. */
const maxSteps = 20_000;
const maxAddresses = 32;
const maxAddressLength = 320;
/** The limits of traits and metadata, less what else an account has: see src/domain/identity/json-limits.ts. */
const traitBytes = 32 * 1024;
const metadataBytes = 16 * 1024;
const groupValues = 1500;

/** Checks the expressions of a mapping. All problems are reported, each with its place. */
export function compileMapping(
  expressions: MappingExpressions,
): { readonly mapping: ClaimsMapping } | { readonly problems: readonly MappingProblem[] } {
  const compiler = new Compiler();
  const mapping = new CompiledMapping(expressions, {
    traits: compiler.leaves(expressions.traits, ["traits"]),
    verifiedAddresses: compiler.optional(expressions.verifiedAddresses, "verified_addresses"),
    publicMetadata: compiler.leaves(expressions.publicMetadata, ["public_metadata"]),
    adminMetadata: compiler.leaves(expressions.adminMetadata, ["admin_metadata"]),
    account: compiler.optional(expressions.account, "account"),
  });
  const problems = compiler.finish();
  return problems.length === 0 ? { mapping } : { problems };
}

/** An expression with the place that its value goes to. */
interface Leaf {
  /** The first part is the name of the group: `traits`. */
  readonly path: readonly string[];
  readonly expression: Expression;
}

interface Parts {
  readonly traits: readonly Leaf[];
  readonly verifiedAddresses: Leaf | undefined;
  readonly publicMetadata: readonly Leaf[];
  readonly adminMetadata: readonly Leaf[];
  readonly account: Leaf | undefined;
}

class Compiler {
  readonly #problems: MappingProblem[] = [];
  #expressions = 0;
  #steps = 0;

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

  optional(source: string, path: string): Leaf | undefined {
    return source === "" ? undefined : this.#leaf(source, [path])[0];
  }

  finish(): readonly MappingProblem[] {
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
      this.#refuse([], `a mapping has at most ${maxExpressions} expressions`);
    }
    if (this.#expressions > maxExpressions) return [];
    const compiled = compileExpression(source);
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

class CompiledMapping implements ClaimsMapping {
  readonly expressions: MappingExpressions;
  readonly #parts: Parts;

  constructor(expressions: MappingExpressions, parts: Parts) {
    this.expressions = expressions;
    this.#parts = parts;
  }

  apply(claims: JsonObject): MappedClaims {
    return this.explain(claims).mapped;
  }

  explain(claims: JsonObject): MappingExplanation {
    const { claims: limited, leftOut: ignoredClaims } = limitClaims(claims);
    const allowance: Allowance = { left: wholeAllowance };
    const run: Run = {
      leftOut: [],
      evaluate: ({ expression }) => {
        const result = allowance.left === 0 ? null : expression.evaluate(limited, allowance);
        // Also where there is a result: `||` and `&&` go over errors, so it may be of half the work.
        if (allowance.left === 0) return { kind: "nothing", reason: tooMuchWork };
        return toOutcome(result, expression.source);
      },
    };
    const { traits, verifiedAddresses, publicMetadata, adminMetadata, account } = this.#parts;
    const mapped: MappedClaims = {
      verifiedAddresses: (verifiedAddresses && readLeaf(run, verifiedAddresses, addressesIn)) ?? [],
      account: (account && readLeaf(run, account, accountIn)) ?? "",
      traits: groupOf(run, traits, traitBytes),
      publicMetadata: groupOf(run, publicMetadata, metadataBytes),
      adminMetadata: groupOf(run, adminMetadata, metadataBytes),
    };
    return { mapped, leftOut: run.leftOut, ignoredClaims };
  }
}

/** One application of a mapping. */
interface Run {
  readonly leftOut: LeftOut[];
  evaluate(leaf: Leaf): ExpressionOutcome;
}

/** What an expression gave, read by `read`, which answers a text that says why the value is not one to keep. */
function readLeaf<T>(
  run: Run,
  leaf: Leaf,
  read: (value: JsonValue) => { readonly value: T } | string,
): T | undefined {
  const outcome = run.evaluate(leaf);
  const result = outcome.kind === "value" ? read(outcome.value) : outcome.reason;
  if (typeof result !== "string") return result.value;
  run.leftOut.push({ path: joinFieldPath(leaf.path), reason: result });
  return undefined;
}

/**
 * Security rule (SR-MAP-4): a list with anything but addresses counts for none of them.
 */
function addressesIn(value: JsonValue): { readonly value: readonly string[] } | string {
  if (!Array.isArray(value)) return "it is not a list";
  if (value.length > maxAddresses) return `it has more than ${maxAddresses} addresses`;
  const isAddress = (item: JsonValue) =>
    typeof item === "string" && item !== "" && item.length <= maxAddressLength;
  if (!value.every((item): item is string => isAddress(item))) {
    return `an item of it is not a text of 1 to ${maxAddressLength} characters`;
  }
  return { value };
}

function accountIn(value: JsonValue): { readonly value: string } | string {
  if (typeof value !== "string") return "it is not a text; a number becomes one by `string(…)`";
  if (value.length > maxAddressLength) return `it has more than ${maxAddressLength} characters`;
  return { value };
}

/** A map with the values of its expressions; those that would make it too large are left out. */
function groupOf(run: Run, leaves: readonly Leaf[], maxBytes: number): JsonObject {
  const group: JsonObject = {};
  let bytes = 2;
  let values = 0;
  for (const leaf of leaves) {
    const outcome = run.evaluate(leaf);
    if (outcome.kind === "nothing") {
      run.leftOut.push({ path: joinFieldPath(leaf.path), reason: outcome.reason });
      continue;
    }
    const path = leaf.path.slice(1);
    // Names count for each leaf, which is a little too much and never too little.
    const size = sizeOf(outcome.value) + path.reduce((sum, name) => sum + sizeOf(name) + 4, 0);
    if (bytes + size > maxBytes || values + outcome.values + path.length > groupValues) {
      run.leftOut.push({ path: joinFieldPath(leaf.path), reason: "all of it together would be too large" });
      continue;
    }
    bytes += size;
    values += outcome.values + path.length;
    setAt(group, path, outcome.value);
  }
  return group;
}

function sizeOf(value: JsonValue): number {
  return Buffer.byteLength(JSON.stringify(value));
}

/** The names were checked: none is one that every object inherits. */
function setAt(group: JsonObject, path: readonly string[], value: JsonValue): void {
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
