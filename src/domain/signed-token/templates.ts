import { joinFieldPath } from "../field-path.ts";
import type { JsonObject } from "../json.ts";
import { type Allowance, tooMuchWork, wholeAllowance } from "../provider/expression-functions.ts";
import { ExpressionLeaves, type Leaf, type LeafProblem, setAt } from "../provider/expression-leaves.ts";
import { toOutcome } from "../provider/expression-result.ts";
import { limitClaims } from "../provider/limited-claims.ts";
import type { FilledTemplate, TokenTemplate } from "../tenant/token-settings.ts";

/**
 * The claims that a template cannot set, with what they are.
 *
 * Security rule (SR-TOKEN-3): what verifiers decide by is the server's own: who it is about, for whom, until when, by which session, how
 * strongly and when its holder has signed in. Beside those that it makes, others that would change the meaning of a token: what binds it to
 * a key, or lets one act for another.
 */
const reservedClaims = new Set(
  [
    ["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "sid"],
    ["acr", "amr", "auth_time", "tenant"],
    ["typ", "alg", "kid", "cnf", "act", "may_act", "azp", "nonce", "events", "at_hash", "c_hash", "s_hash"],
  ].flat(),
);

/** What expressions see: `session` and `identity`. */
const variables = ["session", "identity"];

/** Checks the expressions of a template. All problems are reported, each with its place within `claims`. */
export function compileTemplate(
  claims: JsonObject,
): { readonly template: TokenTemplate } | { readonly problems: readonly LeafProblem[] } {
  const compiler = new ExpressionLeaves(variables, "template");
  const leaves = compiler.leaves(claims, []);
  const reserved = Object.keys(claims)
    .filter((name) => reservedClaims.has(name))
    .map((name) => ({
      path: name,
      message: "is a claim that the server itself makes, or that would change what the token means",
    }));
  const problems = [...reserved, ...compiler.finish()];
  return problems.length === 0 ? { template: { fill: (facts) => fill(leaves, facts) } } : { problems };
}

/**
 * Computes the claims.
 *
 * Security rule (SR-TOKEN-6): a claim that cannot be computed refuses the token: half the claims may allow more than all of them. Only what is
 * not there is left out; what was too large for an expression to see counts as a failure.
 */
function fill(leaves: readonly Leaf[], facts: JsonObject): FilledTemplate {
  const { claims: limited, leftOut } = limitClaims(facts);
  const values = { session: limited.get("session") ?? {}, identity: limited.get("identity") ?? {} };
  const allowance: Allowance = { left: wholeAllowance };
  const claims: JsonObject = {};
  for (const { path, expression } of leaves) {
    const result = expression.evaluate(values, allowance);
    const claim = joinFieldPath(path);
    // Also where there is a result: `||` and `&&` go over errors, so it may be of half the work.
    if (allowance.left === 0) return { kind: "failed", claim, reason: tooMuchWork };
    const outcome = toOutcome(result, expression.source);
    if (outcome.kind === "value") setAt(claims, path, outcome.value);
    else if (!outcome.absent) return { kind: "failed", claim, reason: outcome.reason };
    else if (leftOut[0] !== undefined) {
      return { kind: "failed", claim, reason: `${leftOut[0].path} is not looked at: ${leftOut[0].reason}` };
    }
  }
  return { kind: "filled", claims };
}
