import bcrypt from "bcrypt";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Client } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { LoginService } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { freshEmail, goodPassword, logIn, register } from "../support/accounts.ts";
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

  const { flow } = await app.client(LoginService).createLoginFlow({ client: Client.NATIVE });
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
    (await identities.listCredentials({ identityId: identity?.id ?? "" })).credentials[0]?.details.value
      ?.hashAlgorithm;
  expect(await algorithm()).toBe("bcrypt");
  expect((await logIn(app, email, "not the password")).case).toBe("rejected");
  expect(await algorithm()).toBe("bcrypt");
  expect((await logIn(app, email, goodPassword)).case).toBe("completed");
  expect(await algorithm()).toBe("argon2id");
  expect((await logIn(app, email, goodPassword)).case).toBe("completed");
});

const bcryptOfGoodPassword = "GqRB1KA...RC1GJbm2sPfei2PfWr.5YD92eEb/nwEM2pa4EJL1DQ.";
