import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { afterEach, describe, expect, test } from "vitest";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.js";
import { AssuranceLevel, DemandSchema, FreshnessClass } from "../../gen/ostiary/option/v1/demand_pb.js";
import { SessionFeedService as FeedContract } from "../../gen/ostiary/session/v1/session_feed_service_pb.js";
import { SessionService } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { accessRuleOf } from "../../src/transport/rpc/access-rule.ts";
import { callOf } from "../../src/transport/rpc/call.ts";
import { demandingService } from "./contract-variants.ts";
import {
  detailOf,
  errorOf,
  goodCookie,
  goodToken,
  protocols,
  type Running,
  sessionClient,
  startListener,
  transportOf,
} from "./harness.ts";

type Demand = NonNullable<MessageInitShape<typeof DemandSchema>["demand"]>;

// The session of the harness: signed in by one factor, on 2026-01-02 at 03:04:05 UTC.
const anHourLater = new Date("2026-01-02T04:04:05Z");
const within = (seconds: bigint): Demand => ({
  case: "freshness",
  value: { within: { case: "maxAge", value: { seconds } } },
});
const privileged: Demand = {
  case: "freshness",
  value: { within: { case: "freshnessClass", value: FreshnessClass.PRIVILEGED } },
};

let running: Running | undefined;
afterEach(async () => {
  await running?.close();
  running = undefined;
});

/** SessionService of which each method demands this of the caller's session; its calls are counted. */
async function startDemanding(now: Date, ...demands: Demand[]) {
  let calls = 0;
  const declared = demands.map((demand) => create(DemandSchema, { demand }));
  const implementation = {
    getCurrentSession: (_request: object, context: Parameters<typeof callOf>[0]) => {
      calls++;
      const { caller } = callOf(context);
      return { session: { id: caller.kind === "session" ? caller.session.id : "" } };
    },
    revokeOwnSession: () => {
      calls++;
      return {};
    },
  };
  const service = demandingService(SessionService, declared);
  running = await startListener({ services: [{ service, implementation }], clock: { now: () => now } });
  return { baseUrl: running.baseUrl, callCount: () => calls };
}

// Security rule (SR-SESSION-5): what a method demands of a session is looked at before its request is read.
describe.each(protocols)("a method that makes demands, over %s", (protocol) => {
  test.each<[string, Record<string, string>]>([
    ["bearer token", { authorization: `Bearer ${goodToken}` }],
    ["cookie", { cookie: `ostiary_session=${goodCookie}` }],
  ])("serves the holder of a %s whose session meets them", async (_name, headers) => {
    const assurance: Demand = { case: "assuranceLevel", value: AssuranceLevel.AAL1 };
    const { baseUrl } = await startDemanding(anHourLater, assurance, within(3600n), privileged);
    const { session } = await sessionClient(protocol, baseUrl, headers).getCurrentSession({});
    expect(session?.id).toBe("01890000-0000-7000-8000-000000000002");
  });

  test.each<[string, Demand[], string, Record<string, string>]>([
    [
      "the level of assurance",
      [{ case: "assuranceLevel", value: AssuranceLevel.AAL2 }],
      "SESSION_ASSURANCE_TOO_LOW",
      { required: "aal2", actual: "aal1" },
    ],
    ["the age", [within(3599n)], "SESSION_AUTHENTICATION_TOO_OLD", { maxAgeSeconds: "3599" }],
    [
      "one of several",
      [within(3600n), { case: "verifiedAddress", value: {} }],
      "SESSION_ADDRESS_UNVERIFIED",
      { kind: "any" },
    ],
  ])("refuses a session for %s, even if the request is wrong", async (_name, demands, reason, metadata) => {
    const { baseUrl, callCount } = await startDemanding(anHourLater, ...demands);
    const client = sessionClient(protocol, baseUrl, { authorization: `Bearer ${goodToken}` });
    for (const call of [client.getCurrentSession({}), client.revokeOwnSession({ sessionId: "no uuid" })]) {
      expect(detailOf(await errorOf(call), ErrorInfoSchema)).toMatchObject({ reason, metadata });
    }
    expect(callCount()).toBe(0);
  });

  test("is refused as every session, where there is none", async () => {
    const { baseUrl } = await startDemanding(anHourLater, within(3600n));
    const error = await errorOf(sessionClient(protocol, baseUrl).getCurrentSession({}));
    expect(detailOf(error, ErrorInfoSchema)?.reason).toBe("SESSION_CREDENTIAL_MISSING");
  });

  test("can be called by nobody if a demand is empty, or newer than the server", async () => {
    const { baseUrl } = await startDemanding(anHourLater, within(3600n), { case: undefined });
    const client = sessionClient(protocol, baseUrl, { authorization: `Bearer ${goodToken}` });
    const error = await errorOf(client.getCurrentSession({}));
    expect(detailOf(error, ErrorInfoSchema)?.reason).toBe("ACCESS_UNDECLARED");
  });

  test("opens no stream for a session that does not meet them", async () => {
    const demand = create(DemandSchema, { demand: within(3599n) });
    running = await startListener({
      services: [
        { service: demandingService(FeedContract, [demand]), implementation: { async *watchSessions() {} } },
      ],
      clock: { now: () => anHourLater },
    });
    const authorization = `Bearer ${goodToken}`;
    const client = createClient(FeedContract, transportOf(protocol, running.baseUrl, { authorization }));
    const error = await errorOf(client.watchSessions({})[Symbol.asyncIterator]().next());
    expect(detailOf(error, ErrorInfoSchema)?.reason).toBe("SESSION_AUTHENTICATION_TOO_OLD");
  });
});

test.each<[string, Demand]>([
  ["a level that is none", { case: "assuranceLevel", value: AssuranceLevel.UNSPECIFIED }],
  ["a level that is newer", { case: "assuranceLevel", value: 9 as AssuranceLevel }],
  ["a property that is newer", { case: "methodProperty", value: 9 as never }],
  ["freshness without a span", { case: "freshness", value: {} }],
  [
    "a class of freshness that is newer",
    { case: "freshness", value: { within: { case: "freshnessClass", value: 9 as never } } },
  ],
  ["an address of a newer kind", { case: "verifiedAddress", value: { kind: 9 as never } }],
])("the rule of a method that demands %s is that nobody may call it", (_name, demand) => {
  const [method] = demandingService(SessionService, [create(DemandSchema, { demand })]).methods;
  expect(method && accessRuleOf(method)).toEqual({ kind: "undeclared" });
});
