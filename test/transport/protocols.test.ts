import { once } from "node:events";
import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "../../gen/google/rpc/error_details_pb.js";
import { RemedySchema } from "../../gen/ostiary/error/v1/error_detail_pb.js";
import type { AssuranceLevel } from "../../gen/ostiary/option/v1/demand_pb.js";
import type { SessionView } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { callOf } from "../../src/transport/rpc/call.ts";
import {
  detailOf,
  errorOf,
  goodToken,
  identityClient,
  protocols,
  type Running,
  sessionClient,
  startListener,
} from "./harness.ts";

let running: Running;
beforeAll(async () => {
  running = await startListener();
});
beforeEach(() => {
  running.log.length = 0;
});
afterAll(() => running.close());

function check(protocol: (typeof protocols)[number], value: string, options = {}) {
  return sessionClient(protocol, running.baseUrl).checkSession({ token: value }, options);
}

describe.each(protocols)("a unary call over %s", (protocol) => {
  test("is answered by the service", async () => {
    const response = await check(protocol, "grüße 🔑");
    expect(response.session?.id).toBe("grüße 🔑");
  });

  test("knows who called, from where, and under which request id", async () => {
    const client = sessionClient(protocol, running.baseUrl, {
      authorization: `Bearer ${goodToken}`,
      "user-agent": "test/1",
    });
    const headers = new Headers();
    await client.getCurrentSession(
      {},
      {
        onHeader: (received) => {
          for (const [name, value] of received) headers.set(name, value);
        },
      },
    );
    const context = running.seen.context;
    if (context === undefined) throw new Error("the service was not called");
    const call = callOf(context);
    expect(call.caller).toMatchObject({ kind: "session", credential: "bearer" });
    expect(call.origin).toMatchObject({
      actor: { kind: "identity" },
      ipAddress: "127.0.0.1",
      requestId: call.id,
    });
    expect(headers.get("x-request-id")).toBe(call.id);
    expect(headers.get("cache-control")).toBe("no-store");
    expect(context.requestHeader.get("authorization")).toBe(`Bearer ${goodToken}`);
    expect(context.protocolName).toBe(protocolName(protocol));
    expect(context.url).toBe(`${running.baseUrl}/ostiary.session.v1.SessionService/GetCurrentSession`);
  });

  test("sends several cookies, headers and trailers of the service", async () => {
    const headers = new Headers();
    const trailers = new Headers();
    const collect = (into: Headers) => (from: Headers) => {
      for (const [name, value] of from) into.append(name, value);
    };
    await check(protocol, "cookies", { onHeader: collect(headers), onTrailer: collect(trailers) });
    expect(headers.getSetCookie()).toEqual(["a=1; Path=/", "b=2; Path=/"]);
    expect(headers.get("x-extra")).toBe("header");
    expect(trailers.get("x-after")).toBe("trailer");
  });

  test("fails with code, reason, metadata and remedy", async () => {
    const error = await errorOf(check(protocol, "expired"));
    expect(error.code).toBe(Code.Unauthenticated);
    expect(error.rawMessage).toMatch(/reached its end/);
    expect(detailOf(error, ErrorInfoSchema)).toMatchObject({ reason: "SESSION_EXPIRED", domain: "ostiary" });
    expect(detailOf(error, RemedySchema)?.description).toBe("Log in again.");
  });

  test("says when to try again", async () => {
    const error = await errorOf(check(protocol, "overloaded"));
    expect(error.code).toBe(Code.ResourceExhausted);
    expect(detailOf(error, RetryInfoSchema)?.retryDelay).toMatchObject({ seconds: 1n, nanos: 500_000_000 });
  });

  // Security rule (SR-INPUT-5): what went wrong inside is for the log, never for the caller.
  test("hides what went wrong inside, and logs it once under the request id", async () => {
    const error = await errorOf(check(protocol, "crash"));
    expect(error.code).toBe(Code.Internal);
    expect(error.rawMessage).toBe("internal error");
    const info = detailOf(error, ErrorInfoSchema);
    expect(info?.reason).toBe("INTERNAL");
    expect(JSON.stringify(error)).not.toContain("secret detail");
    const lines = running.log.filter(({ level }) => level === "error");
    expect(lines).toHaveLength(1);
    expect(lines[0]?.fields.requestId).toBe(info?.metadata.requestId);
    expect(String(lines[0]?.fields.err)).toContain("a secret detail of the inside");
  });

  test("takes an error that has no reason of ours for a mistake of the service", async () => {
    const error = await errorOf(check(protocol, "denied"));
    expect(error.code).toBe(Code.Internal);
  });

  test("names each invalid field by its JSON path", async () => {
    const client = sessionClient(protocol, running.baseUrl);
    const error = await errorOf(
      client.checkSession({
        demands: [{ demand: { case: "assuranceLevel", value: 99 as AssuranceLevel } }, {}],
        view: 77 as SessionView,
      }),
    );
    expect(error.code).toBe(Code.InvalidArgument);
    expect(detailOf(error, ErrorInfoSchema)?.reason).toBe("REQUEST_INVALID");
    const fields = detailOf(error, BadRequestSchema)?.fieldViolations.map(({ field }) => field);
    expect(fields?.sort()).toEqual(["demands.0.assuranceLevel", "demands.1.demand", "token", "view"]);
  });

  test("is not served before it is authenticated, and validated only after", async () => {
    const client = sessionClient(protocol, running.baseUrl);
    const calls = running.seen.calls;
    const anonymous = await errorOf(client.revokeOwnSession({ sessionId: "no uuid" }));
    expect(detailOf(anonymous, ErrorInfoSchema)?.reason).toBe("SESSION_CREDENTIAL_MISSING");
    const holder = sessionClient(protocol, running.baseUrl, { authorization: `Bearer ${goodToken}` });
    const invalid = await errorOf(holder.revokeOwnSession({ sessionId: "no uuid" }));
    expect(detailOf(invalid, BadRequestSchema)?.fieldViolations[0]?.field).toBe("sessionId");
    expect(running.seen.calls).toBe(calls);
  });

  test("ends at the caller's deadline, and the service is told", async () => {
    const pending = errorOf(check(protocol, "wait", { timeoutMs: 100 }));
    const { signal } = await nextContext();
    const told = once(signal, "abort");
    const error = await pending;
    expect(error.code).toBe(Code.DeadlineExceeded);
    await told;
  });

  test("stays within what clients take as trailers, however many fields are wrong", async () => {
    const error = await errorOf(check(protocol, "violations"));
    expect(detailOf(error, ErrorInfoSchema)?.reason).toBe("TRAITS_INVALID");
    expect(detailOf(error, BadRequestSchema)?.fieldViolations.length).toBeGreaterThan(5);
    expect(error.metadata.get("grpc-status-details-bin")?.length ?? 0).toBeLessThan(7000);
  });

  test("is refused beyond the limit of the request, by a limit that is named", async () => {
    const error = await errorOf(check(protocol, "x".repeat(17_000)));
    expect(error.code).toBe(Code.ResourceExhausted);
    expect(detailOf(error, ErrorInfoSchema)).toMatchObject({
      reason: "REQUEST_TOO_LARGE",
      metadata: { limitBytes: "16384" },
    });
  });

  test("writes one line to the log, without what was sent", async () => {
    await errorOf(check(protocol, "expired"));
    expect(running.log).toHaveLength(1);
    expect(running.log[0]?.level).toBe("debug");
    expect(running.log[0]?.fields).toMatchObject({
      method: "ostiary.session.v1.SessionService/CheckSession",
      code: "unauthenticated",
      reason: "SESSION_EXPIRED",
      protocol: protocolName(protocol),
      address: "127.0.0.1",
      caller: "anonymous",
    });
  });

  test("of an admin service finds nothing on the public listener", async () => {
    const client = identityClient(protocol, running.baseUrl);
    const error = await errorOf(client.getIdentity({ identityId: "x" }));
    expect(error.code).toBe(Code.Unimplemented);
    expect(detailOf(error, ErrorInfoSchema)).toMatchObject({
      reason: "METHOD_UNKNOWN",
      metadata: { method: "ostiary.identity.v1.IdentityService/GetIdentity" },
    });
  });

  test("that is cancelled tells the service and is logged as canceled", async () => {
    const abort = new AbortController();
    const pending = errorOf(check(protocol, "wait", { signal: abort.signal }));
    const { signal } = await nextContext();
    const told = once(signal, "abort");
    abort.abort();
    expect(await pending).toBeInstanceOf(ConnectError);
    await told;
    await vi.waitUntil(() => running.log.length > 0, 10_000);
    expect(running.log[0]?.fields.code).toBe("canceled");
  });
});

/** The context of the call that is under way, once the service has it. */
async function nextContext(): Promise<HandlerContext> {
  running.seen.context = undefined;
  return vi.waitUntil(() => running.seen.context, { interval: 1, timeout: 10_000 });
}

function protocolName(protocol: string): string {
  if (protocol.startsWith("gRPC-Web")) return "grpc-web";
  return protocol.startsWith("gRPC") ? "grpc" : "connect";
}
