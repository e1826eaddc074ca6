// What strangers did to accounts that were not theirs: security/f06_prehijack, security/f08_owner_gets_no_code (what its owner
// gets) and security/f17_ui_fixation (what the server says to the page).
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { freshEmail, goodPassword } from "../support/accounts.ts";
import { readMessages, startTestApp, type TestApp } from "../support/app.ts";
import {
  bearer,
  browser,
  Caller,
  type HeldFlow,
  type Kind,
  kinds,
  native,
  outcomeOf,
  type Sent,
  tokenIn,
} from "../support/caller.ts";
import { sealingSecret, startThrottledApp } from "../support/throttled.ts";

const attackersPassword = "attackers-Own-pass-4711";
const ownersPassword = "victims-Own-pass-0815";

/** The codes that were really sent to an address, oldest first. */
async function codesFor(app: TestApp, address: string): Promise<readonly string[]> {
  const sent = await app.messages(address);
  return sent.filter(({ code, suppressed }) => code !== "" && !suppressed).map(({ code }) => code);
}

async function logIn(app: TestApp, identifier: string, password: string) {
  app.clock.advance(1);
  return new Caller(app).walk("Login", { identifier, password: { password } });
}

describe("an account that somebody has made for the address of another person", () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startTestApp();
  });
  afterAll(() => app.stop());

  /** What an attacker holds of it. */
  interface Held {
    readonly email: string;
    readonly id: string;
    readonly tokens: readonly string[];
    readonly deviceToken: string;
    /** Settings that are open, and such as wait for the code of another address. */
    readonly settings: readonly HeldFlow[];
    readonly spare: string;
    /** A login that is half done, and a recovery. */
    readonly waiting: readonly (readonly [Kind, HeldFlow])[];
  }

  async function hijack(): Promise<Held> {
    const email = freshEmail();
    const attacker = new Caller(app);
    const password = { password: attackersPassword };
    const made = await attacker.walk("Registration", { traits: { email }, password });
    expect(made.outcome).toBe("completed");
    const tokens = [tokenIn(made.answer), tokenIn((await logIn(app, email, attackersPassword)).answer)];
    const own = bearer(tokens[0] ?? "");
    const spare = `spare-${email}`;
    const changing = await attacker.walk("Settings", { profile: {}, traits: { email: spare } }, native, own);
    expect(changing.outcome).toBe("nextStep");
    const open = (await attacker.create("Settings", native, own)).body.flow;
    const refresh = { ...native, purpose: "LOGIN_PURPOSE_REFRESH" };
    const { signedIn } = made.answer.body.completed;
    return {
      ...{ email, tokens, spare },
      id: signedIn.identity.id,
      deviceToken: signedIn.deviceToken,
      settings: [changing.flow, open],
      waiting: [
        ["Login", (await attacker.create("Login", refresh, own)).body.flow],
        ["Verification", (await attacker.create("Verification", native, own)).body.flow],
      ],
    };
  }

  /** Everything that the attacker could go on with, and what came of it. */
  async function tried({ email, tokens, deviceToken, settings, spare, waiting }: Held) {
    const attacker = new Caller(app);
    const outcomes: string[] = [];
    for (const token of tokens) {
      outcomes.push(outcomeOf(await attacker.session("CheckSession", { token })));
      for (const flow of settings) {
        const changed = { password: { password: "attackers-Next-pass-4712" } };
        outcomes.push(outcomeOf(await attacker.submit("Settings", flow, changed, bearer(token))));
        const [code = ""] = (await codesFor(app, spare)).slice(-1);
        outcomes.push(outcomeOf(await attacker.press(flow, "code", { "code.code": code }, bearer(token))));
      }
    }
    const fields = { identifier: email, deviceToken, password: { password: attackersPassword } };
    app.clock.advance(1);
    outcomes.push((await attacker.walk("Login", fields)).outcome);
    outcomes.push((await attacker.walk("Login", { ...fields, identifier: spare })).outcome);
    for (const [kind, flow] of waiting) {
      const step = kind === "Login" ? { password: fields.password } : { resume: {} };
      outcomes.push(outcomeOf(await attacker.submit(kind, flow, step)));
    }
    return outcomes;
  }
  const gain = /^(completed|saved|nextStep|loginRequired|session|shown|expired)$/;

  const clients = [
    ["native", native],
    ["in a browser", browser],
  ] as const;
  const ways = (["Verification", "Recovery"] as const).flatMap((way) =>
    clients.map(([name, client]) => [way, name, client] as const),
  );

  test.each(ways)("is the person's by a %s, %s, and the attacker keeps nothing", async (way, _, client) => {
    // Control: an account that nobody has claimed is the attacker's to use.
    expect((await tried(await hijack())).filter((outcome) => gain.test(outcome))).not.toEqual([]);
    const held = await hijack();
    const person = new Caller(app);
    app.clock.advance(1);
    const asked = await person.walk(way, { address: held.email, sendCode: {} }, client);
    const [code = ""] = (await codesFor(app, held.email)).slice(-1);
    const proven = await person.submit(way, asked.flow, { code: { code } });
    expect(outcomeOf(proven)).toBe("nextStep");
    const flow = { ...asked.flow, ...proven.body.flow };
    expect(flow.claimAccount).toBeDefined();
    // Until it is said whose the account is, nothing is proven in it.
    expect(await addressesOf(held.id)).toEqual([[held.email, false]]);
    // Nor is a password of the attacker's wanted: the answer is the person's own.
    const disowned = await person.submit(way, flow, { disown: {} });
    expect(outcomeOf(disowned)).toBe("completed");
    expect((await tried(held)).filter((outcome) => gain.test(outcome))).toEqual([]);
    expect(await addressesOf(held.id)).toEqual([[held.email, true]]);

    const settings = disowned.body.completed.continueWith[0].settings.flow;
    const set = await person.submit("Settings", settings, { password: { password: ownersPassword } });
    expect(outcomeOf(set)).toBe("completed");
    expect((await tried(held)).filter((outcome) => gain.test(outcome))).toEqual([]);
    expect((await logIn(app, held.email, ownersPassword)).outcome).toBe("completed");
  });

  test("is not proven by a person who stops at the question, and cannot be disowned late", async () => {
    const held = await hijack();
    const person = new Caller(app);
    app.clock.advance(1);
    const asked = await person.walk("Verification", { address: held.email, sendCode: {} });
    const [code = ""] = (await codesFor(app, held.email)).slice(-1);
    expect(outcomeOf(await person.submit("Verification", asked.flow, { code: { code } }))).toBe("nextStep");
    app.clock.advance(3_600_001);
    expect(await addressesOf(held.id)).toEqual([[held.email, false]]);
    const late = await person.submit("Verification", asked.flow, { disown: {} });
    expect(outcomeOf(late)).toBe("expired");
    expect(await addressesOf(held.id)).toEqual([[held.email, false]]);
  });

  test("tells the person who registers that it is taken, and sends no code to sign in with", async () => {
    const { email } = await hijack();
    const person = new Caller(app);
    const fields = { traits: { email }, password: { password: ownersPassword } };
    expect((await person.walk("Registration", fields)).outcome).toMatch(/IDENTIFIER_TAKEN$/);
    const before = (await codesFor(app, email)).length;
    expect((await person.walk("Login", { identifier: email, sendCode: {} })).outcome).toBe("nextStep");
    expect(await codesFor(app, email)).toHaveLength(before);
  });

  async function addressesOf(identityId: string) {
    const { identity } = await app.client(IdentityService).getIdentity({ identityId });
    return identity?.addresses.map(({ value, verifyTime }) => [value, verifyTime !== undefined]);
  }
});

