import { afterEach, describe, expect, test } from "vitest";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { SessionFeedService } from "../../gen/ostiary/session/v1/session_feed_service_pb.js";
import { domainError } from "../../src/domain/errors.ts";
import { createBudgets, defaultBudgets } from "../../src/transport/budgets.ts";
import { envelope } from "./frames.ts";
import { type Running, startListener, testTenant, unknownKey } from "./harness.ts";

// Security rule (SR-ACCESS-1): the order of the pipeline (src/transport/rpc/pipeline.ts), for unary calls and streams alike.

let running: Running;
afterEach(() => running.close());

/** The steps that can refuse a call with an API key, in their order, and with what. */
const steps = [
  ["authenticate", "API_KEY_UNKNOWN"],
  ["authorize", "API_KEY_SCOPE_MISSING"],
  ["budget", "SERVER_OVERLOADED"],
  ["read", "REQUEST_MALFORMED"],
  ["validate", "REQUEST_INVALID"],
  ["handler", "FEATURE_OFF"],
] as const;

const fails = (): never => {
  throw domainError("FEATURE_OFF", { field: "handler" });
};

const unary = {
  name: "a unary call",
  path: "/ostiary.identity.v1.IdentityService/GetIdentity",
  type: "application/json",
  services: [{ service: IdentityService, implementation: { getIdentity: fails } }],
  scope: "identity:read",
  valid: '{"identityId":"01890000-0000-7000-8000-000000000001"}',
  invalid: '{"identityId":"x"}',
  body: (text: string) => text,
};
const stream = {
  name: "a stream",
  path: "/ostiary.session.v1.SessionFeedService/WatchSessions",
  type: "application/connect+json",
  services: [{ service: SessionFeedService, implementation: { watchSessions: fails } }],
  scope: "session:watch",
  valid: "{}",
  invalid: '{"identityIds":["x"]}',
  body: (text: string) => new Uint8Array(envelope(0, text)),
};

describe.each([unary, stream])("$name is refused by the first step that has a reason to", (kind) => {
  test.each(steps.map(([step, reason], index) => ({ step, reason, index })))(
    "$step comes before all that follows",
    async ({ reason, index }) => {
      const budgets = createBudgets(defaultBudgets);
      const isWrong = (step: (typeof steps)[number][0]) =>
        steps.findIndex(([name]) => name === step) >= index;
      if (isWrong("budget")) {
        budgets.calls.known.bytes.take("others", defaultBudgets.requestBytes.total, Number.POSITIVE_INFINITY);
        budgets.calls.known.streams.take("others", defaultBudgets.streams.total, Number.POSITIVE_INFINITY);
      }
      const listener = kind === unary ? "admin" : "public";
      running = await startListener({ name: listener, services: kind.services, budgets });
      const grantedKey = `ost_key_${isWrong("authorize") ? "other:scope" : kind.scope}`;
      const text = isWrong("read") ? "{" : isWrong("validate") ? kind.invalid : kind.valid;
      const answer = await fetch(running.baseUrl + kind.path, {
        method: "POST",
        headers: {
          "content-type": kind.type,
          authorization: `Bearer ${isWrong("authenticate") ? unknownKey : grantedKey}`,
        },
        body: kind.body(text),
      });
      expect(/"reason":"(\w+)"/.exec(await answer.text())?.[1]).toBe(reason);
    },
  );
});

test("the limit by client IP comes first", async () => {
  const budgets = createBudgets(defaultBudgets);
  const { throttle } = testTenant().settings;
  const limits = { ...throttle.limits, self_service: { count: 1, periodMs: 3_600_000 } };
  running = await startListener({
    budgets,
    tenant: testTenant({ throttle: { ...throttle, enabled: true, limits } }),
  });
  const logout = async (body: string) => {
    const answer = await fetch(`${running.baseUrl}/ostiary.session.v1.SessionService/Logout`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
    });
    return { retryAfter: answer.headers.get("retry-after"), text: await answer.text() };
  };
  budgets.calls.strangers.bytes.take("others", defaultBudgets.requestBytes.total, Number.POSITIVE_INFINITY);
  expect((await logout("{")).text).toContain("SERVER_OVERLOADED");
  // The first call has used up the limit.
  expect(await logout("{")).toMatchObject({
    retryAfter: "3600",
    text: expect.stringContaining("RATE_LIMITED"),
  });
});
