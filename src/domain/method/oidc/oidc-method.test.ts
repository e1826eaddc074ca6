import { describe, expect, test } from "vitest";
import { silentLogger } from "../../../../test/support/postgres.ts";
import { aCredential, anAsker, noon, someSettings } from "../../../../test/support/records.ts";
import { testProvider } from "../../../../test/support/upstream/provider-records.ts";
import { createBoundChallenges } from "../../../crypto/bound-challenges.ts";
import { createSealer } from "../../../crypto/sealer.ts";
import type { TenantId } from "../../ids.ts";
import { ReceivedCallback } from "../../provider/callback.ts";
import type { ProviderAnswer, ProviderClient, ProviderRequest } from "../../provider/provider.ts";
import { Secret } from "../../secret.ts";
import type { LoginAttempt, SettingsStage } from "../method.ts";
import { lookupKeyOf } from "../vouched-credential.ts";
import { OidcMethod } from "./oidc-method.ts";
import { linkOf } from "./provider-credential.ts";

const secrets = () => [new Secret("s".repeat(32))];
const sealer = createSealer(secrets);
const provider = testProvider({ issuer: "https://id.example.com", clientId: "c", clientSecret: "cs" });
const tenant = {
  ...{ tenantId: "t" as TenantId, name: "default" },
  settings: someSettings({ providers: [provider] }),
};

/** A method whose provider answers so, and what it was asked. */
function methodWith(answer: Partial<ProviderAnswer> = {}, isAvailable = true) {
  const asked: ProviderRequest[] = [];
  const answered = {
    kind: "answered",
    ...{ issuer: provider.issuer, subject: "4711", claims: {}, acr: undefined, amr: [] },
    ...{ authTime: undefined, session: undefined, tokens: undefined },
    ...answer,
  };
  const providers = {
    begin: async (_provider: unknown, request: ProviderRequest) => {
      asked.push(request);
      return { kind: "url", url: `https://id.example.com/?state=${request.state}` } as const;
    },
    finish: async () => answered,
    readIdToken: async () => answered,
    isAvailable: () => isAvailable,
  } as unknown as ProviderClient;
  const challenges = createBoundChallenges(secrets);
  const method = new OidcMethod({
    providers,
    sealer,
    challenges,
    clock: { now: () => noon },
    logger: silentLogger,
  });
  return { method, asked };
}

function attempt(fields: object, change: Partial<LoginAttempt> = {}): LoginAttempt {
  return {
    ...{ tenant, step: { name: "oidc", fields: { ...fields } }, candidate: undefined },
    binding: { client: "browser", flowDigest: Buffer.alloc(32), revision: 1 },
    flow: { kind: "login", id: "ost_flw_default_x" },
    asker: anAsker(),
    ...{ factor: "first", demanded: [], place: { time: noon, device: "" } },
    ...change,
  };
}

/** What the method remembers once the browser is on its way. */
async function away(method: OidcMethod, change: Partial<LoginAttempt> = {}) {
  const left = await method.proveLogin(attempt({ provider: provider.id }, change));
  if (left.kind !== "redirects") throw new Error(`it was ${left.kind}`);
  const query = new URL(left.url).search.slice(1);
  return { memory: left.memory, callback: new ReceivedCallback(provider.id, query) };
}

// Security rule (SR-SOCIAL-3).
test("the verifier of a login under way is sealed", async () => {
  const { method, asked } = methodWith();
  const { memory } = await away(method);
  const [{ codeVerifier } = { codeVerifier: "" }] = asked;
  expect(codeVerifier.length).toBeGreaterThanOrEqual(43);
  expect(JSON.stringify(memory)).not.toContain(codeVerifier);
});

// Security rule (SR-SOCIAL-10).
describe("a login there that was before this one was asked for shows nothing again", () => {
  test.each([
    ["long before", -600_000, true, "rejected"],
    ["as clocks differ", -30_000, true, "vouched"],
    ["after it", 1_000, true, "vouched"],
    ["long before, where nothing is shown again", -600_000, false, "vouched"],
  ])("%s", async (_name, ms, isAgain, kind) => {
    const since = isAgain ? noon : undefined;
    const { method } = methodWith({ authTime: new Date(noon.getTime() + ms) });
    const { memory, callback } = await away(method, { since });
    expect((await method.proveLogin(attempt({ callback }, { memory, since }))).kind).toBe(kind);
  });
});

