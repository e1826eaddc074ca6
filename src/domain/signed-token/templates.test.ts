import { describe, expect, test } from "vitest";
import type { JsonObject } from "../json.ts";
import { compileTemplate } from "./templates.ts";

const facts = {
  session: { id: "s", assurance_level: "aal1" },
  identity: { traits: { email: "ada@example.com", age: 17 }, public_metadata: {} },
};

function problemsOf(claims: JsonObject): readonly string[] {
  const compiled = compileTemplate(claims);
  return "problems" in compiled ? compiled.problems.map(({ path, message }) => `${path}: ${message}`) : [];
}

function filled(claims: JsonObject, of: JsonObject = facts) {
  const compiled = compileTemplate(claims);
  if ("problems" in compiled) throw new Error(JSON.stringify(compiled.problems));
  return compiled.template.fill(of);
}

describe("a template", () => {
  // Security rule (SR-TOKEN-3): what verifiers decide by is the server's own.
  test.each(
    "iss sub aud exp nbf iat jti sid acr amr auth_time tenant typ alg kid cnf act may_act azp nonce events".split(
      " ",
    ),
  )("cannot set the claim %s", (name) => {
    expect(problemsOf({ [name]: "session.id" })).toEqual([
      `${name}: is a claim that the server itself makes, or that would change what the token means`,
    ]);
    // As a member of another claim it means nothing of its own.
    expect(problemsOf({ mine: { [name]: "session.id" } })).toEqual([]);
  });

  test("is checked whole: names, syntax, variables", () => {
    expect(
      problemsOf({ a: "identity.traits.", b: "claims.email", c: { d: 4 }, __proto__x: "session.id" }),
    ).toEqual([
      "a: is not CEL: `.` cannot stand here",
      "b: there is no `claims`; there is session and identity, and a text is written in quotation marks",
      "c.d: is no expression; write CEL in quotation marks, or a map of expressions",
    ]);
    expect(problemsOf({ constructor: "session.id" })).toEqual([": `constructor` cannot be a name"]);
  });

  test("leaves out what is not there, and refuses what cannot be computed", () => {
    expect(
      filled({
        email: "identity.traits.email",
        phone: "identity.traits.phone",
        first: "identity.public_metadata.list[0]",
        nothing: "''",
        adult: "identity.traits.age >= 18.0",
      }),
    ).toEqual({ kind: "filled", claims: { email: "ada@example.com", adult: false } });
    expect(filled({ a: "identity.traits.email", b: { c: "identity.traits.email + 1" } })).toEqual({
      kind: "failed",
      claim: "b.c",
      reason: "`_+_` cannot be used on (string, int)",
    });
  });

  // Security rule (SR-TOKEN-6): half of something is not left out in silence.
  test("refuses where a fact was too large to be looked at", () => {
    const large = { ...facts, identity: { traits: { groups: Array.from({ length: 257 }, () => "g") } } };
    expect(filled({ g: "identity.traits.groups" }, large)).toEqual({
      kind: "failed",
      claim: "g",
      reason: "identity.traits.groups is not looked at: it has more than 256 items",
    });
    expect(filled({ id: "session.id" }, large)).toEqual({ kind: "filled", claims: { id: "s" } });
  });
});
