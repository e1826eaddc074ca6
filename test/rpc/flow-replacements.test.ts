import { toJson } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ClientKind, type Flow, FlowKind, FlowSchema } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { FlowService } from "../../gen/ostiary/flow/v1/flow_service_pb.js";
import { RecoveryService } from "../../gen/ostiary/flow/v1/recovery_service_pb.js";
import { createTokens } from "../../src/crypto/tokens.ts";
import { register } from "../support/accounts.ts";
import { protocols, startTestApp, type TestApp } from "../support/app.ts";
import { Browser } from "../support/browser.ts";
import { verifiedAccount } from "../support/deletion.ts";
import { refusal } from "../support/errors.ts";
import { flowKinds } from "../support/flow-kinds.ts";

const hourMs = 3_600_000;
let app: TestApp;

beforeAll(async () => {
  app = await startTestApp();
});
afterAll(() => app.stop());

describe.each(protocols)("a flow that has expired, over %s", (protocol) => {
  const get = (flowId: string, bearer?: string) =>
    app.client(FlowService, { protocol, ...(bearer && { bearer }) }).getFlow({ flowId });

  test.each(Object.entries(flowKinds))("has one in its place, the same each time: %s", async (name, kind) => {
    const bearer = name === "settings" ? (await register(app)).sessionToken : undefined;
    const shown = { protocol, bearer };
    const old = await kind.create(app, { client: ClientKind.NATIVE }, shown);
    app.clock.advance(hourMs);
    const first = await get(old.id, bearer);
    expect(first.replaced).toBe(true);
    expect(["", undefined, old.id]).not.toContain(first.flow?.id);
    // Its id has the shape of any flow's, with the tenant and the checksum.
    expect(createTokens().parse("flow", first.flow?.id ?? "")).toMatchObject({
      kind: "valid",
      tenantName: "default",
    });
    app.clock.advance(60_000);
    const again = await get(old.id, bearer);
    const submitted = await kind.submit(app, old, shown);
    expect([again.flow?.id, submitted.flow?.id]).toEqual([first.flow?.id, first.flow?.id]);
    expect(submitted.outcome.case).toBe("expired");
    // Once that has expired as well another one takes its place, by whichever of the ids it is asked for.
    app.clock.advance(hourMs);
    const later = await get(old.id, bearer);
    expect(["", undefined, first.flow?.id]).not.toContain(later.flow?.id);
    expect((await get(first.flow?.id ?? "", bearer)).flow?.id).toBe(later.flow?.id);
  });
});

test("is followed by a bounded number, then by fresh ones, and never by nothing", async () => {
  const { flow } = await app.client(RecoveryService).createRecoveryFlow({ client: ClientKind.NATIVE });
  const seen = new Set<string>();
  const get = async () => {
    const { flow: next, replaced } = await app.client(FlowService).getFlow({ flowId: flow?.id ?? "" });
    expect(replaced).toBe(true);
    seen.add(next?.id ?? "");
    return next?.id;
  };
  // How many differ of two that are asked for at the same moment: the last of the eight that are looked for is still the same.
  const differing: number[] = [];
  for (let count = 0; count < 12; count++) {
    app.clock.advance(2 * hourMs);
    differing.push(new Set(await Promise.all([get(), get()])).size);
  }
  expect(differing).toEqual([...Array(8).fill(1), ...Array(4).fill(2)]);
  expect(seen.size).toBe(8 + 2 * 4);
});

test("after a recovery it is one recovery, with any session or none", async () => {
  const { email } = await verifiedAccount(app);
  const recovery = app.client(RecoveryService);
  const { flow } = await recovery.createRecoveryFlow({ client: ClientKind.NATIVE });
  const flowId = flow?.id ?? "";
  await recovery.submitRecoveryFlow({ flowId, address: email, step: { case: "sendCode", value: {} } });
  const { code = "" } = (await app.messages(email)).at(-1) ?? {};
  const { outcome } = await recovery.submitRecoveryFlow({ flowId, step: { case: "code", value: { code } } });
  if (outcome.case !== "completed") throw new Error(`the recovery was ${outcome.case}`);
  const action = outcome.value.continueWith[0]?.action;
  const settings = action?.case === "settings" ? (action.value.flow?.id ?? "") : "";
  app.clock.advance(hourMs);
  const get = (bearer?: string) =>
    app.client(FlowService, bearer === undefined ? {} : { bearer }).getFlow({ flowId: settings });
  const stranger = await register(app);
  const one = await get();
  expect(one.flow?.kind).toBe(FlowKind.RECOVERY);
  // It is found by its id alone, and a session of somebody else's makes it neither theirs nor another one.
  for (const bearer of [undefined, stranger.sessionToken]) {
    const again = await get(bearer);
    expect(again.flow?.id).toBe(one.flow?.id);
    expect(JSON.stringify(toJson(FlowSchema, again.flow as Flow))).not.toContain(stranger.email);
  }
});

// Security rule (SR-FLOW-4): of a browser's recovery no other browser gets anything, its replacement neither.
test("after a recovery in a browser it is that browser's alone", async () => {
  const { email } = await verifiedAccount(app);
  const service = "/ostiary.flow.v1.RecoveryService";
  const browser = new Browser(app.publicUrl, app.localUrl);
  const { flow } = (await browser.post(`${service}/CreateRecoveryFlow`, { client: "CLIENT_KIND_BROWSER" }))
    .body;
  const submit = (step: object) =>
    browser.post(`${service}/SubmitRecoveryFlow`, { flowId: flow.id, csrfToken: flow.csrfToken, ...step });
  await submit({ address: email, sendCode: {} });
  const { code = "" } = (await app.messages(email)).at(-1) ?? {};
  const { completed } = (await submit({ code: { code } })).body;
  const settings = completed.continueWith[0].settings.flow.id;
  app.clock.advance(hourMs);
  const other = new Browser(app.publicUrl, app.localUrl);
  await other.post(`${service}/CreateRecoveryFlow`, { client: "CLIENT_KIND_BROWSER" });
  const get = (by: Browser) => by.post("/ostiary.flow.v1.FlowService/GetFlow", { flowId: settings });
  const strangers = async () => {
    for (const stranger of [other, new Browser(app.publicUrl, app.localUrl)]) {
      expect((await get(stranger)).reason).toBe("FLOW_CLIENT_MISMATCH");
    }
  };
  await strangers();
  const [one, two] = [await get(browser), await get(browser)];
  expect(one.body.flow.kind).toBe("FLOW_KIND_RECOVERY");
  expect(two.body.flow.id).toBe(one.body.flow.id);
  await strangers();
});

test("of a browser is found by its own cookie alone", async () => {
  const cookies: string[] = [];
  const onCookies = (set: readonly string[]) => void cookies.push(...set);
  const old = await flowKinds.login.create(app, { client: ClientKind.BROWSER }, { onCookies });
  app.clock.advance(hourMs);
  const cookie = cookies.join("; ");
  const fresh = await flowKinds.login.get(app, old.id, { headers: { cookie } });
  expect((await flowKinds.login.get(app, old.id, { headers: { cookie } }))?.id).toBe(fresh?.id);
  expect(await refusal(flowKinds.login.get(app, fresh?.id ?? ""))).toMatchObject({
    reason: "FLOW_CLIENT_MISMATCH",
  });
  expect(await refusal(flowKinds.login.get(app, old.id))).toMatchObject({
    reason: "FLOW_CLIENT_MISMATCH",
  });
});
