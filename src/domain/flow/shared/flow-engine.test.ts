import { describe, expect, test } from "vitest";
import { appUrl, inShort, rejected, TestFlows } from "../../../../test/support/flows.ts";
import { Elsewhere, KnowsSecret } from "../../../../test/support/methods.ts";
import { aCredential } from "../../../../test/support/records.ts";
import { domainError } from "../../errors.ts";
import { never } from "../../instant.ts";
import { Secret } from "../../secret.ts";
import type { TenantSettings } from "../../tenant/tenant.ts";
import type { FlowCaller, FlowRecord } from "./flow.ts";
import { FlowAccess } from "./flow-access.ts";
import { FlowEngine } from "./flow-engine.ts";
import type { FlowView } from "./flow-view.ts";
import type { FlowTable, KindTypes, StepResult, StepRule } from "./table.ts";

const email = "ada@example.com";
const password = "correct horse battery";
const lifetimeMs = 3_600_000;
const beginning = { client: "native", returnTo: "", purpose: "sign_in", linkToken: "" } as const;

/** A login of Ada that was begun, of an app or of a browser. */
async function begun(
  client: "native" | "browser" = "native",
  change: Partial<FlowCaller> = {},
  settings: Partial<TenantSettings> = {},
) {
  const flows = await TestFlows.make(settings);
  await flows.person({}, password);
  const created = await flows.flows.login.create(flows.caller(change), { ...beginning, client });
  flows.id = created.flow.id.reveal();
  return { flows, created };
}

/** A login of a browser, with the calls of that browser and the token of its form. */
async function inBrowser() {
  const { flows, created } = await begun("browser");
  const browserToken = created.newBrowserToken?.reveal() ?? "";
  const csrfToken = created.flow.csrfToken?.reveal() ?? "";
  const caller = flows.caller({ browserToken });
  const signIn = (given: string, sent = { csrfToken, identifier: email }) =>
    flows.submit("password", { password: given }, sent, caller);
  return { flows, browserToken, csrfToken, caller, signIn };
}

function stored({ flow }: TestFlows): FlowRecord {
  if (flow === undefined) throw new Error("there is no flow");
  return flow;
}

const read = (flow: FlowRecord | undefined) =>
  ({ flow, identity: undefined, credentials: [] }) as Parameters<TestFlows["flows"]["login"]["show"]>[2];
const refuse = () => {
  throw domainError("ORIGIN_NOT_ALLOWED", { origin: "https://evil.example" });
};

