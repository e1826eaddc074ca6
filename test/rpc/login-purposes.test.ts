import { afterAll, beforeAll, expect, test } from "vitest";
import { ClientKind } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { LoginPurpose, LoginService } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import {
  AddressKind,
  AssuranceLevel,
  FreshnessClass,
  MethodProperty,
} from "../../gen/ostiary/option/v1/demand_pb.js";
import { SessionService } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { goodPassword, register } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { verifiedAccount } from "../support/deletion.ts";
import { refusal } from "../support/errors.ts";

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp();
});
afterAll(() => app.stop());

const native = { client: ClientKind.NATIVE } as const;
const fresh = {
  demand: {
    case: "freshness",
    value: { within: { case: "freshnessClass", value: FreshnessClass.PRIVILEGED } },
  },
} as const;
const aal = (value: AssuranceLevel) => ({ demand: { case: "assuranceLevel", value } }) as const;

test.each([
  ["refresh", { purpose: LoginPurpose.REFRESH }],
  ["step up", { purpose: LoginPurpose.STEP_UP, demands: [fresh, aal(AssuranceLevel.AAL1)] }],
])(
  "a login to %s is for the holder of the session alone, and its session replaces theirs",
  async (_, start) => {
    const [own, other] = [await register(app), await register(app)];
    app.clock.advance(60_000);
    expect((await refusal(app.client(LoginService).createLoginFlow({ ...native, ...start }))).reason).toBe(
      "SESSION_CREDENTIAL_MISSING",
    );
    const client = app.client(LoginService, { bearer: own.sessionToken });
    const { flow } = await client.createLoginFlow({ ...native, ...start });
    const submit = (identifier: string) =>
      client.submitLoginFlow({
        ...{ flowId: flow?.id ?? "", identifier },
        step: { case: "password", value: { password: goodPassword } },
      });
    expect((await submit(other.email)).outcome.case).toBe("rejected");
    const { outcome } = await submit(own.email);
    expect(outcome).toMatchObject({
      case: "completed",
      value: { signedIn: { identity: { id: own.identity?.id } } },
    });
    const check = app.client(SessionService).checkSession({ token: own.sessionToken });
    expect((await refusal(check)).reason).toBe("SESSION_REVOKED");
  },
);

test("what no login here can show is refused before anybody is led through one", async () => {
  const unverified = app.client(LoginService, { bearer: (await register(app)).sessionToken });
  const stepUp = (demand: object, client = unverified) =>
    client.createLoginFlow({ ...native, purpose: LoginPurpose.STEP_UP, demands: [{ demand } as never] });
  const address = { case: "verifiedAddress", value: { kind: AddressKind.EMAIL } };
  const impossible: [object, string][] = [
    [aal(AssuranceLevel.AAL2).demand, "assuranceLevel"],
    [{ case: "methodProperty", value: MethodProperty.PHISHING_RESISTANT }, "methodProperty"],
    [address, "verifiedAddress"],
  ];
  for (const [demand, name] of impossible) {
    expect(await refusal(stepUp(demand))).toMatchObject({
      ...{ reason: "STEP_UP_IMPOSSIBLE", code: "FailedPrecondition", metadata: { demand: name } },
    });
  }
  const verified = app.client(LoginService, { bearer: (await verifiedAccount(app)).sessionToken });
  expect((await stepUp(address, verified)).flow).toBeDefined();
});

test("demands are for a login to step up, and that needs at least one", async () => {
  const client = app.client(LoginService, { bearer: (await register(app)).sessionToken });
  for (const start of [
    { purpose: LoginPurpose.STEP_UP },
    { purpose: LoginPurpose.REFRESH, demands: [fresh] },
    { demands: [fresh] },
    { purpose: 17 as LoginPurpose },
    { purpose: LoginPurpose.STEP_UP, demands: [{}] },
  ]) {
    expect((await refusal(client.createLoginFlow({ ...native, ...start }))).reason).toBe("REQUEST_INVALID");
  }
  for (const purpose of [LoginPurpose.UNSPECIFIED, LoginPurpose.SIGN_IN]) {
    expect((await client.createLoginFlow({ ...native, purpose })).flow).toBeDefined();
  }
});
