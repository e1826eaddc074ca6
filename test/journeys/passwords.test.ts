import bcrypt from "bcrypt";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ClientKind } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { LoginService } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { freshEmail, goodPassword, hashAlgorithmOf, logIn, register } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";

let app: TestApp;

beforeAll(async () => {
  app = await startTestApp({ config: { tenant_defaults: { password: { max_length: 64 } } } });
});

afterAll(() => app.stop());

// Each of these syllables is three code points before normalisation, as macOS and iOS write them, and one after.
test("a password is as long at login as it was at registration: counted after normalisation", async () => {
  const typed = "각난달람맘밥삿앙".repeat(8).normalize("NFD");
  expect([...typed].length).toBeGreaterThan(64);
  const { email, identity } = await register(app, { password: typed });
  expect((await logIn(app, email, typed)).case).toBe("completed");
  expect((await logIn(app, email, typed.normalize("NFC"))).case).toBe("completed");
  const { matches } = await app
    .client(IdentityService)
    .checkPassword({ identityId: identity?.id ?? "", password: typed });
  expect(matches).toBe(true);
});

// The tenant's maximum of 64 came later than these passwords: it locks nobody out, in the form neither.
test("a password beyond max_length, set before or imported, signs in; the login's form takes 1024 characters", async () => {
  const password = "a long one from before, with 110 characters or more ".repeat(5);
  expect(password.length).toBeGreaterThan(256);
  const email = freshEmail();
  const { identity } = await app.client(IdentityService).createIdentity({
    traits: { email },
    credentials: {
      password: { value: { case: "hash", value: await bcrypt.hash(password.slice(0, 72), 4) } },
    },
  });
  const check = async (typed: string) =>
    (await app.client(IdentityService).checkPassword({ identityId: identity?.id ?? "", password: typed }))
      .matches;
  expect(await check(password)).toBe(true);
  expect(await check(`${password}!`)).toBe(false);
  expect((await logIn(app, email, password)).case).toBe("completed");
  expect((await logIn(app, email, password)).case).toBe("completed");
  expect((await logIn(app, email, "x".repeat(1025))).case).toBe("rejected");

  const { flow } = await app.client(LoginService).createLoginFlow({ client: ClientKind.NATIVE });
  const node = flow?.form?.nodes.find(({ name }) => name === "password.password");
  expect(node?.kind).toMatchObject({ case: "input", value: { maxLength: 1024 } });
  // A new one keeps the rule.
  await expect(register(app, { password })).rejects.toThrow("registration was rejected");
});

// Bcrypt of goodPassword with cost 4; the same algorithm under its three names.
test.each(["2a", "2b", "2y"])("an imported $%s$ hash signs in, and is replaced by then", async (name) => {
  const identities = app.client(IdentityService);
  const email = freshEmail();
  const hash = `$${name}$04$${bcryptOfGoodPassword}`;
  const { identity } = await identities.createIdentity({
    traits: { email },
    credentials: { password: { value: { case: "hash", value: hash } } },
  });
  const algorithm = async () =>
    hashAlgorithmOf((await identities.listCredentials({ identityId: identity?.id ?? "" })).credentials[0]);
  expect(await algorithm()).toBe("bcrypt");
  expect((await logIn(app, email, "not the password")).case).toBe("rejected");
  expect(await algorithm()).toBe("bcrypt");
  expect((await logIn(app, email, goodPassword)).case).toBe("completed");
  expect(await algorithm()).toBe("argon2id");
  expect((await logIn(app, email, goodPassword)).case).toBe("completed");
});

const bcryptOfGoodPassword = "GqRB1KA...RC1GJbm2sPfei2PfWr.5YD92eEb/nwEM2pa4EJL1DQ.";

// As exported by better-auth 1.7 and Django 5.2, of goodPassword.
test.each([
  [
    "better-auth",
    "2616a754efe33319fa308530ec72cb3e:bba283fdf8cd628448b22577d39b01b58c88d2d4b1c060e07edd8abc855192655063d52bc061ee6ce417638b6d67ddc1544d170e18fa77823949aa26bf972895",
    "scrypt",
  ],
  ["Django", "pbkdf2_sha256$1000$q1W2e3R4t5Y6$P8+v2Ew6OiJknpOqwkNkpXZNpmXqzhhJv8OK0He0dwU=", "pbkdf2-sha256"],
  [
    "Django",
    "argon2$argon2id$v=19$m=64,t=1,p=1$cTFXMmUzUjR0NVk2$Xbkfg3e40K6zZdqpobxahJksD4zXuBc4AElbd7w78Uc",
    "argon2id",
  ],
  ["Django", "bcrypt_sha256$$2b$04$.f2JwbjDVMFbpg2pWJ02heNV7P0uP29TMqXODot2t/fHd3MD4vvTe", "bcrypt-sha256"],
])(
  "a hash of %s is taken as it is exported, signs in, and is replaced: %s",
  async (_name, value, algorithm) => {
    const identities = app.client(IdentityService);
    const email = freshEmail();
    const credentials = { password: { value: { case: "hash", value } } } as const;
    const { identity } = await identities.createIdentity({ traits: { email }, credentials });
    const identityId = identity?.id ?? "";
    const stored = async () =>
      hashAlgorithmOf((await identities.listCredentials({ identityId })).credentials[0]);
    expect(await stored()).toBe(algorithm);
    expect((await logIn(app, email, "not the password")).case).toBe("rejected");
    expect((await identities.checkPassword({ identityId, password: goodPassword })).matches).toBe(true);
    expect(await stored()).toBe("argon2id");
    expect((await logIn(app, email)).case).toBe("completed");
  },
);

// bcrypt of the folded form, as better-auth or inmanta leave it.
test("a password that its old system folded by NFKC signs in as it is typed, before and after the hash is replaced", async () => {
  const email = freshEmail();
  const value = "$2b$10$YxWUX..OFpLzAI2nl37TLeXuEmus4HFLw9otO151/6WU1PcIjpDOG";
  await app.client(IdentityService).createIdentity({
    traits: { email },
    credentials: { password: { value: { case: "hash", value } } },
  });
  expect((await logIn(app, email, "Ｐａｓｓ②ｗord-lighthouse")).case).toBe("rejected");
  for (let login = 0; login < 2; login++) {
    expect((await logIn(app, email, "Ｐａｓｓ①ｗord-lighthouse")).case).toBe("completed");
  }
});

test("a password is the same with any blank, where it is set and where it is typed", async () => {
  const { email } = await register(app, { password: "grüne\u00a0Wiesen im Mai" });
  expect((await logIn(app, email, "grüne Wiesen im Mai")).case).toBe("completed");
  expect((await logIn(app, email, "grüne\u3000Wiesen\u2009im\u00a0Mai")).case).toBe("completed");
  expect((await logIn(app, email, "grüneWiesen im Mai")).case).toBe("rejected");
});