describe("a flow that begins", () => {
  test("of an app is bound to nothing but its id", async () => {
    const { flows, created } = await begun();
    const now = flows.clock.now();
    expect(stored(flows)).toMatchObject({
      client: "native",
      state: "active",
      createdAt: now,
      expiresAt: new Date(now.getTime() + lifetimeMs),
      browserDigest: undefined,
      identityId: undefined,
      revision: 0,
      challenge: undefined,
      data: { language: "", purpose: { kind: "sign_in" }, state: { at: "choose_method" } },
    });
    expect(stored(flows).data.clientData).toBeUndefined();
    expect(created.newBrowserToken).toBeUndefined();
    expect(created.flow).toMatchObject({
      kind: "login",
      client: "native",
      state: "active",
      csrfToken: undefined,
      account: undefined,
      traitsEtag: undefined,
    });
    const buttons = created.flow.form.nodes.flatMap(({ element }) =>
      element.kind === "button" ? [element.importance] : [],
    );
    expect(buttons).toEqual(["primary", "secondary", "secondary"]);
  });

  test("of a browser is bound to a token that the browser keeps for all its flows", async () => {
    const { flows, created } = await begun("browser");
    const browserToken = created.newBrowserToken?.reveal() ?? "";
    const parsed = flows.tokens.parse("browser", browserToken);
    expect(parsed).toMatchObject({ kind: "valid", digest: stored(flows).browserDigest });
    expect(flows.formTokens.matches(created.flow.csrfToken?.reveal() ?? "", browserToken, flows.id)).toBe(
      true,
    );
    const second = await flows.flows.login.create(flows.caller({ browserToken }), {
      ...beginning,
      client: "browser",
    });
    expect(second.newBrowserToken).toBeUndefined();
    expect(second.flow.csrfToken).toBeDefined();
    expect(flows.last("create").flow.browserDigest).toEqual(stored(flows).browserDigest);
  });

  test.each([
    ["is none", () => "ost_brw_nothing"],
    ["is of another kind", (flows: TestFlows) => flows.tokens.issue("flow", "default").token.reveal()],
    ["is another tenant's", (flows: TestFlows) => flows.tokens.issue("browser", "other").token.reveal()],
  ])("of a browser whose token %s gets another one", async (_, tokenOf) => {
    const browserToken = tokenOf(await TestFlows.make());
    const { created } = await begun("browser", { browserToken });
    expect(created.newBrowserToken?.reveal()).toMatch(/^ost_brw_default_/);
    expect(created.newBrowserToken?.reveal()).not.toBe(browserToken);
  });

  // Security rule (SR-FLOW-3): a page goes on with browser flows alone, from an allowed origin.
  test("is refused to a page of elsewhere, and to a page that takes an app's (SR-FLOW-3)", async () => {
    await expect(begun("browser", { assertOriginAllowed: refuse })).rejects.toMatchObject({
      reason: "ORIGIN_NOT_ALLOWED",
    });
    await expect(begun("native", { assertNotFromPage: refuse })).rejects.toMatchObject({
      reason: "ORIGIN_NOT_ALLOWED",
    });
    await expect(begun("browser", { assertNotFromPage: refuse })).resolves.toBeDefined();
    await expect(begun("native", { assertOriginAllowed: refuse })).resolves.toBeDefined();
  });

  test.each([
    ["de-AT,de;q=0.9", "de-at"],
    [" EN", "en"],
    ["zh-Hant-TW-x", "zh-hant-tw"],
    ["deutsch", "deu"],
    ["d", ""],
    ["*", ""],
    ["1de", ""],
    [undefined, ""],
  ])("in the languages %s remembers '%s'", async (languages, language) => {
    const { flows } = await begun("native", { languages });
    expect(stored(flows).data.language).toBe(language);
  });

  test("remembers the data of the client, and where it returns to", async () => {
    const { flows } = await begun();
    const start = { ...beginning, returnTo: appUrl, clientData: { plan: "gold" } };
    const { flow } = await flows.flows.login.create(flows.caller(), start);
    expect(flow.returnTo).toBe(appUrl);
    expect(flows.last("create").flow).toMatchObject({
      returnTo: appUrl,
      data: { clientData: { plan: "gold" } },
    });
    const elsewhere = { ...beginning, returnTo: "https://evil.example/" };
    await expect(flows.flows.login.create(flows.caller(), elsewhere)).rejects.toMatchObject({
      reason: "RETURN_TO_NOT_ALLOWED",
    });
  });
});

