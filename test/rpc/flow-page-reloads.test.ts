import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freshEmail, goodPassword, register } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { Browser } from "../support/browser.ts";
import { administer } from "../support/postgres.ts";

// What a server-rendered page does: it posts a form, redirects to itself, and draws the flow by its id.

const secretPassword = "never to be kept 4711";
const schema = {
  type: "object",
  required: ["email"],
  properties: {
    email: {
      type: "string",
      format: "email",
      ostiary: { identifier: "email", verifiable: "email", recovery: "email" },
    },
    nickname: { type: "string", minLength: 3 },
    pin: { type: "string", writeOnly: true },
    inner: { type: "object", properties: { answer: { type: "string", writeOnly: true } } },
    devices: {
      type: "array",
      items: {
        type: "object",
        properties: { name: { type: "string" }, key: { type: "string", writeOnly: true } },
      },
    },
  },
};

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp({
    config: {
      tenant_defaults: {
        identity: { default_schema: "p", schemas: [{ id: "p", document: schema }] },
      },
    },
  });
});
afterAll(() => app.stop());

const flowPath = "/ostiary.flow.v1";

interface DrawnNode {
  readonly name: string;
  readonly messages?: readonly { readonly id: number }[];
  readonly input?: { readonly value?: unknown };
}

/** A flow of a browser, its submits, and the page as it is loaded again. */
async function begin(
  kind: "Login" | "Registration" | "Recovery" | "Verification" | "Settings",
  browser: Browser,
) {
  const path = `${flowPath}.${kind}Service`;
  const created = await browser.post(`${path}/Create${kind}Flow`, { client: "CLIENT_KIND_BROWSER" });
  const { flow } = created.body;
  return {
    id: flow.id as string,
    submit: async (fields: object) =>
      (
        await browser.post(`${path}/Submit${kind}Flow`, {
          flowId: flow.id,
          csrfToken: flow.csrfToken,
          ...fields,
        })
      ).body,
    reload: async () =>
      (await browser.post(`${flowPath}.FlowService/GetFlow`, { flowId: flow.id })).body.flow,
  };
}

const shownValue = (flow: { form: { nodes: readonly DrawnNode[] } }, name: string) =>
  flow.form.nodes.find((node) => node.name === name)?.input?.value;

/** Everything that is stored of flows, sealed or not. */
const stored = () =>
  administer(app.databaseUrl, (query) =>
    query<{ kept: string | null; everything: string }>(
      "SELECT kept, f::text AS everything FROM ostiary.flow f ORDER BY created_at",
      [],
    ),
  );

describe("a page that is loaded again after a submit that was not accepted", () => {
  test("shows what the submit was answered, and what was typed but for secrets: login", async () => {
    const page = await begin("Login", new Browser(app.publicUrl, app.localUrl));
    const email = freshEmail();
    const answered = await page.submit({ identifier: email, password: { password: secretPassword } });
    expect(answered.rejected.reason).toBe("REJECTION_REASON_CREDENTIALS_INVALID");
    const drawn = await page.reload();
    expect(drawn.form).toEqual(answered.flow.form);
    expect(shownValue(drawn, "identifier")).toBe(email);
    expect(JSON.stringify(drawn)).not.toContain(secretPassword);
    // At rest it is sealed.
    const rows = await stored();
    expect(rows.at(-1)?.kept).toBeTruthy();
    expect(rows.at(-1)?.everything).not.toContain(email);
  });

  test.each([
    ["Recovery", " "],
    ["Verification", "no address"],
  ] as const)("the address: %s", async (kind, address) => {
    const page = await begin(kind, new Browser(app.publicUrl, app.localUrl));
    const answered = await page.submit({ address, sendCode: {} });
    expect(answered.rejected).toBeDefined();
    expect((await page.reload()).form).toEqual(answered.flow.form);
  });

  test("the traits, but for those that are only written, until the next step is taken: registration", async () => {
    const page = await begin("Registration", new Browser(app.publicUrl, app.localUrl));
    const traits = {
      ...{ email: freshEmail(), nickname: "x", pin: "pin-0815", inner: { answer: "answer-0815" } },
      devices: [{ name: "telephone", key: "key-0815" }],
    };
    const answered = await page.submit({ traits, password: { password: secretPassword } });
    expect(answered.rejected.reason).toBe("REJECTION_REASON_TRAITS_INVALID");
    const drawn = await page.reload();
    expect([shownValue(drawn, "traits.email"), shownValue(drawn, "traits.nickname")]).toEqual([
      traits.email,
      "x",
    ]);
    expect(drawn.form.nodes.find(({ name }: DrawnNode) => name === "traits.nickname").messages).toHaveLength(
      1,
    );
    const text = JSON.stringify(drawn);
    expect(text).toContain("telephone");
    for (const secret of [secretPassword, "pin-0815", "answer-0815", "key-0815"]) {
      expect(text).not.toContain(secret);
    }

    const asked = await page.submit({ traits: { ...traits, nickname: "Ada" }, sendCode: {} });
    expect(asked.nextStep).toBeDefined();
    expect((await page.reload()).form).toEqual(asked.flow.form);
    expect((await stored()).at(-1)?.kept).toBeNull();
  });

  test("settings: what was typed beside what is saved, then that it was saved", async () => {
    const browser = new Browser(app.publicUrl, app.localUrl);
    const { email } = await register(app);
    const login = await begin("Login", browser);
    expect(
      (await login.submit({ identifier: email, password: { password: goodPassword } })).completed,
    ).toBeDefined();
    const page = await begin("Settings", browser);
    const answered = await page.submit({ traits: { nickname: "x" }, profile: {} });
    expect(answered.rejected).toBeDefined();
    expect((await page.reload()).form).toEqual(answered.flow.form);
    const saved = await page.submit({ traits: { nickname: "Ada" }, profile: {} });
    expect(saved.saved).toBeDefined();
    expect((await page.reload()).form).toEqual(saved.flow.form);
    expect(saved.flow.form.messages[0].text).toContain("saved");
    // Another page of the same account begins with neither.
    expect((await begin("Settings", browser).then(({ reload }) => reload())).form.messages ?? []).toEqual([]);
  });

  test("a wrong code is not shown again", async () => {
    const page = await begin("Recovery", new Browser(app.publicUrl, app.localUrl));
    await page.submit({ address: freshEmail(), sendCode: {} });
    const answered = await page.submit({ code: { code: "918273" } });
    expect(answered.rejected.reason).toBe("REJECTION_REASON_CODE_INVALID");
    const drawn = await page.reload();
    expect(drawn.form).toEqual(answered.flow.form);
    expect(JSON.stringify(drawn)).not.toContain("918273");
  });
});

test("a native flow keeps nothing: its id is all that anybody needs to see it", async () => {
  const path = `${flowPath}.LoginService`;
  const app2 = new Browser(app.publicUrl, app.localUrl);
  const { flow } = (await app2.post(`${path}/CreateLoginFlow`, { client: "CLIENT_KIND_NATIVE" })).body;
  const submission = { flowId: flow.id, identifier: freshEmail(), password: { password: secretPassword } };
  expect((await app2.post(`${path}/SubmitLoginFlow`, submission)).body.rejected).toBeDefined();
  const found = (await app2.post(`${flowPath}.FlowService/GetFlow`, { flowId: flow.id })).body.flow;
  expect(found.form).toEqual(flow.form);
  expect((await stored()).at(-1)?.kept).toBeNull();
});
