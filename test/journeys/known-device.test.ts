import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { reasonOf } from "../../sdk/typescript/src/errors.ts";
import { toTenantSettings } from "../../src/app-settings.ts";
import { loadConfig } from "../../src/config/load-config.ts";
import { createKeyedDigests } from "../../src/crypto/keyed-digests.ts";
import { createTokens } from "../../src/crypto/tokens.ts";
import { DomainError } from "../../src/domain/errors.ts";
import { Secret } from "../../src/domain/secret.ts";
import type { Tenant } from "../../src/domain/tenant/tenant.ts";
import { Devices } from "../../src/domain/throttle/devices.ts";
import type { ThrottleSubjects } from "../../src/domain/throttle/subjects.ts";
import { Throttle } from "../../src/domain/throttle/throttle.ts";
import { openStorage } from "../../src/storage/storage.ts";
import { freshEmail, goodPassword, register } from "../support/accounts.ts";
import type { TestApp } from "../support/app.ts";
import { type Answer, Browser } from "../support/browser.ts";
import { defaultTestOptions } from "../support/database.ts";
import { refusal } from "../support/errors.ts";
import { origin } from "../support/records.ts";
import { freshAddress, guess, sealingSecret, startThrottledApp } from "../support/throttled.ts";

const login = "/ostiary.flow.v1.LoginService";

let app: TestApp;
beforeAll(async () => {
  app = await startThrottledApp();
});
afterAll(() => app.stop());

/** Whether each attempt was refused, twenty at a time. */
async function outcomesOf(
  addresses: readonly string[],
  attempt: (from: string) => Promise<unknown>,
): Promise<readonly boolean[]> {
  const refused: boolean[] = [];
  for (let first = 0; first < addresses.length; first += 20) {
    const outcomes = await Promise.allSettled(addresses.slice(first, first + 20).map(attempt));
    for (const outcome of outcomes) {
      // Anything else that goes wrong is no refusal.
      if (outcome.status === "rejected") {
        const reason =
          outcome.reason instanceof DomainError ? outcome.reason.reason : reasonOf(outcome.reason);
        expect(reason).toBe("RATE_LIMITED");
      }
      refused.push(outcome.status === "rejected");
    }
  }
  return refused;
}

/** The rules of the server, without what is around them: as another server on its database would count. */
async function throttleOf({ databaseUrl, clock }: TestApp) {
  const storage = await openStorage({ ...defaultTestOptions, url: databaseUrl });
  const throttle = new Throttle({
    store: storage.throttle,
    digests: createKeyedDigests(() => [new Secret(sealingSecret)]),
    devices: new Devices({ tokens: createTokens(), clock }),
    failedAttempts: { note: (_scope, events) => events },
    clock,
  });
  const settings = toTenantSettings(loadConfig({ environment: {}, flags: {} }), 4433);
  const tenant: Tenant = {
    tenantId: await storage.ensureTenant("default", clock.now()),
    name: "default",
    settings,
  };
  return {
    take: (subjects: ThrottleSubjects) => throttle.take(tenant, origin, "login", subjects),
    close: () => storage.close(),
  };
}

/** Guesses until nobody without a known device is let through. */
async function lockOut(identifier: string): Promise<void> {
  for (let count = 0; count < 10; count++) await guess(app, { identifier, from: freshAddress() });
  const refused = guess(app, { identifier, password: goodPassword, from: freshAddress() });
  expect(await refusal(refused)).toMatchObject({ reason: "RATE_LIMITED", metadata: { scope: "account" } });
}

const owner = (identifier: string, deviceToken: string) =>
  guess(app, { identifier, password: goodPassword, deviceToken, from: freshAddress() });