describe("the holder of a flow", () => {
  test("of a browser is the browser with its cookie", async () => {
    const { flows, caller, signIn } = await inBrowser();
    expect((await flows.show(caller)).csrfToken).toBeDefined();
    expect(await signIn(password)).toMatchObject({ kind: "completed" });
  });

  // Security rule (SR-FLOW-1): nothing is told before the caller has shown that the flow is theirs, in each state of it.
  test.each<[string, (flow: FlowRecord) => FlowRecord]>([
    ["live", (flow) => flow],
    ["expired", (flow) => ({ ...flow, expiresAt: flow.createdAt })],
    ["completed", (flow) => ({ ...flow, state: "completed" })],
  ])("of a browser is nobody else while the flow is %s (SR-FLOW-1)", async (_, changed) => {
    const { flows, csrfToken } = await inBrowser();
    flows.flow = changed(stored(flows));
    const cases: readonly (readonly [string | undefined, string])[] = [
      [undefined, "browser cookie"],
      ["ost_brw_nothing", "the browser cookie of this flow"],
      [flows.tokens.issue("browser", "default").token.reveal(), "the browser cookie of this flow"],
    ];
    for (const [browserToken, missing] of cases) {
      const stranger = flows.caller({ browserToken });
      const error = { reason: "FLOW_CLIENT_MISMATCH", metadata: { missing } };
      await expect(flows.show(stranger)).rejects.toMatchObject(error);
      const sent = { csrfToken, identifier: email };
      await expect(flows.submit("password", { password }, sent, stranger)).rejects.toMatchObject(error);
    }
    expect(flows.written.map(({ name }) => name)).toEqual(["create"]);
  });

  test("of a browser comes from an allowed origin, and of an app from no page", async () => {
    const { flows, caller } = await inBrowser();
    await expect(flows.show({ ...caller, assertOriginAllowed: refuse })).rejects.toMatchObject({
      reason: "ORIGIN_NOT_ALLOWED",
    });
    const { flows: native } = await begun();
    await expect(native.show(native.caller({ assertNotFromPage: refuse }))).rejects.toMatchObject({
      reason: "ORIGIN_NOT_ALLOWED",
    });
    expect((await native.show()).csrfToken).toBeUndefined();
    // A cookie that happens to come along gives an app no token for a form.
    expect((await native.show(native.caller({ browserToken: "ost_brw_x" }))).csrfToken).toBeUndefined();
  });

  test("of a flow that was bound to no browser is none", async () => {
    const { flows, caller } = await inBrowser();
    for (const browserDigest of [undefined, new Uint8Array(31), new Uint8Array(32)]) {
      flows.flow = { ...stored(flows), browserDigest };
      await expect(flows.show(caller)).rejects.toMatchObject({ reason: "FLOW_CLIENT_MISMATCH" });
    }
  });

  test.each([
    ["is none", () => "ost_flw_nothing"],
    ["is of another kind", (flows: TestFlows) => flows.tokens.issue("link", "default").token.reveal()],
    ["is another tenant's", (flows: TestFlows) => flows.tokens.issue("flow", "other").token.reveal()],
    ["nobody has", (flows: TestFlows) => flows.tokens.issue("flow", "default").token.reveal()],
  ])("does not exist for an id that %s", async (_, idOf) => {
    const { flows } = await begun();
    flows.id = idOf(flows);
    await expect(flows.submit("password", { password })).rejects.toMatchObject({ reason: "FLOW_NOT_FOUND" });
    expect(flows.counted).toEqual([]);
  });
});

test("a flow of another tenant does not exist, also where its id is known", async () => {
  const { flows } = await begun();
  const { token, digest } = flows.tokens.issue("flow", "other");
  flows.flow = { ...stored(flows), digest };
  flows.id = token.reveal();
  await expect(flows.submit("password", { password })).rejects.toMatchObject({ reason: "FLOW_NOT_FOUND" });
});

test("a login that another flow begins is no page's either", async () => {
  const { flows } = await begun();
  const session = { id: "s", identityId: flows.identity?.id } as never;
  const caller = flows.caller({ assertNotFromPage: refuse });
  const start = { client: "native", returnTo: undefined, session } as const;
  await expect(async () => flows.flows.login.createRefresh(caller, start)).rejects.toMatchObject({
    reason: "ORIGIN_NOT_ALLOWED",
  });
});

describe("a form of a browser", () => {
  // Security rule (SR-ORIGIN-1): cookie and form token together show that the form was drawn for this browser (ASVS V3.5.1).
  test("is submitted with its token, which is of this flow and this browser (SR-ORIGIN-1)", async () => {
    const { flows, browserToken, signIn } = await inBrowser();
    const of = (token: string, id: string) => flows.formTokens.make(token, id).reveal();
    const other = flows.tokens.issue("browser", "default").token.reveal();
    const otherFlow = flows.tokens.issue("flow", "default").token.reveal();
    for (const csrfToken of ["x", of(other, flows.id), of(browserToken, otherFlow)]) {
      await expect(signIn(password, { csrfToken, identifier: email })).rejects.toMatchObject({
        reason: "CSRF_TOKEN_INVALID",
      });
    }
    await expect(signIn(password, { csrfToken: "", identifier: email })).rejects.toMatchObject({
      reason: "CSRF_TOKEN_MISSING",
    });
    expect(flows.counted).toEqual([]);
  });

  test("needs none in an app, also if one is sent", async () => {
    const { flows } = await begun();
    const sent = { csrfToken: "x", identifier: email };
    expect(await flows.submit("password", { password }, sent)).toMatchObject({ kind: "completed" });
  });
});

