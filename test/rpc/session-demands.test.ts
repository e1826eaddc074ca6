import type { MessageInitShape } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import {
  AddressKind,
  AssuranceLevel,
  type DemandSchema,
  FreshnessClass,
  MethodProperty,
} from "../../gen/ostiary/option/v1/demand_pb.js";
import { SessionAdminService } from "../../gen/ostiary/session/v1/session_admin_service_pb.js";
import { SessionState } from "../../gen/ostiary/session/v1/session_pb.js";
import { SessionService } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { freshEmail, goodPassword, register, sessionTokenOf } from "../support/accounts.ts";
import { type Protocol, protocols, startTestApp, type TestApp } from "../support/app.ts";
import { refusal } from "../support/errors.ts";

type Demand = NonNullable<MessageInitShape<typeof DemandSchema>["demand"]>;

const minuteMs = 60_000;
const strong: Demand = { case: "assuranceLevel", value: AssuranceLevel.AAL2 };
const privileged: Demand = {
  case: "freshness",
  value: { within: { case: "freshnessClass", value: FreshnessClass.PRIVILEGED } },
};
const verified = (kind = AddressKind.UNSPECIFIED): Demand => ({ case: "verifiedAddress", value: { kind } });
const resistant: Demand = { case: "methodProperty", value: MethodProperty.PHISHING_RESISTANT };
const nothingPending: Demand = { case: "noPendingActions", value: {} };
const atLeast = { epoch: 1n, sequence: 1n };

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp({
    config: { tenant_defaults: { flows: { settings: { privileged_for: "15m" } } } },
  });
});
afterAll(() => app.stop());

/** The token of somebody whose address is verified. */
async function signInVerified(): Promise<string> {
  const email = freshEmail();
  await app.client(IdentityService).createIdentity({
    traits: { email },
    verifiedAddresses: [{ value: email }],
    credentials: { password: { value: { case: "password", value: goodPassword } } },
  });
  return sessionTokenOf(app, email);
}

/** Both ways to ask whether a session meets demands: by a service that was sent its token, and by its holder. */
function checksOf(protocol: Protocol, token: string) {
  const [service, holder] = [
    app.client(SessionService, { protocol }),
    app.client(SessionService, { protocol, bearer: token }),
  ];
  return [
    (...demands: Demand[]) => service.checkSession({ token, demands: demands.map((demand) => ({ demand })) }),
    (...demands: Demand[]) => holder.getCurrentSession({ demands: demands.map((demand) => ({ demand })) }),
  ];
}

describe.each(protocols)("demands over %s", (protocol) => {
  test("that are met let the session through", async () => {
    const token = await signInVerified();
    for (const check of checksOf(protocol, token)) {
      const { session } = await check(privileged, verified(AddressKind.EMAIL), nothingPending);
      expect(session?.state).toBe(SessionState.ACTIVE);
    }
  });

  test("that are not met are named", async () => {
    const { sessionToken } = await register(app);
    const told = { code: "Unauthenticated" };
    for (const check of checksOf(protocol, sessionToken)) {
      expect(await refusal(check(strong))).toMatchObject({
        ...told,
        reason: "SESSION_ASSURANCE_TOO_LOW",
        metadata: { required: "aal2", actual: "aal1" },
      });
      expect(await refusal(check(nothingPending, resistant))).toMatchObject({
        ...told,
        reason: "SESSION_METHOD_INSUFFICIENT",
        metadata: { property: "phishing_resistant" },
      });
      expect(await refusal(check(verified()))).toMatchObject({
        ...told,
        reason: "SESSION_ADDRESS_UNVERIFIED",
        metadata: { kind: "any" },
      });
    }
    const verifiedToken = await signInVerified();
    for (const check of checksOf(protocol, verifiedToken)) {
      expect(await refusal(check(verified(AddressKind.PHONE)))).toMatchObject({
        reason: "SESSION_ADDRESS_UNVERIFIED",
        metadata: { kind: "phone" },
      });
    }
  });

  test("for a fresh login hold for as long as the configuration lets secrets be changed", async () => {
    const { sessionToken } = await register(app);
    app.clock.advance(15 * minuteMs);
    for (const check of checksOf(protocol, sessionToken)) await check(privileged);
    app.clock.advance(1);
    for (const check of checksOf(protocol, sessionToken)) {
      expect(await refusal(check(privileged))).toMatchObject({
        reason: "SESSION_AUTHENTICATION_TOO_OLD",
        metadata: { maxAgeSeconds: "900" },
      });
    }
  });

  test("that say nothing, or are more than ten, are refused", async () => {
    const { sessionToken } = await register(app);
    for (const check of checksOf(protocol, sessionToken)) {
      expect(await refusal(check({ case: undefined }))).toMatchObject({
        reason: "REQUEST_INVALID",
        fields: ["demands.0.demand"],
      });
      const eleven = Array.from({ length: 11 }, () => nothingPending);
      expect(await refusal(check(...eleven))).toMatchObject({
        reason: "REQUEST_INVALID",
        fields: ["demands"],
      });
    }
  });
});

describe.each(protocols)("what nothing serves yet, over %s", (protocol) => {
  const off = (field: string) => ({ code: "FailedPrecondition", reason: "FEATURE_OFF", metadata: { field } });

  test("is refused and not ignored: a position to read from", async () => {
    const { session, sessionToken } = await register(app);
    const holder = app.client(SessionService, { protocol, bearer: sessionToken });
    const admin = app.client(SessionAdminService, { protocol });
    const sessionId = session?.id ?? "";
    for (const call of [
      () => admin.listSessions({ atLeast }),
      () => admin.getSession({ sessionId, atLeast }),
      () => holder.listOwnSessions({ atLeast }),
    ]) {
      expect(await refusal(call())).toMatchObject(off("atLeast"));
    }
  });
});

test("a session says whether it is active, has expired or was revoked", async () => {
  const admin = app.client(SessionAdminService);
  const { session, email } = await register(app);
  const stateOf = async () => (await admin.getSession({ sessionId: session?.id ?? "" })).session?.state;
  expect(await stateOf()).toBe(SessionState.ACTIVE);
  app.clock.advance(24 * 60 * minuteMs);
  expect(await stateOf()).toBe(SessionState.EXPIRED);
  const token = await sessionTokenOf(app, email);
  const { session: second } = await app.client(SessionService).checkSession({ token });
  await admin.revokeSession({ sessionId: second?.id ?? "" });
  const { sessions } = await admin.listSessions({ identityId: session?.identityId ?? "" });
  expect(sessions.map(({ state }) => state)).toEqual([SessionState.REVOKED, SessionState.EXPIRED]);
});
