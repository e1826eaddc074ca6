import { describe, expect, test } from "vitest";
import type { JsonObject, JsonValue } from "../../json.ts";
import { compileMapping } from "../mapping.ts";
import { presets } from "./presets.generated.ts";
import { findPreset } from "./presets.ts";

interface Account {
  readonly claims: JsonObject;
  readonly traits: JsonObject;
  readonly verified: readonly string[];
  readonly account: string;
}

const nobody: Account = { claims: {}, traits: {}, verified: [], account: "" };

/** What an account looks like at each provider, and what becomes of it. */
const accounts: Readonly<Record<string, Account>> = {
  google: {
    claims: {
      iss: "https://accounts.google.com",
      sub: "110169484474386276334",
      email: "ada@example.com",
      email_verified: true,
      hd: "example.com",
      name: "Ada Lovelace",
      given_name: "Ada",
      family_name: "Lovelace",
      picture: "https://example.com/ada.png",
    },
    traits: { email: "ada@example.com", name: "Ada Lovelace" },
    verified: ["ada@example.com"],
    account: "ada@example.com",
  },
  github: {
    claims: {
      login: "ada",
      id: 583_231,
      node_id: "MDQ6VXNlcjU4MzIzMQ==",
      name: "Ada Lovelace",
      email: "shown@example.org",
      two_factor_authentication: true,
      emails: [
        { email: "old@example.com", primary: false, verified: false, visibility: null },
        { email: "ada@example.com", primary: true, verified: true, visibility: "private" },
        { email: "1+ada@users.noreply.example.com", primary: false, verified: true, visibility: null },
      ],
    },
    traits: { email: "ada@example.com", name: "Ada Lovelace", username: "ada" },
    verified: ["ada@example.com", "1+ada@users.noreply.example.com"],
    account: "ada",
  },
  microsoft: {
    claims: {
      iss: "https://login.microsoftonline.com/0ffe5f49-7a25-4a5e-8e2c-7a2f3a1c9d10/v2.0",
      tid: "0ffe5f49-7a25-4a5e-8e2c-7a2f3a1c9d10",
      oid: "00000000-0000-0000-66f3-3332eca7ea81",
      sub: "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ",
      name: "Ada Lovelace",
      preferred_username: "ada@contoso.example",
      email: "ada@contoso.example",
      xms_edov: true,
    },
    traits: { email: "ada@contoso.example", name: "Ada Lovelace" },
    verified: ["ada@contoso.example"],
    account: "ada@contoso.example",
  },
  apple: {
    claims: {
      iss: "https://appleid.apple.com",
      sub: "001999.a1b2c3d4e5f60718293a4b5c6d7e8f90.1234",
      email: "x7k2m9@privaterelay.appleid.com",
      email_verified: "true",
      is_private_email: "true",
      real_user_status: 2,
      user: { name: { firstName: "Ada", lastName: "Lovelace" } },
    },
    traits: { email: "x7k2m9@privaterelay.appleid.com", name: "Ada Lovelace" },
    verified: ["x7k2m9@privaterelay.appleid.com"],
    account: "x7k2m9@privaterelay.appleid.com",
  },
  gitlab: {
    claims: {
      sub: "42",
      name: "Ada Lovelace",
      nickname: "ada",
      preferred_username: "ada",
      email: "ada@example.com",
      email_verified: true,
      groups: ["example/staff"],
    },
    traits: { email: "ada@example.com", name: "Ada Lovelace", username: "ada" },
    verified: ["ada@example.com"],
    account: "ada",
  },
  discord: {
    claims: {
      id: "80351110224678912",
      username: "ada",
      discriminator: "0",
      global_name: "Ada Lovelace",
      email: "ada@example.com",
      verified: true,
      mfa_enabled: true,
    },
    traits: { email: "ada@example.com", name: "Ada Lovelace", username: "ada" },
    verified: ["ada@example.com"],
    account: "ada",
  },
  ...Object.fromEntries(
    ["okta", "keycloak", "oidc", "oauth2"].map((id) => [
      id,
      {
        claims: {
          sub: "00uid4BxXw6I6TV4m0g3",
          name: "Ada Lovelace",
          preferred_username: "ada",
          email: "ada@example.com",
          email_verified: true,
        },
        traits: { email: "ada@example.com", name: "Ada Lovelace", username: "ada" },
        // OAuth 2 says nothing of addresses.
        verified: id === "oauth2" ? [] : ["ada@example.com"],
        account: "ada",
      },
    ]),
  ),
};

/** The claim that says that an address is verified, in each preset that has one. */
const verdicts: Readonly<Record<string, string>> = { microsoft: "xms_edov", discord: "verified" };