describe("a flow that is over", () => {
  test("is shown without a form, and takes no step", async () => {
    const { flows, caller, signIn } = await inBrowser();
    flows.flow = { ...stored(flows), state: "completed", kept: "x" };
    expect(await flows.show(caller)).toMatchObject({
      state: "completed",
      stage: undefined,
      form: { nodes: [], messages: [] },
      csrfToken: undefined,
      traitsEtag: undefined,
    });
    await expect(signIn(password)).rejects.toMatchObject({ reason: "FLOW_COMPLETED" });
    expect(flows.counted).toEqual([]);
  });

  test("shows nothing of what it kept", async () => {
    const { flows, caller, signIn } = await inBrowser();
    await signIn("wrong");
    flows.flow = { ...stored(flows), state: "completed" };
    expect((await flows.show(caller)).form).toMatchObject({ nodes: [], messages: [] });
  });

  test("is over at the moment at which it ends", async () => {
    const { flows } = await begun();
    flows.clock.advance(lifetimeMs - 1);
    expect((await flows.show()).state).toBe("active");
    flows.clock.advance(1);
    await expect(flows.show()).rejects.toThrow("replaced");
  });
});

describe("a flow in the place of an expired one", () => {
  /** A login that has expired, and what its holder is given in its place. */
  async function expired(change: { readonly replaced?: (round: number) => FlowRecord | undefined } = {}) {
    const { flows } = await begun();
    const old = { ...stored(flows), returnTo: appUrl };
    flows.flow = old;
    flows.clock.advance(lifetimeMs);
    let round = 0;
    const { replaced } = change;
    if (replaced !== undefined) {
      flows.answers = {
        createOnce: async (_scope, flow) => {
          flows.written.push({ name: "createOnce", change: { flow } });
          return replaced(round) === undefined;
        },
        find: async (_scope, _kind, digest) => {
          const found = replaced(round++);
          return found && { ...found, digest };
        },
      };
    }
    return { flows, old };
  }

  test("is the same each time, found by the id of the expired one alone", async () => {
    const { flows, old } = await expired();
    const next = flows.tokens.following("flow", flows.id, "default");
    const outcome = await flows.submit("password", { password }, { identifier: email });
    expect(outcome).toMatchObject({
      kind: "expired",
      replacement: { flow: { state: "active", returnTo: appUrl } },
    });
    expect(outcome.kind === "expired" && outcome.replacement.flow.id.reveal()).toBe(next.token.reveal());
    expect(flows.last("createOnce").flow).toMatchObject({ digest: next.digest, returnTo: appUrl });
    expect(flows.counted).toEqual([]);
    const shown = await flows.flows.login.show(flows.caller(), flows.id, read(old));
    expect(shown.kind === "replaced" && shown.replacement.flow.id.reveal()).toBe(next.token.reveal());
  });

  test("is the one that was made before, as it stands", async () => {
    const { flows, old } = await expired({ replaced: () => later });
    const expiresAt = new Date(flows.clock.now().getTime() + 1);
    const later: FlowRecord = {
      ...old,
      expiresAt,
      data: { purpose: { kind: "sign_in" }, state: { at: "enter_identifier" } },
    };
    const shown = await flows.flows.login.show(flows.caller(), flows.id, read(old));
    if (shown.kind !== "replaced") throw new Error("it was not replaced");
    expect(shown.replacement.flow.stage).toEqual({ kind: "enter_identifier", offers: [] });
    expect(shown.replacement.newBrowserToken).toBeUndefined();
    expect(flows.written.filter(({ name }) => name === "createOnce")).toHaveLength(1);
  });

  test("is refused where it has done already what both were for", async () => {
    const { flows, old } = await expired({ replaced: () => ({ ...old, state: "completed" }) });
    await expect(flows.submit("password", { password }, { identifier: email })).rejects.toMatchObject({
      reason: "FLOW_COMPLETED",
    });
  });

  test("follows those that have expired as well, up to eight", async () => {
    const few = await expired({ replaced: (round) => (round < 2 ? few.old : undefined) });
    const shown = await few.flows.flows.login.show(few.flows.caller(), few.flows.id, read(few.old));
    let id = few.flows.id;
    for (let round = 0; round < 3; round++)
      id = few.flows.tokens.following("flow", id, "default").token.reveal();
    expect(shown.kind === "replaced" && shown.replacement.flow.id.reveal()).toBe(id);
    const all = await expired({ replaced: () => all.old });
    const before = all.flows.written.length;
    const fresh = await all.flows.flows.login.show(all.flows.caller(), all.flows.id, read(all.old));
    expect(fresh).toMatchObject({ kind: "replaced", replacement: { flow: { state: "active" } } });
    expect(all.flows.written.slice(before).map(({ name }) => name)).toEqual([
      ...Array.from({ length: 8 }, () => "createOnce"),
      "create",
    ]);
  });
});

