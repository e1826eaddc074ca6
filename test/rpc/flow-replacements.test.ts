import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ClientKind, FlowKind } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { FlowService } from "../../gen/ostiary/flow/v1/flow_service_pb.js";
import { RecoveryService } from "../../gen/ostiary/flow/v1/recovery_service_pb.js";
import { createTokens } from "../../src/crypto/tokens.ts";
import { register } from "../support/accounts.ts";
import { protocols, startTestApp, type TestApp } from "../support/app.ts";
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
    expect(first.flow?.id).not.toBe(old.id);
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
    expect(later.flow?.id).not.toBe(first.flow?.id);
    expect((await get(first.flow?.id ?? "", bearer)).flow?.id).toBe(later.flow?.id);
  });
});

test("is followed by a bounded number, then by fresh ones, and never by nothing", async () => {
  const { flow } = await app.client(RecoveryService).createRecoveryFlow({ client: ClientKind.NATIVE });
  const seen = new Set<string>();
  for (let count = 0; count < 12; count++) {
    app.clock.advance(2 * hourMs);
    const { flow: next, replaced } = await app.client(FlowService).getFlow({ flowId: flow?.id ?? "" });
    expect(replaced).toBe(true);
    seen.add(next?.id ?? "");
  }
  expect(seen.size).toBe(12);
});

test("after a recovery it is one recovery, and no stranger's cookie or session finds it", async () => {
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
  const get = () => app.client(FlowService).getFlow({ flowId: settings });
  const [one, two] = [await get(), await get()];
  expect(one.flow?.kind).toBe(FlowKind.RECOVERY);
  expect(two.flow?.id).toBe(one.flow?.id);
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
