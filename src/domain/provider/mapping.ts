/** What of a provider's claims becomes what of an account, in CEL. */
import { joinFieldPath } from "../field-path.ts";
import type { JsonObject, JsonValue } from "../json.ts";
import { type Allowance, tooMuchWork, wholeAllowance } from "./expression-functions.ts";
import { ExpressionLeaves, type Leaf, type LeafProblem, setAt } from "./expression-leaves.ts";
import { type ExpressionOutcome, toOutcome } from "./expression-result.ts";
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

const maxAddresses = 32;
const maxAddressLength = 320;
/** The limits of traits and metadata, less what else an account has: see src/domain/identity/json-limits.ts. */
const traitBytes = 32 * 1024;
const metadataBytes = 16 * 1024;
const groupValues = 1500;

/** Checks the expressions of a mapping. All problems are reported, each with its place. */
export function compileMapping(
  expressions: MappingExpressions,
): { readonly mapping: ClaimsMapping } | { readonly problems: readonly LeafProblem[] } {
  const compiler = new ExpressionLeaves(["claims"], "mapping");
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

interface Parts {
  readonly traits: readonly Leaf[];
  readonly verifiedAddresses: Leaf | undefined;
  readonly publicMetadata: readonly Leaf[];
  readonly adminMetadata: readonly Leaf[];
  readonly account: Leaf | undefined;
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
        const result = allowance.left === 0 ? null : expression.evaluate({ claims: limited }, allowance);
        // Also where there is a result: `||` and `&&` go over errors, so it may be of half the work.
        if (allowance.left === 0) return { kind: "nothing", reason: tooMuchWork, absent: false };
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
