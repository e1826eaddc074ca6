import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ClientKind } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { FlowService } from "../../gen/ostiary/flow/v1/flow_service_pb.js";
import { LoginService } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { goodPassword, register } from "../support/accounts.ts";
import { protocols, startTestApp, type TestApp } from "../support/app.ts";
import { openSettings, verifiedAccount } from "../support/deletion.ts";
import { refusal } from "../support/errors.ts";
import { countOf } from "../support/postgres.ts";
import { isLive } from "../support/sessions.ts";

const sixteen = Array.from({ length: 16 }, (_, index) => index);
const overAll = (index: number) => protocols[index % protocols.length] ?? "gRPC";
let app: TestApp;

beforeAll(async () => {
  app = await startTestApp();
});
afterAll(() => app.stop());

/** How many of the sessions of these tokens still count. */
const live = async (tokens: readonly string[]) =>
  (await Promise.all(tokens.map((token) => isLive(app, token)))).filter(Boolean).length;

/** What was refused of many calls, by its reason. */
async function reasonsOf(results: readonly PromiseSettledResult<unknown>[]) {
  const reasons: (string | undefined)[] = [];
  for (const result of results) {
    if (result.status === "rejected") reasons.push((await refusal(Promise.reject(result.reason))).reason);
  }
  return reasons;
}

describe("sixteen at once", () => {
  test("look for a flow that has expired: one takes its place, and all get it", async () => {
    const { flow } = await app.client(LoginService).createLoginFlow({ client: ClientKind.NATIVE });
    app.clock.advance(3_600_000);
    const before = await countOf(app.databaseUrl, "flow");
    const found = await Promise.all(
      sixteen.map((index) =>
        app.client(FlowService, { protocol: overAll(index) }).getFlow({ flowId: flow?.id ?? "" }),
      ),
    );
    expect(new Set(found.map((answer) => answer.flow?.id)).size).toBe(1);
    expect((await countOf(app.databaseUrl, "flow")) - before).toBe(1);
  });

  test("submits with one request id: one login, and one token that is alive", async () => {
    const { email } = await register(app);
    const { flow } = await app.client(LoginService).createLoginFlow({ client: ClientKind.NATIVE });
    const submission = {
      ...{ flowId: flow?.id ?? "", identifier: email, requestId: "race" },
      step: { case: "password", value: { password: goodPassword } },
    } as const;
    const submits = () =>
      Promise.allSettled(sixteen.map(() => app.client(LoginService).submitLoginFlow(submission)));
    const results = [...(await submits()), ...(await submits())];
    const answers = results.flatMap((result) => {
      const outcome = result.status === "fulfilled" ? result.value.outcome : undefined;
      return outcome?.case === "completed" ? [outcome.value.signedIn] : [];
    });
    // The one that signed in, and the one that got its answer again: whichever came, before or after all the others.
    expect(answers).toHaveLength(2);
    const allowed = ["FLOW_COMPLETED", "FLOW_CHANGED", "REQUEST_ID_REUSED"];
    for (const reason of await reasonsOf(results)) expect(allowed).toContain(reason);
    expect(new Set(answers.map((signedIn) => signedIn?.session?.id)).size).toBe(1);
    expect(await live(answers.map((signedIn) => signedIn?.sessionToken ?? ""))).toBe(1);
    const sessions = "event WHERE session_id = $1 AND type = 'session.created'";
    expect(await countOf(app.databaseUrl, sessions, [answers[0]?.session?.id])).toBe(1);
  });

  test("submits of a change of settings with one request id: one change", async () => {
    const { email, sessionToken } = await verifiedAccount(app);
    const { client, flow } = await openSettings(app, sessionToken);
    const submission = {
      ...{ flowId: flow.id, requestId: "race" },
      step: { case: "password", value: { password: "another good passphrase" } },
    } as const;
    const submits = () => Promise.allSettled(sixteen.map(() => client.submitSettingsFlow(submission)));
    const results = [...(await submits()), ...(await submits())];
    const saved = results.filter(
      (result) => result.status === "fulfilled" && result.value.outcome.case === "saved",
    );
    expect(saved.length).toBeGreaterThan(16);
    for (const reason of await reasonsOf(results)) expect(reason).toBe("FLOW_CHANGED");
    const notices = (await app.messages(email)).filter(({ template }) => template === "password_changed");
    expect(notices).toHaveLength(1);
  });
});