describe.each(presets.map((preset) => ({ id: preset.id, preset })))("the preset $id", ({ id, preset }) => {
  const { claims, ...expected } = accounts[id] ?? nobody;

  test("has expressions that can be used, and its own id as its logo", () => {
    expect(compileMapping(expressionsOf(id))).toHaveProperty("mapping");
    expect(["", id]).toContain(preset.logo);
    expect(preset.logo === "").toBe(preset.name === "");
    expect(findPreset(id)).toBe(preset);
  });

  test("makes of a usual account what it should", () => {
    const { mapped, leftOut } = mappingOf(id).explain(claims);
    expect(mapped).toEqual({
      traits: expected.traits,
      verifiedAddresses: expected.verified,
      publicMetadata: {},
      adminMetadata: {},
      account: expected.account,
    });
    expect(leftOut).toEqual([]);
  });

  test("takes no address for verified that the provider has not said so of (SR-MAP-4)", () => {
    const verdict = verdicts[id] ?? "email_verified";
    const texts = ["false", "True", "TRUE", "yes", "1", ...(id === "apple" ? [] : ["true"])];
    for (const value of [...texts, 1, 0, null, [true], { value: true }, false, undefined]) {
      const { emails: _, ...others } = claims;
      const changed = { ...others, [verdict]: value } as JsonObject;
      if (value === undefined) delete changed[verdict];
      const emails = [{ email: "ada@example.com", primary: true, verified: value ?? null }];
      const hostile: JsonObject = id === "github" ? { ...changed, emails: emails as JsonValue } : changed;
      expect(mappingOf(id).apply(hostile).verifiedAddresses, JSON.stringify(value)).toEqual([]);
    }
  });

  test("makes nothing of claims of other kinds", () => {
    const values: readonly JsonValue[] = [null, 1, true, "", [], {}, [[["a"]]], { email: { email: {} } }];
    for (const value of values) {
      const hostile: JsonObject = Object.fromEntries(Object.keys(claims).map((name) => [name, value]));
      const { traits, verifiedAddresses, account } = mappingOf(id).apply(hostile);
      expect(verifiedAddresses).toEqual([]);
      expect(account).toBe("");
      // A trait of a wrong kind is refused by the schema.
      for (const trait of Object.values(traits)) expect(trait).toEqual(value);
    }
    expect(mappingOf(id).apply({})).toMatchObject({ traits: {}, verifiedAddresses: [], account: "" });
  });
});

test("there is a preset for each provider that the documentation names, each once", () => {
  expect(presets.map(({ id }) => id)).toEqual(Object.keys(accounts).sort(byPreset));
  expect(findPreset("nobody")).toBeUndefined();
});

test("only the issuers with a part of the operator's own have a domain, and Microsoft's several tenants", () => {
  const withDomain = presets.filter(({ issuer }) => issuer.includes("{domain}"));
  expect(withDomain.map(({ id, defaultDomain }) => [id, defaultDomain])).toEqual([
    ["gitlab", "gitlab.com"],
    ["keycloak", undefined],
    ["microsoft", "common"],
    ["okta", undefined],
  ]);
  expect(presets.filter(({ quirks }) => quirks.includes("tenant_in_issuer")).map(({ id }) => id)).toEqual([
    "microsoft",
  ]);
});

test("a domain of a Microsoft tenant without its own word verifies no address: `email` is what its operator writes", () => {
  const { xms_edov: _, ...claims } = accounts.microsoft?.claims ?? {};
  expect(mappingOf("microsoft").apply({ ...claims, email_verified: true }).verifiedAddresses).toEqual([]);
});

test("Apple's name may have one part", () => {
  const nameOf = (name: JsonObject) => mappingOf("apple").apply({ user: { name } }).traits.name;
  expect(nameOf({ firstName: "Ada" })).toBe("Ada");
  expect(nameOf({ lastName: "Lovelace" })).toBe("Lovelace");
  expect(nameOf({})).toBeUndefined();
});

function byPreset(left: string, right: string): number {
  const place = (id: string) => presets.findIndex((preset) => preset.id === id);
  return place(left) - place(right);
}

function expressionsOf(id: string) {
  const preset = findPreset(id);
  if (preset === undefined) throw new Error(`there is no preset ${id}`);
  const { traits, verifiedAddresses, account } = preset;
  return { traits: { ...traits }, verifiedAddresses, account, publicMetadata: {}, adminMetadata: {} };
}

function mappingOf(id: string) {
  const compiled = compileMapping(expressionsOf(id));
  if ("problems" in compiled) throw new Error(JSON.stringify(compiled.problems));
  return compiled.mapping;
}