describe("a step", () => {
  test.each(["nothing", "toString", "constructor", "__proto__"])("%s is not on offer", async (step) => {
    const { flows } = await begun();
    await expect(flows.submit(step)).rejects.toMatchObject({
      reason: "STEP_NOT_OFFERED",
      metadata: { step },
    });
  });

  test("is counted by the IP address, the flow, the device and the session that the call shows", async () => {
    const { flows } = await begun();
    const device = flows.tokens.issue("known_device", "default");
    const session = flows.tokens.issue("session", "default");
    const shown = flows.caller({
      shownDevice: (client) => (client === "native" ? device.token.reveal() : undefined),
      shownSession: (client) =>
        client === "native" ? { kind: "session", text: session.token.reveal() } : undefined,
    });
    await flows.submit("password", { password }, { identifier: email }, shown);
    expect(flows.counted.at(-1)).toMatchObject({ devices: [device.digest], session: session.digest });
    expect(flows.isCountedBy("address", "192.0.2.1")).toBe(true);
    expect(flows.isCountedBy("flow", Buffer.from(stored(flows).digest).toString("hex"))).toBe(true);
    expect(flows.isCountedBy("account", email)).toBe(true);
  });

  test("remembers the request and the client's data with it", async () => {
    const { flows } = await begun();
    const request = flows.flows.answers.requestOf("r1", "body");
    const step = { name: "sendCode", fields: {} };
    const submission = {
      flowId: flows.id,
      csrfToken: "",
      identifier: email,
      step,
      request,
      clientData: { a: 1 },
    };
    await flows.flows.login.submit(flows.caller(), submission);
    expect(stored(flows).data).toMatchObject({ requests: [request.id], clientData: { a: 1 } });
    await expect(flows.flows.login.submit(flows.caller(), submission)).rejects.toMatchObject({
      reason: "FLOW_CHANGED",
    });
  });

  test("whose answer is kept gets it again, also once the flow is over", async () => {
    const { flows } = await begun();
    const request = flows.flows.answers.requestOf("r1", "body");
    const bytes = Buffer.from("answer");
    await flows.flows.answers.keep(flows.tenant, flows.id, request, { bytes, session: undefined });
    flows.flow = { ...stored(flows), state: "completed", answer: flows.last("keepAnswer") };
    const step = { name: "password", fields: { password } };
    const submission = { flowId: flows.id, csrfToken: "", identifier: email, step, request };
    expect(await flows.flows.login.submit(flows.caller(), submission)).toMatchObject({
      kind: "answered",
      answer: { bytes, requestId: "r1" },
    });
    expect(flows.counted).toEqual([]);
  });

  test("that another one got ahead of changes nothing", async () => {
    const { flows } = await begun();
    flows.answers = { advance: async () => false };
    await expect(flows.submit("sendCode", {}, { identifier: email })).rejects.toMatchObject({
      reason: "FLOW_CHANGED",
    });
    const sign = () => flows.submit("password", { password }, { identifier: email });
    flows.answers = { completeLogin: async () => "flow_taken" };
    await expect(sign()).rejects.toMatchObject({ reason: "FLOW_CHANGED" });
    const over = { ...stored(flows), state: "completed" } as const;
    flows.answers = { completeLogin: async () => "flow_taken", find: async () => over };
    await expect(sign()).rejects.toMatchObject({ reason: "FLOW_COMPLETED" });
    flows.answers = { completeLogin: async () => "flow_taken", find: async () => undefined };
    await expect(sign()).rejects.toMatchObject({ reason: "FLOW_COMPLETED" });
  });

  test("moves the flow on from the revision that it was read at", async () => {
    const { flows } = await begun();
    flows.flow = { ...stored(flows), revision: 7 };
    await flows.submit("sendCode", {}, { identifier: email });
    expect(flows.last("advance")).toMatchObject({
      held: { digest: stored(flows).digest, revision: 7 },
      consumes: undefined,
      challenge: { kind: "code" },
      messages: [{ recipient: email }],
      events: [],
    });
  });
});