describe("a known device", () => {
  // The issue's own figure, and SR-LIMIT-2 (ASVS V6.1.1): an account is slowed down, never locked.
  test("gets its owner in at the first try after 10,000 guesses from 1,000 addresses", {
    timeout: 180_000,
  }, async () => {
    const { email, deviceToken } = await register(app);
    const addresses = Array.from(
      { length: 1000 },
      (_, index) => `198.18.${Math.floor(index / 250)}.${index % 250}`,
    );
    // From each address one over the wire, and nine as the server counts them.
    const over = await outcomesOf(addresses, (from) => guess(app, { identifier: email, from }));
    const rules = await throttleOf(app);
    const under = [];
    for (let round = 0; round < 9; round++) {
      under.push(
        ...(await outcomesOf(addresses, (from) =>
          rules.take({ clientIp: { clientIp: from, isShared: false }, accounts: [email] }),
        )),
      );
    }
    await rules.close();
    expect([over.length + under.length, over.filter((refused) => !refused).length]).toEqual([10_000, 10]);
    expect(under.filter((refused) => !refused)).toEqual([]);

    expect((await owner(email, deviceToken)).case).toBe("completed");
    // And the guesses are not given a new start by it.
    expect(await refusal(guess(app, { identifier: email, from: freshAddress() }))).toMatchObject({
      reason: "RATE_LIMITED",
    });
  });

  test("is kept over further logins, and a login without one gives a new one", async () => {
    const { email, deviceToken } = await register(app);
    expect(deviceToken).toMatch(/^ost_dev_default_[0-9A-Za-z]{49}$/);
    const again = await owner(email, deviceToken);
    expect(again.case === "completed" && again.value.signedIn?.deviceToken).toBe(deviceToken);
    const another = await owner(email, "");
    if (another.case !== "completed") throw new Error(`the login was ${another.case}`);
    expect(["", undefined, deviceToken]).not.toContain(another.value.signedIn?.deviceToken);
    await lockOut(email);
    expect((await owner(email, another.value.signedIn?.deviceToken ?? "")).case).toBe("completed");
    expect((await owner(email, deviceToken)).case).toBe("completed");
  });

  test("that was stolen allows no more guesses than its own bucket, and leaves the account's alone", async () => {
    const { email, deviceToken } = await register(app);
    for (let count = 0; count < 10; count++) {
      const outcome = await guess(app, { identifier: email, deviceToken, from: freshAddress() });
      expect(outcome.case).toBe("rejected");
    }
    const refused = await refusal(owner(email, deviceToken));
    expect(refused).toMatchObject({
      code: "ResourceExhausted",
      metadata: { scope: "device" },
      retryAfterSeconds: 60,
    });
    expect((await owner(email, "")).case).toBe("completed");
  });

  test.each<[string, (own: string) => Promise<string>]>([
    ["of another account", async () => (await register(app)).deviceToken],
    ["of another tenant", async () => createTokens().issue("known_device", "other").token.reveal()],
    ["that was made up", async () => createTokens().issue("known_device", "default").token.reveal()],
    ["with a wrong checksum", async (own) => own.slice(0, -1) + (own.endsWith("0") ? "1" : "0")],
    ["that is a token of another kind", async () => (await register(app)).sessionToken],
    ["behind others that are not", async (own) => [...Array(9).fill("x"), own].join(".")],
  ])("%s is not one", async (_what, make) => {
    const { email, deviceToken } = await register(app);
    await lockOut(email);
    expect(await refusal(owner(email, await make(deviceToken)))).toMatchObject({
      reason: "RATE_LIMITED",
      metadata: { scope: "account" },
    });
    // The control: the real one is.
    expect((await owner(email, deviceToken)).case).toBe("completed");
  });

  test("is forgotten when an operator sets the password, and at the end of its time", async () => {
    const { email, identity, deviceToken } = await register(app);
    await app.client(IdentityService).setPassword({
      identityId: identity?.id ?? "",
      password: { value: { case: "password", value: `${goodPassword}!` } },
    });
    await lockOut(email);
    const password = `${goodPassword}!`;
    const attempt = guess(app, { identifier: email, password, deviceToken, from: freshAddress() });
    expect(await refusal(attempt)).toMatchObject({ metadata: { scope: "account" } });

    const other = await register(app);
    app.clock.advance(179 * 86_400_000);
    expect((await owner(other.email, other.deviceToken)).case).toBe("completed");
    app.clock.advance(179 * 86_400_000);
    await lockOut(other.email);
    expect((await owner(other.email, other.deviceToken)).case).toBe("completed");
    app.clock.advance(181 * 86_400_000);
    await lockOut(other.email);
    expect(await refusal(owner(other.email, other.deviceToken))).toMatchObject({ reason: "RATE_LIMITED" });
  });

  test("is no token that a client chose: what is not known is replaced", async () => {
    const planted = createTokens().issue("known_device", "default").token.reveal();
    const { email } = await register(app);
    const outcome = await owner(email, planted);
    expect(outcome.case).toBe("completed");
    const given = outcome.case === "completed" ? outcome.value.signedIn?.deviceToken : undefined;
    expect(["", undefined, planted]).not.toContain(given);
    await lockOut(email);
    expect(await refusal(owner(email, planted))).toMatchObject({ reason: "RATE_LIMITED" });
  });
});

