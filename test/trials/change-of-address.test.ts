// What strangers tried with a change of address: mail/t17 with mail/schema17, mail/t21 and mail/t21c. The codes come out of
// `ostiary mailbox` for them (mail/mb), which test/courier/mailbox asks; here they are read where it reads them.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freshEmail, goodPassword } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { bearer, Caller, resultOf, tokenIn } from "../support/caller.ts";

const settings = "Settings";
let app: TestApp;
let caller: Caller;

beforeAll(async () => {
  const verification = { via: "email" };
  const main = {
    ...{ type: "string", format: "email", pattern: "^[^A-Z]*$", minLength: 3 },
    "ory.sh/kratos": {
      credentials: { password: { identifier: true } },
      verification,
      recovery: { via: "email" },
    },
  };
  const spare = { type: "string", format: "email", "ory.sh/kratos": { verification: { ...verification } } };
  // Written for another server: a list of one item, by place.
  const tuple = {
    $schema: "http://json-schema.org/draft-07/schema#",
    type: "object",
    properties: { main_email: main, secondary_emails: { type: "array", items: [spare] } },
    required: ["main_email"],
    additionalProperties: false,
  };
  const address = { identifier: "email", verifiable: "email", recovery: "email" };
  const person = {
    type: "object",
    properties: {
      email: { type: "string", format: "email", ostiary: address },
      name: { type: "string" },
      nickname: { type: "string" },
    },
    required: ["email"],
    additionalProperties: false,
  };
  const schemas = [
    { id: "person", document: person },
    { id: "tuple", document: tuple },
  ];
  app = await startTestApp({
    config: { tenant_defaults: { identity: { default_schema: "person", schemas } } },
  });
  caller = new Caller(app);
});

afterAll(() => app.stop());

const codeFor = async (address: string) =>
  (await app.messages(address)).filter(({ code }) => code !== "").at(-1)?.code ?? "";
/** Beside what tells of logins. */
const sentTo = async (address: string) =>
  (await app.messages(address)).map(({ template }) => template).filter((name) => name !== "login_new_device");
const canLogIn = async (address: string, password?: string) =>
  resultOf(await caller.logIn(address, password));

/** Somebody whose addresses are verified, with a session. */
async function somebody(traits: object, addresses: readonly string[], more: object = {}) {
  app.clock.advance(1);
  const made = await caller.admin("identity.v1.IdentityService/CreateIdentity", {
    traits,
    verifiedAddresses: addresses.map((value) => ({ value })),
    credentials: { password: { password: goodPassword } },
    ...more,
  });
  const identityId: string = made.body.identity.id;
  const [first = ""] = addresses;
  const token = tokenIn(await caller.logIn(first));
  const begin = async (of = token) => {
    const own = bearer(of);
    const flow = await caller.begin(settings, own);
    return {
      save: (changed: object) => caller.submit(settings, flow, { traits: changed, profile: {} }, own),
      setPassword: (password: string) => caller.submit(settings, flow, { password: { password } }, own),
      enter: (code: string) => caller.submit(settings, flow, { code: { code } }, own),
    };
  };
  const read = async () => {
    const { body } = await caller.admin("identity.v1.IdentityService/GetIdentity", { identityId });
    return body.identity;
  };
  const verified = async () => {
    const { addresses: known = [] } = await read();
    return known
      .filter((item: { verifyTime?: string }) => item.verifyTime !== undefined)
      .map((item: { value: string }) => item.value);
  };
  const asOperator = (change: object) =>
    caller.admin("identity.v1.IdentityService/UpdateIdentity", { identityId, ...change });
  return { identityId, token, begin, read, verified, asOperator };
}

const withAddress = async () => {
  const email = freshEmail();
  return { email, ...(await somebody({ email }, [email])) };
};

