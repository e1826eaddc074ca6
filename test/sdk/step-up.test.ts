import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ClientKind } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { createOstiary, reasonOf, stepUp } from "../../sdk/typescript/src/index.ts";
import { requireSession, type SessionRefusedError } from "../../sdk/typescript/src/server.ts";
import { goodPassword, logIn, register } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { setUpTotp } from "../support/factors.ts";

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp();
});
afterAll(() => app.stop());

const native = { client: ClientKind.NATIVE };

/** The refusal of a guard, of a request with a session's token. */
async function refusedBy(
  rules: { readonly assuranceLevel?: "aal2"; readonly maxAge?: "1m"; readonly verifiedAddress?: "any" },
  token: string,
) {
  const guard = requireSession({ baseUrl: app.localUrl, ...rules });
  const request = new Request("http://127.0.0.1/", { headers: { authorization: `Bearer ${token}` } });
  return guard.check(request).then(
    () => undefined,
    (error: SessionRefusedError) => error,
  );
}

describe("stepUp", () => {
  test("leads from the refusal of a guard to a session that it lets through", async () => {
    const account = await register(app);
    const weak = await logIn(app, account.email);
    const token = (weak.case === "completed" && weak.value.signedIn?.sessionToken) || "";
    const { device } = await setUpTotp(app, account);
    app.clock.advance(30_000);
    const rules = { assuranceLevel: "aal2" } as const;
    const refusal = await refusedBy(rules, token);
    const ostiary = createOstiary({ baseUrl: app.localUrl, token });
    // As the error itself, as its JSON, and as the error of a Connect service behind the guard.
    for (const shown of [refusal, JSON.parse(JSON.stringify(refusal?.toBody())), refusal?.toConnectError()]) {
      const flow = await stepUp(ostiary, shown, native);
      expect(flow?.stage).toMatchObject({ case: "chooseMethod", value: { secondFactor: true } });
    }
    const flow = await stepUp(ostiary, refusal, native);
    const step = { case: "totp", value: { code: device.code() } } as const;
    const { outcome } = await ostiary.login.submitLoginFlow({ flowId: flow?.id ?? "", step });
    const strong = (outcome.case === "completed" && outcome.value.signedIn?.sessionToken) || "";
    expect(await refusedBy(rules, strong)).toBeUndefined();
  });

  test("asks for a fresh proof where the last one is too old", async () => {
    const { sessionToken } = await register(app);
    app.clock.advance(120_000);
    const ostiary = createOstiary({ baseUrl: app.localUrl, token: sessionToken });
    const rules = { maxAge: "1m" } as const;
    const flow = await stepUp(ostiary, await refusedBy(rules, sessionToken), native);
    expect(flow?.form?.nodes.map(({ name }) => name)).toContain("password.password");
    const step = { case: "password", value: { password: goodPassword } } as const;
    const { outcome } = await ostiary.login.submitLoginFlow({ flowId: flow?.id ?? "", step });
    const fresh = (outcome.case === "completed" && outcome.value.signedIn?.sessionToken) || "";
    expect(await refusedBy(rules, fresh)).toBeUndefined();
  });

  test("begins nothing where no login helps, and says so where the account cannot show it", async () => {
    const { sessionToken } = await register(app);
    const ostiary = createOstiary({ baseUrl: app.localUrl, token: sessionToken });
    const others = [
      await refusedBy({}, "ost_ses_default_x"),
      await refusedBy({ verifiedAddress: "any" }, sessionToken),
      new Error("down"),
      undefined,
    ];
    for (const other of others) expect(await stepUp(ostiary, other, native)).toBeUndefined();
    const refusal = await refusedBy({ assuranceLevel: "aal2" }, sessionToken);
    const impossible = await stepUp(ostiary, refusal, native).catch((error: unknown) => reasonOf(error));
    expect(impossible).toBe("STEP_UP_IMPOSSIBLE");
  });
});