const registration = "/ostiary.flow.v1.RegistrationService";

async function registerIn(browser: Browser, email = freshEmail()): Promise<string> {
  const from = { "x-forwarded-for": freshAddress() };
  const created = await browser.post(
    `${registration}/CreateRegistrationFlow`,
    { client: "CLIENT_KIND_BROWSER" },
    from,
  );
  const { id, csrfToken } = created.body.flow;
  const submit = { flowId: id, csrfToken, traits: { email }, password: { password: goodPassword } };
  await browser.post(`${registration}/SubmitRegistrationFlow`, submit, from);
  return email;
}

async function logInWith(browser: Browser, identifier: string, fields: object = {}): Promise<Answer> {
  const from = { "x-forwarded-for": freshAddress() };
  const created = await browser.post(`${login}/CreateLoginFlow`, { client: "CLIENT_KIND_BROWSER" }, from);
  const { id, csrfToken } = created.body.flow;
  const submit = { flowId: id, csrfToken, identifier, password: { password: goodPassword }, ...fields };
  return browser.post(`${login}/SubmitLoginFlow`, submit, from);
}

describe("a browser", () => {
  test("is known by a cookie that no script can read, and gets no token", async () => {
    const browser = new Browser(app.localUrl);
    const email = await registerIn(browser);
    const header = browser.everySetCookie.find((each) => each.startsWith("ostiary_device="));
    expect(header).toMatch(
      /^ostiary_device=ost_dev_default_\w{49}; Path=\/; HttpOnly; SameSite=Lax; Max-Age=15552000$/,
    );
    await lockOut(email);
    const answer = await logInWith(browser, email);
    expect(answer.body.completed.signedIn.deviceToken).toBeUndefined();
    expect(answer.body.completed.signedIn.session).toBeDefined();
    expect((await logInWith(new Browser(app.localUrl), email)).reason).toBe("RATE_LIMITED");
  });

  test("that sends a token twice is known all the same", async () => {
    const browser = new Browser(app.localUrl);
    const email = await registerIn(browser);
    const token = browser.cookies.get("ostiary_device") ?? "";
    browser.cookies.set("ostiary_device", `${token}.${token}`);
    await lockOut(email);
    expect((await logInWith(browser, email)).body.completed).toBeDefined();
    expect(browser.cookies.get("ostiary_device")).toBe(token);
  });

  test("that several people sign in on is known to each of them", async () => {
    const browser = new Browser(app.localUrl);
    const emails = [];
    for (let person = 0; person < 5; person++) emails.push(await registerIn(browser));
    expect(browser.cookies.get("ostiary_device")?.split(".")).toHaveLength(4);
    const [oldest = "", ...others] = emails;
    for (const email of others) {
      await lockOut(email);
      expect((await logInWith(browser, email)).body.completed).toBeDefined();
    }
    await lockOut(oldest);
    expect((await logInWith(browser, oldest)).reason).toBe("RATE_LIMITED");
  });

  test("is not known by a token in the request, nor a native client by a cookie", async () => {
    const browser = new Browser(app.localUrl);
    const email = await registerIn(browser);
    const deviceToken = browser.cookies.get("ostiary_device") ?? "";
    await lockOut(email);
    const answer = await logInWith(new Browser(app.localUrl), email, { deviceToken });
    expect(answer.reason).toBe("RATE_LIMITED");

    const created = await browser.post(`${login}/CreateLoginFlow`, { client: "CLIENT_KIND_NATIVE" });
    const submit = { flowId: created.body.flow.id, identifier: email, password: { password: goodPassword } };
    expect((await browser.post(`${login}/SubmitLoginFlow`, submit)).reason).toBe("RATE_LIMITED");
  });
});