describe("a change of address", () => {
  test("moves the login at the code, not before, and ends no account of the old address on the way", async () => {
    const { email, begin, verified } = await withAddress();
    const next = freshEmail();
    const flow = await begin();
    expect(resultOf(await flow.save({ email: next }))).toBe("nextStep");
    expect([await canLogIn(email), await canLogIn(next)]).toEqual([
      "completed",
      "rejected CREDENTIALS_INVALID",
    ]);
    expect(resultOf(await flow.enter(await codeFor(next)))).toBe("saved");
    expect([await canLogIn(email), await canLogIn(next)]).toEqual([
      "rejected CREDENTIALS_INVALID",
      "completed",
    ]);
    expect(await verified()).toEqual([next]);
    expect(await sentTo(email)).toContain("address_changed");
  });

  test("that waits beside another one loses to what is proven first, and says so", async () => {
    const { email, begin } = await withAddress();
    const [one, two] = [freshEmail(), freshEmail()];
    const [first, second] = [await begin(), await begin()];
    await first.save({ email: one });
    await second.save({ email: two });
    expect(resultOf(await first.enter(await codeFor(one)))).toBe("saved");
    expect(resultOf(await second.enter(await codeFor(two)))).toMatch(/^\d+ FLOW_COMPLETED$/);
    const logins = [await canLogIn(email), await canLogIn(one), await canLogIn(two)];
    expect(logins.map((login) => login === "completed")).toEqual([false, true, false]);
  });

  test.each([
    ["in capitals", (address: string) => address.toUpperCase()],
    ["with blanks around it", (address: string) => ` ${address} `],
    ["in full-width letters", (address: string) => address.replace("@", "＠").replace("p", "ｐ")],
  ])("to one's own %s sends nothing, ends nothing and leaves it verified", async (_name, spell) => {
    const { email, begin, verified } = await withAddress();
    const other = tokenIn(await caller.logIn(email));
    const before = (await app.messages()).length;
    const saved = resultOf(await (await begin()).save({ email: spell(email) }));
    // A spelling that the format of the schema does not take is refused, which is as good.
    expect(["saved", "rejected TRAITS_INVALID"]).toContain(saved);
    expect((await app.messages()).length).toBe(before);
    expect((await caller.check(other)).status).toBe(200);
    expect(await verified()).toHaveLength(1);
    expect(await canLogIn(email)).toBe("completed");
  });

  test("to somebody else's is answered like one to a free address; no guess changes it, and its owner is told", async () => {
    const owner = await withAddress();
    const { email, begin, read } = await withAddress();
    const [taken, free] = [await begin(), await begin()];
    const answers = [await taken.save({ email: owner.email }), await free.save({ email: freshEmail() })];
    expect(answers.map(resultOf)).toEqual(["nextStep", "nextStep"]);
    for (const code of ["123456", "000000"])
      expect(resultOf(await taken.enter(code))).toBe("rejected CODE_INVALID");
    // What tells the owner holds no code.
    expect(await sentTo(owner.email)).toEqual(["registration_taken"]);
    expect(await codeFor(owner.email)).toBe("");
    expect((await read()).traits).toEqual({ email });
    expect(await canLogIn(owner.email)).toBe("completed");
  });

  // mail/t21c: what an operator or another tab has set meanwhile was put back without a word.
  test.each([
    [
      "an operator",
      async (who: Awaited<ReturnType<typeof withAddress>>, traits: object) =>
        (await who.asOperator({ traits: { email: who.email, ...traits } })).status,
    ],
    [
      "an operator, by a patch",
      async (who: Awaited<ReturnType<typeof withAddress>>, traits: object) =>
        (await who.asOperator({ traitsPatch: traits })).status,
    ],
    [
      "another tab",
      async (who: Awaited<ReturnType<typeof withAddress>>, traits: object) =>
        (await (await who.begin()).save({ email: who.email, ...traits })).status,
    ],
    [
      "another device",
      async (who: Awaited<ReturnType<typeof withAddress>>, traits: object) =>
        (await (await who.begin(tokenIn(await caller.logIn(who.email)))).save(traits)).status,
    ],
  ])("that waited takes back nothing that %s has saved meanwhile", async (_name, change) => {
    const who = await withAddress();
    const next = freshEmail();
    const flow = await who.begin();
    await flow.save({ email: next, name: "As it was asked for", nickname: "Ada" });
    expect(await change(who, { name: "Set meanwhile" })).toBe(200);
    expect(resultOf(await flow.enter(await codeFor(next)))).toBe("saved");
    expect((await who.read()).traits).toEqual({ email: next, name: "Set meanwhile", nickname: "Ada" });
  });
});

test("a new password ends the sessions of other devices, and the old one opens nothing", async () => {
  const { email, begin } = await withAddress();
  const other = tokenIn(await caller.logIn(email));
  expect((await caller.check(other)).status).toBe(200);
  const next = "violet harbour 92 kettle";
  expect(resultOf(await (await begin()).setPassword(next))).toBe("saved");
  expect((await caller.check(other)).reason).toBe("SESSION_REVOKED");
  expect([await canLogIn(email), await canLogIn(email, next)]).toEqual([
    "rejected CREDENTIALS_INVALID",
    "completed",
  ]);
});

describe("addresses by their place, in a schema that another server's users wrote", () => {
  const withTwo = async () => {
    const [main, spare] = [freshEmail(), freshEmail()];
    const who = await somebody({ main_email: main, secondary_emails: [spare] }, [main, spare], {
      schemaId: "tuple",
    });
    return { main, spare, ...who };
  };

  test("that change places stay verified, move the login, and are told", async () => {
    const { main, spare, begin, verified } = await withTwo();
    const saved = await (await begin()).save({ main_email: spare, secondary_emails: [main] });
    expect(resultOf(saved)).toBe("saved");
    expect((await verified()).sort()).toEqual([main, spare].sort());
    expect([await canLogIn(main), await canLogIn(spare)]).toEqual([
      "rejected CREDENTIALS_INVALID",
      "completed",
    ]);
    // Security rule (SR-OWNER-9): an address that had a say in the account is told when it is taken away (ASVS V6.3.7).
    for (const address of [main, spare]) expect(await sentTo(address)).toEqual(["address_removed"]);
  });

  test.each([
    ["emptied", []],
    ["removed", null],
  ])("whose list is %s lose their say, and are told", async (_name, list) => {
    const { main, spare, begin, verified } = await withTwo();
    expect(resultOf(await (await begin()).save({ secondary_emails: list }))).toBe("saved");
    expect(await verified()).toEqual([main]);
    for (const address of [main, spare]) expect(await sentTo(address)).toEqual(["address_removed"]);
  });

  test("of somebody else become nobody's proof", async () => {
    const owner = await withTwo();
    const { main, spare, verified, asOperator } = await withTwo();
    const traits = { main_email: main, secondary_emails: [owner.main] };
    expect((await asOperator({ traits })).status).toBe(200);
    expect(await verified()).toEqual([main]);
    expect(await sentTo(spare)).toEqual(["address_changed"]);
    expect((await owner.verified()).sort()).toEqual([owner.main, owner.spare].sort());
    expect(await canLogIn(owner.main)).toBe("completed");
  });
});