describe("a native flow that an attacker has begun for an address, on the page of its owner", () => {
  let app: TestApp;
  const allowed = "https://app.example.com";
  beforeAll(async () => {
    const flows = { registration: { address_proof: "before_session" } };
    app = await startTestApp({ config: { tenant_defaults: { flows, allowed_origins: [allowed] } } });
  });
  afterAll(() => app.stop());

  const begun: readonly (readonly [Kind, (address: string) => object])[] = [
    ["Registration", (email) => ({ traits: { email }, password: { password: attackersPassword } })],
    ["Login", (identifier) => ({ identifier, sendCode: {} })],
    ["Recovery", (address) => ({ address, sendCode: {} })],
    ["Verification", (address) => ({ address, sendCode: {} })],
  ];

  test.each(begun)("%s: takes neither the code nor anything else that a page sends", async (kind, fields) => {
    const email = freshEmail();
    if (kind !== "Registration") {
      await app.client(IdentityService).createIdentity({
        traits: { email },
        verifiedAddresses: kind === "Verification" ? [] : [{ value: email }],
        credentials: { password: { value: { case: "password", value: ownersPassword } } },
      });
    }
    app.clock.advance(1);
    const { flow } = await new Caller(app).walk(kind, fields(email));
    const [code = ""] = await codesFor(app, email);
    expect(code).toMatch(/^\d{6}$/);
    const page = new Caller(app);
    const pages: readonly Readonly<Record<string, string>>[] = [
      { origin: new URL(app.publicUrl).origin, "sec-fetch-site": "same-origin" },
      { origin: allowed, "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors" },
      { origin: "null" },
    ];
    for (const sent of pages) {
      const answers = [
        await page.get(flow, sent),
        await page.submit(kind, flow, { code: { code } }, sent),
        await page.press(flow, "code", { "code.code": code }, sent),
        await page.submit(kind, flow, { resend: {} }, sent),
        await page.submit(kind, flow, { back: {} }, sent),
      ];
      expect(answers.map(outcomeOf)).toEqual(answers.map(() => "FLOW_CLIENT_MISMATCH"));
      for (const { body } of answers) expect(JSON.stringify(body)).not.toContain(email);
    }
    // The code is of no use in the person's own flow, so the attacker's is not finished by another way round.
    app.clock.advance(1);
    const own = await page.walk(kind, fields(email), browser);
    expect(outcomeOf(await page.submit(kind, own.flow, { code: { code } }))).toMatch(/CODE_INVALID$/);
    expect((await logIn(app, email, attackersPassword)).outcome).toMatch(/CREDENTIALS_INVALID$/);
  });

  test.each(kinds.filter((kind) => kind !== "Settings"))(
    "%s: a browser's flow of the attacker is not taken over by another browser",
    async (kind) => {
      const attacker = new Caller(app);
      const { flow } = (await attacker.create(kind, browser)).body;
      const victim = new Caller(app);
      await victim.create(kind, browser);
      for (const answer of [
        await victim.get(flow),
        await victim.press(flow, "password"),
        await victim.press(flow, "code"),
      ]) {
        expect(outcomeOf(answer)).toBe("FLOW_CLIENT_MISMATCH");
      }
    },
  );
});