describe("a step after a code or link", () => {
  /** A login of an account with a second factor. */
  async function withSecondFactor() {
    const flows = await TestFlows.make({}, { login: [new KnowsSecret("second", "second")] });
    await flows.person({});
    flows.credentials = [aCredential()];
    flows.put("login", { at: "choose_method" }, {}, { kind: "sign_in" });
    return flows;
  }

  test("moves the flow on from the revision at which the code was counted", async () => {
    const flows = await withSecondFactor();
    await flows.submit("sendCode", {}, { identifier: email });
    const { digest, revision } = stored(flows);
    expect(await flows.submit("code", flows.sent())).toMatchObject({ kind: "next_step" });
    expect(flows.last("advance")).toMatchObject({
      held: { digest, revision: revision + 1 },
      consumes: undefined,
    });
  });

  test("uses up the flow that waited for the link", async () => {
    const flows = await withSecondFactor();
    await flows.submit("sendLink", {}, { identifier: email });
    const waiting = stored(flows);
    await flows.openLink();
    expect(await flows.submit("confirmLink")).toMatchObject({ kind: "next_step" });
    expect(flows.last("advance")).toMatchObject({
      held: { digest: stored(flows).digest, revision: 0 },
      consumes: { digest: waiting.digest, revision: waiting.revision + 1 },
    });
  });
});

test("a step that goes on elsewhere is drawn with a link there, before all else", async () => {
  const flows = await TestFlows.make({}, { login: [new Elsewhere()] });
  flows.put("login", { at: "choose_method" }, {}, { kind: "sign_in" });
  const outcome = await flows.submit("elsewhere");
  const url = "https://elsewhere.example/?state=s1";
  expect(outcome.kind === "redirect" && outcome.flow).toMatchObject({
    stage: { kind: "choose_method" },
    form: {
      messages: [],
    },
  });
  const [anchor, ...others] = outcome.kind === "redirect" ? outcome.flow.form.nodes : [];
  expect(anchor).toMatchObject({ name: "goOn", messages: [], element: { kind: "anchor", url } });
  expect(others[0]).toMatchObject({ name: "identifier" });
});

describe("what a browser's flow keeps of a step that was not accepted", () => {
  test("is shown when the page is loaded again", async () => {
    const { flows, caller, signIn } = await inBrowser();
    await signIn("wrong");
    const shown = inShort(await flows.show(caller));
    expect(shown.nodes[0]).toBe(`identifier: text! = "${email}"`);
    expect(shown.messages).toEqual([expect.stringContaining("details aren't right")]);
    expect(flows.last("keepOutcome")).toMatchObject({
      held: { digest: stored(flows).digest, revision: 0 },
      events: [],
    });
  });

  // Security rule (SR-FLOW-5): no password or code is kept, no write-only trait, and nothing of a native flow.
  test("is the name that was typed, and no secret (SR-FLOW-5)", async () => {
    const { flows, signIn } = await inBrowser();
    await signIn("wrong");
    expect(flows.kept()).toEqual({
      typed: { text: email },
      problems: { fields: [], form: [expect.anything()] },
    });
    expect(flows.last("keepOutcome").kept).not.toContain("wrong");
  });

  test("has no write-only trait (SR-FLOW-5)", async () => {
    const flows = await TestFlows.make();
    flows.put("registration", { at: "fill_form" }, {}, { schemaId: "person" });
    const { caller, csrfToken } = flows.inBrowser();
    const sent = { csrfToken, traits: { email, pin: "1234" } };
    await flows.submit("password", { password: "short" }, sent, caller);
    expect(flows.kept()?.typed).toEqual({ traits: { email } });
  });

  test("is nothing in an app, where only an event is written", async () => {
    const { flows } = await begun();
    await flows.submit("password", { password: "wrong" }, { identifier: email });
    expect(flows.last("keepOutcome")).toBeUndefined();
    expect(flows.last("failedAttempts")).toMatchObject([{ type: "login.failed" }]);
    const { flows: other } = await begun();
    expect(await rejected(other.submit("password", { password }))).toMatchObject({
      reason: "FORM_INCOMPLETE",
    });
    expect(other.last("keepOutcome")).toBeUndefined();
  });

  test("is kept without an event as well", async () => {
    const { flows, signIn, csrfToken } = await inBrowser();
    await signIn(password, { csrfToken, identifier: "" });
    expect(flows.last("keepOutcome")).toMatchObject({ kept: expect.any(String), events: [] });
  });
});

