import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createTokens } from "../../src/crypto/tokens.ts";
import type { Form } from "../../src/domain/form/form.ts";
import type { Identity } from "../../src/domain/identity/identity.ts";
import type { FlowKind } from "../../src/domain/kinds.ts";
import { FlowServer } from "../support/flow-server.ts";
import { aFlow, aSession, flowData, noon, someSettings } from "../support/records.ts";

/* What a flow does at states that its table allows and few people see. Codes alone: no method is needed. */

const kinds = ["login", "verification", "recovery"] as const;
const pages = { ...someSettings().uiUrls, login: "http://127.0.0.1:4433/ui/login" };
const usual = {
  uiUrls: pages,
  code: { ...someSettings().code, enabledFor: new Set<FlowKind>([...kinds, "settings"]) },
  link: { enabledFor: new Set<FlowKind>(["login"]), lifetimeMs: 600_000 },
};

let server: FlowServer;
let flows: Awaited<ReturnType<FlowServer["flows"]>>;
let identity: Identity;

beforeAll(async () => {
  server = await FlowServer.open(usual);
  flows = await server.flows({});
});
afterAll(() => server.close());
beforeEach(async () => {
  identity = await server.createAccount(undefined);
});
afterEach(() => server.configure(someSettings(usual)));

const email = () => identity.identifiers[0]?.value ?? "";

/** Begins a flow, and submits steps to it as a native client does. */
async function begin(kind: (typeof kinds)[number]) {
  server.clock.advance(1);
  const start = { client: "native", returnTo: "", linkToken: "" } as const;
  const { flow } = await (kind === "login"
    ? flows.login.create(server.caller(), { ...start, purpose: "sign_in" })
    : flows[kind].create(server.caller(), start));
  const flowId = flow.id.reveal();
  const submit = (name: string, fields: Readonly<Record<string, string>> = {}, typed = "") => {
    const common = { flowId, csrfToken: "", deviceToken: "", step: { name, fields } };
    return kind === "login"
      ? flows.login.submit(server.caller(), { ...common, identifier: typed })
      : flows[kind].submit(server.caller(), { ...common, address: typed });
  };
  return { flowId, submit };
}

/** What the form is filled in with, to say whose flow it is. */
const typedIn = ({ nodes }: Form) =>
  nodes.map(({ element }) => ("value" in element ? element.value : undefined)).find((value) => value);

describe.each(kinds)("what was typed into a %s", (kind) => {
  test("is there again after `back`", async () => {
    const { submit } = await begin(kind);
    expect((await submit("sendCode", {}, email())).kind).toBe("next_step");
    const back = await submit("back");
    if (back.kind !== "next_step") throw new Error(`the submit was ${back.kind}`);
    expect(back.flow.stage?.kind).toBe("choose_method");
    expect(typedIn(back.flow.form)).toBe(email());
  });

  test("is there again in the flow that takes the place of an expired one", async () => {
    const { submit } = await begin(kind);
    await submit("sendCode", {}, email());
    server.clock.advance(3_600_000);
    const late = await submit("code", { code: "123456" });
    if (late.kind !== "expired") throw new Error(`the submit was ${late.kind}`);
    expect(typedIn(late.replacement.flow.form)).toBe(email());
  });
});

test("the loser of two submits learns that the flow is completed, if the other one has completed it", async () => {
  const { flowId, submit } = await begin("login");
  await submit("sendCode", {}, email());
  // Read before the other submit, written after it.
  const step = { name: "back", fields: {} };
  const filled = { flowId, csrfToken: "", identifier: "", deviceToken: "", step };
  const digest = createTokens().parse("flow", flowId);
  if (digest.kind !== "valid") throw new Error("the id is no flow's");
  const { storage, scope } = server.database;
  const read = await storage.flows.findForLogin(scope, digest.digest, undefined, undefined);
  expect((await submit("code", { code: await server.codeSentTo(email()) })).kind).toBe("completed");
  const lost = flows.login.submit(server.caller(), filled, read);
  await expect(lost).rejects.toMatchObject({ reason: "FLOW_COMPLETED" });
});

test("a link is not sent again once its page is gone from the configuration", async () => {
  const { flowId, submit } = await begin("login");
  await submit("sendLink", {}, email());
  server.clock.advance(3_600_000 / 6 - 1);
  server.configure({ uiUrls: someSettings().uiUrls });
  const found = await flows.any.get(server.caller(), flowId);
  const { form } = found.kind === "found" ? found.flow : { form: undefined };
  expect(form?.nodes.map(({ name }) => name)).toEqual(["back"]);
  await expect(submit("resend")).rejects.toMatchObject({ reason: "STEP_NOT_OFFERED" });
});

test.each([
  ["recovery", "RECOVERY_DISABLED"],
  ["verification", "VERIFICATION_DISABLED"],
] as const)(
  "an expired %s that an operator began is not replaced by one that nobody may begin",
  async (kind, reason) => {
    const { recovery, verification } = server.tenant.settings;
    server.configure({
      recovery: { ...recovery, enabled: false },
      verification: { ...verification, enabled: false },
    });
    const { storage, scope } = server.database;
    const { token, digest } = createTokens().issue("flow", server.tenant.name);
    const data = flowData({ at: "choose_method" }, { operator: "sends" });
    await storage.flows.create(scope, aFlow(kind, { digest, data, expiresAt: noon }));
    const shown = flows.any.get(server.caller(), token.reveal());
    await expect(shown).rejects.toMatchObject({ reason });
  },
);

test("a change with an identifier of somebody else keeps what was typed, and marks that identifier alone", async () => {
  // Without codes nothing is proven first: the change itself finds out.
  server.configure({ code: { ...usual.code, enabledFor: new Set() } });
  const handle = `h${randomUUID()}`;
  await server.createAccount(undefined, handle);
  const session = aSession(identity.id, { authenticatedAt: server.clock.now() });
  const caller = server.caller({ session, identity });
  const { flow } = await flows.settings.create(caller, { client: "native", returnTo: undefined });
  const outcome = await flows.settings.submit(caller, {
    ...{ flowId: flow.id.reveal(), csrfToken: "", traits: { handle, name: "Ada" }, traitsEtag: "" },
    step: { name: "profile", fields: {} },
  });
  if (outcome.kind !== "rejected") throw new Error(`the submit was ${outcome.kind}`);
  expect(outcome.rejection.reason).toBe("IDENTIFIER_TAKEN");
  const { nodes } = outcome.flow.form;
  const seen = nodes.flatMap(({ name, element, messages }) =>
    name.startsWith("traits.") && "value" in element ? [[name, element.value, messages.length]] : [],
  );
  expect(seen).toEqual([
    ["traits.email", email(), 0],
    ["traits.name", "Ada", 0],
    ["traits.handle", handle, 1],
  ]);
});