describe("the owner of an account whose limits strangers have used up, with nothing configured", () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startThrottledApp();
  });
  afterAll(() => app.stop());

  const asked = ["Login", "Recovery", "Verification"] as const;
  type Asked = (typeof asked)[number];
  let lastAddress = 0;
  const freshAddress = () => `203.0.${Math.floor(++lastAddress / 250)}.${(lastAddress % 250) + 1}`;
  const from = (address: string) => ({ "x-forwarded-for": address });

  async function ask(kind: Asked, email: string, sent: Sent, deviceToken = "") {
    app.clock.advance(1);
    const named = kind === "Login" ? { identifier: email } : { address: email };
    const fields = { ...named, sendCode: {}, ...(deviceToken && { deviceToken }) };
    return new Caller(app).walk(kind, fields, native, sent);
  }

  /** Has a code sent; gives how that was answered, and the codes that went out for it. */
  async function askFor(kind: Asked, email: string, sent: Sent, deviceToken = "") {
    const before = await sentTo(email);
    const { flow, outcome } = await ask(kind, email, sent, deviceToken);
    return { flow, outcome, codes: (await sentTo(email)).slice(before.length) };
  }

  async function sentTo(email: string): Promise<readonly string[]> {
    const sent = await readMessages(app.databaseUrl, sealingSecret, email);
    return sent.filter(({ code, suppressed }) => code !== "" && !suppressed).map(({ code }) => code);
  }

  async function guess(email: string, sent: Sent, password: string, deviceToken = "") {
    const fields = { identifier: email, password: { password }, ...(deviceToken && { deviceToken }) };
    return new Caller(app).walk("Login", fields, native, sent);
  }

  /** Somebody who has signed in on a device; their address is verified if it is to be. */
  async function anOwner(isVerified: boolean) {
    const email = freshEmail();
    await app.client(IdentityService).createIdentity({
      traits: { email },
      verifiedAddresses: isVerified ? [{ value: email }] : [],
      credentials: { password: { value: { case: "password", value: goodPassword } } },
    });
    const { answer } = await guess(email, from(freshAddress()), goodPassword);
    return { email, token: tokenIn(answer), deviceToken: answer.body.completed.signedIn.deviceToken };
  }

  /** Asks for codes of a kind, from one address or from as many as are needed, until no more are sent. */
  async function useUp(kind: Asked, email: string, address: () => string): Promise<number> {
    for (let count = 0; count < 150; count++) {
      const { outcome } = await ask(kind, email, from(address()));
      if (outcome === "RATE_LIMITED") return count;
      expect(outcome).toBe("nextStep");
    }
    throw new Error("nobody was refused");
  }

  test.each(asked)(
    "gets codes of all kinds after a stranger's flood of the kind %s, and in",
    async (flooded) => {
      const { email, deviceToken, token } = await anOwner(true);
      const attacker = freshAddress();
      expect(await useUp(flooded, email, () => attacker)).toBe(5);
      for (let count = 0; count < 12; count++) await guess(email, from(attacker), `wrong-${count}`);
      expect((await guess(email, from(freshAddress()), goodPassword)).outcome).toBe("RATE_LIMITED");

      // At another address, which shows nothing of who it is.
      const { flow, codes } = await askFor("Login", email, from(freshAddress()));
      expect(codes).toHaveLength(1);
      const entered = await new Caller(app).submit("Login", flow, { code: { code: codes[0] ?? "" } });
      expect(outcomeOf(entered)).toBe("completed");
      expect((await askFor("Recovery", email, from(freshAddress()))).codes).toHaveLength(1);
      // At the very address from which the flood came, as in an office.
      for (const kind of asked.filter((each) => each !== flooded && each !== "Verification")) {
        expect((await askFor(kind, email, from(attacker))).codes).toHaveLength(1);
      }
      const known = await askFor("Login", email, from(attacker), deviceToken);
      expect([known.outcome, known.codes.length]).toEqual(["nextStep", 1]);
      expect((await guess(email, from(attacker), goodPassword, deviceToken)).outcome).toBe("completed");
      const open = await new Caller(app).create("Settings", native, { ...bearer(token), ...from(attacker) });
      expect(open.status).toBe(200);
    },
  );

  test("of an address that is not verified yet gets the code for that", async () => {
    const { email, token } = await anOwner(false);
    const attacker = freshAddress();
    expect(await useUp("Verification", email, () => attacker)).toBe(5);
    expect((await askFor("Verification", email, from(freshAddress()))).codes).toHaveLength(1);
    const own = { ...from(attacker), ...bearer(token) };
    expect((await askFor("Verification", email, own)).codes).toHaveLength(1);
  });

  test("gets codes on a known device when strangers at many addresses have used up the day", async () => {
    const { email, deviceToken } = await anOwner(true);
    expect(await useUp("Recovery", email, freshAddress)).toBeLessThanOrEqual(100);
    for (const kind of ["Login", "Recovery"] as const) {
      const { outcome, codes } = await askFor(kind, email, from(freshAddress()), deviceToken);
      expect([outcome, codes.length]).toEqual(["nextStep", 1]);
    }
  });

  // One request in 48 minutes held it for good.
  test("gets codes while a stranger at one address asks all day", async () => {
    const { email } = await anOwner(true);
    const attacker = freshAddress();
    let refused = 0;
    for (let minute = 0; minute < 24 * 60; minute += 12) {
      app.clock.advance(12 * 60_000);
      if ((await ask("Recovery", email, from(attacker))).outcome === "RATE_LIMITED") refused++;
    }
    expect(refused).toBeGreaterThan(0);
    for (const kind of ["Login", "Recovery"] as const) {
      expect((await askFor(kind, email, from(freshAddress()))).codes).toHaveLength(1);
    }
  });
});