test("nor does an ID token of an app that was issued for a login before", async () => {
  const old = { authTime: new Date(noon.getTime() - 600_000) };
  const { method } = methodWith(old);
  const binding = { client: "native", flowDigest: Buffer.alloc(32), revision: 1 } as const;
  const shown = (since?: Date) =>
    method.proveLogin(attempt({ provider: provider.id, idToken: "ey" }, { binding, since }));
  expect((await shown(noon)).kind).toBe("rejected");
  expect((await shown()).kind).toBe("vouched");
});

test("no more than 32 accounts are linked with one", async () => {
  const { method } = methodWith();
  const add = (count: number) =>
    method.settingsSteps.oidc.take({
      ...attempt({ provider: provider.id, idToken: "ey" }),
      ...{ account: { traits: {}, identifiers: [], name: "" }, isFresh: true },
      binding: { client: "native", flowDigest: Buffer.alloc(32), revision: 1 },
      credentials: Array.from({ length: count }, () => aCredential({ kind: "oidc" })),
    });
  expect(await add(31)).toMatchObject({ kind: "vouched" });
  expect(await add(32)).toMatchObject({ kind: "rejected", reason: "CREDENTIALS_TOO_MANY" });
});

test("an account at an issuer that the provider's name stood for before is none at this one", () => {
  const { method } = methodWith();
  const linked = (issuer: string) => {
    const { facts } = linkOf(provider, { issuer, subject: "s", account: "" });
    const stage = {
      tenant,
      credentials: [aCredential({ kind: "oidc", facts })],
      binding: attempt({}).binding,
    };
    return method.settingsOffer(stage as unknown as SettingsStage).length;
  };
  expect(linked(provider.issuer)).toBe(0);
  expect(linked("https://before.example.com")).toBe(1);
});

test("a label that is cut has whole characters", () => {
  const account = `${"a".repeat(64 - provider.name.length - 3)}😀`;
  const { label } = linkOf(provider, { issuer: provider.issuer, subject: "s", account });
  expect(label.length).toBe(64);
  expect(label.isWellFormed()).toBe(true);
});

// Security rule (SR-LINK-1).
test("no two pairs of issuer and subject have one key", () => {
  const pairs = [
    ["https://a", "b"],
    ["https://a/", "b"],
    ["https://ab", ""],
    ["https://", "ab"],
    ["https://a", "B"],
  ] as const;
  expect(new Set(pairs.map(([issuer, subject]) => lookupKeyOf(issuer, subject))).size).toBe(pairs.length);
});

test("what is no callback of ours is none, whatever it is called", async () => {
  const { method } = methodWith();
  const { memory, callback } = await away(method);
  const fake = { provider: callback.provider, query: callback.query };
  await expect(method.proveLogin(attempt({ callback: fake }, { memory }))).rejects.toMatchObject({
    reason: "STEP_NOT_OFFERED",
  });
});

test("a credential of a provider that was taken out is no way in, and says so", () => {
  const { method } = methodWith();
  const of = (id: string, issuer = provider.issuer) =>
    aCredential({ kind: "oidc", facts: { provider: id, issuer } });
  expect(method.isWayIn(of(provider.id), tenant)).toBe(true);
  expect(method.credentialNote(tenant, of(provider.id))).toBeUndefined();
  expect(method.isWayIn(of("gone"), tenant)).toBe(false);
  // Another provider has the id by now.
  expect(method.isWayIn(of(provider.id, "https://other.example.com"), tenant)).toBe(false);
  expect(method.credentialNote(tenant, of("gone"))).toMatchObject({ id: 9000710 });
});

test("a provider that did not answer last keeps its button, which says so", () => {
  const stage = { factor: "first", demanded: [], binding: attempt({}).binding } as const;
  const [there] = methodWith().method.loginNodes(tenant, stage);
  const [away] = methodWith({}, false).method.loginNodes(tenant, stage);
  expect(there).not.toHaveProperty("help");
  expect(away).toMatchObject({ element: { value: provider.id }, help: { id: 9000711 } });
  expect(methodWith({}, false).method.loginOffer(tenant, stage)).toMatchObject([{ unavailable: true }]);
});