test("after a change of settings the message of it stands before those of the form", async () => {
  const flows = await TestFlows.make();
  const { id } = await flows.person({ schemaId: "person", purgeAt: never });
  flows.put("settings", { at: "change_settings" }, { identityId: id }, { kind: "settings" });
  const { caller: shown, csrfToken } = flows.inBrowser();
  const caller: FlowCaller = { ...flows.signedIn(), browserToken: shown.browserToken };
  await flows.submit("profile", {}, { traits: { name: "Augusta" }, csrfToken }, caller);
  const { kept, data } = flows.last("changeProfile");
  flows.flow = { ...stored(flows), kept, data, revision: 1 };
  flows.identity = flows.identity && { ...flows.identity, purgeAt: new Date("2026-12-24") as never };
  expect((await flows.show(caller)).form.messages.map(({ text }) => text)).toEqual([
    expect.stringContaining("saved"),
    expect.stringContaining("deleted"),
  ]);
});

describe("a table that is not kept to is a mistake of ours", () => {
  interface Types extends KindTypes {
    readonly State: { readonly at: "here" | "there" };
    readonly Done: { readonly kind: "completed" };
  }

  /** Takes the only step of a table. */
  async function take(rule: Partial<StepRule<Types>> & Pick<StepRule<Types>, "take">) {
    const { flows } = await begun();
    const engine = new FlowEngine({
      ...flows,
      access: new FlowAccess(flows),
      flows: { advance: async () => true } as never,
      throttle: { take: async () => undefined } as never,
      failedAttempts: { note: (_scope, events) => events },
      answers: { find: () => undefined },
    });
    const steps = { go: { leadsTo: [], nodes: () => [], ...rule } };
    const facts = () => ({ offers: [] });
    const state = { stage: "enter_identifier" as const, facts, texts: () => ({}), steps };
    const table: FlowTable<Types> = { here: state, there: state };
    const view = {
      kind: "login",
      stage: () => ({ kind: "enter_identifier" }),
      form: () => ({ nodes: [], messages: [] }),
    };
    const flow = { ...stored(flows), data: { purpose: {}, state: { at: "here" } as const } };
    return engine.take<Types>(table, view as unknown as FlowView, {
      ...{ caller: flows.caller(), tenant: flows.tenant, flow, flowId: flows.id, state: flow.data.state },
      step: { name: "go", fields: {} },
    });
  }
  const moved = (at: "here" | "there"): StepResult<Types> => ({
    kind: "moved",
    state: { at },
    identityId: undefined,
  });

  test("a step leads to itself and to what it names", async () => {
    expect(await take({ take: async () => moved("here") })).toMatchObject({ kind: "next_step" });
    expect(await take({ leadsTo: ["there"], take: async () => moved("there") })).toMatchObject({
      kind: "next_step",
    });
    await expect(take({ take: async () => moved("there") })).rejects.toThrow("may not lead to there");
  });

  test("a step completes the flow only if it says so", async () => {
    const done = async () => ({ kind: "completed" }) as const;
    expect(await take({ leadsTo: ["completed"], take: done })).toEqual({ kind: "completed" });
    await expect(take({ leadsTo: ["there"], take: done })).rejects.toThrow("may not lead to completed");
    const changed = async () => ({ kind: "changed" }) as never;
    expect(await take({ take: changed })).toEqual({ kind: "changed" });
  });

  test("a step that waits for a login leads nowhere else", async () => {
    const loginFlow = { flow: { id: new Secret("x") } } as never;
    const waits = async () => ({ kind: "login_first", begin: async () => loginFlow }) as const;
    expect(await take({ take: waits })).toMatchObject({ kind: "login_required", loginFlow });
  });

  test("a step counts only what it says", async () => {
    const counts: StepRule<Types>["take"] = async ({ count }) => {
      await count("login", {});
      return moved("here");
    };
    expect(await take({ limits: ["login"], take: counts })).toMatchObject({ kind: "next_step" });
    await expect(take({ limits: ["code_send"], take: counts })).rejects.toThrow("counts no login");
    await expect(take({ take: counts })).rejects.toThrow("counts no login");
  });

  test("a step that is not on offer is not taken", async () => {
    const rule = { isOffered: () => false, take: async () => moved("here") };
    await expect(take(rule)).rejects.toMatchObject({ reason: "STEP_NOT_OFFERED" });
  });
});
