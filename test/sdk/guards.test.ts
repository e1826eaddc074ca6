import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:net";
import { Code, ConnectError, createRouterTransport } from "@connectrpc/connect";
import express, { type ErrorRequestHandler } from "express";
import { fastify } from "fastify";
import { Hono } from "hono";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  AddressKind,
  AssuranceLevel,
  FreshnessClass,
  MethodProperty,
} from "../../gen/ostiary/option/v1/demand_pb.js";
import { SessionService } from "../../gen/ostiary/session/v1/session_service_pb.js";
import {
  type GuardRules,
  requireSession,
  SessionRefusedError,
  sessionOf,
} from "../../sdk/typescript/src/server.ts";
import { frameworks, type GuardedServer } from "./guarded-servers.ts";
import {
  close,
  goodToken,
  listen,
  refusal,
  type SessionServer,
  startSessionServer,
} from "./session-server.ts";

let ostiary: SessionServer;
beforeAll(async () => {
  ostiary = await startSessionServer();
});
afterAll(() => ostiary.stop());
beforeEach(() => {
  ostiary.asked.length = 0;
  ostiary.failure = undefined;
});

describe.each(Object.keys(frameworks))("requireSession on %s", (framework) => {
  const servers: GuardedServer[] = [];
  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => server.stop()));
  });

  async function guarded(options: GuardRules & { readonly baseUrl?: string } = {}) {
    const start = frameworks[framework];
    if (start === undefined) throw new Error(framework);
    const server = await start(requireSession({ baseUrl: ostiary.url, ...options }));
    servers.push(server);
    return server;
  }

  test("lets a bearer of a good token through, and says who it is", async () => {
    const server = await guarded();
    const { status } = await server.call(post(bearer(goodToken)));
    expect(status).toBe(200);
    expect(server.callers).toMatchObject([
      { session: { id: "session-1" }, identity: { displayName: "Ada" }, credential: "bearer" },
    ]);
    expect(ostiary.asked[0]?.token).toBe(goodToken);
  });

  test("asks for each of its demands", async () => {
    const server = await guarded({
      assuranceLevel: "aal1",
      maxAge: "privileged",
      methodProperties: ["phishing_resistant", "user_verified"],
      verifiedAddress: "email",
      noPendingActions: true,
    });
    await server.call(post(bearer(goodToken)));
    const within = { case: "freshnessClass", value: FreshnessClass.PRIVILEGED };
    expect(ostiary.asked[0]?.demands.map(({ demand }) => demand)).toMatchObject([
      { case: "assuranceLevel", value: AssuranceLevel.AAL1 },
      { case: "freshness", value: { within } },
      { case: "methodProperty", value: MethodProperty.PHISHING_RESISTANT },
      { case: "methodProperty", value: MethodProperty.USER_VERIFIED },
      { case: "verifiedAddress", value: { kind: AddressKind.EMAIL } },
      { case: "noPendingActions" },
    ]);
  });

  test("lets the holder of a good cookie through", async () => {
    const server = await guarded();
    const { status } = await server.call(post({ cookie: `a=b; __Host-ostiary_session=${goodToken}; c=d` }));
    expect(status).toBe(200);
    expect(server.callers).toMatchObject([{ credential: "cookie" }]);
    expect(ostiary.asked[0]?.cookies).toEqual([`__Host-ostiary_session=${goodToken}`]);
  });

  test("answers 401 with reason and remedy where there is no credential, without asking", async () => {
    const server = await guarded();
    const answer = await server.call(post({}));
    expect(reasonIn(answer.body)).toBe("SESSION_CREDENTIAL_MISSING");
    expect(remedyIn(answer.body)).toContain("Log in");
    expect(answer.status).toBe(401);
    expect(server.callers).toEqual([]);
    expect(ostiary.asked).toEqual([]);
  });

  test("answers 401 with Ostiary's own reason, remedy and metadata for a wrong token", async () => {
    const server = await guarded();
    const answer = await server.call(post(bearer("ost_ses_wrong")));
    expect(answer.status).toBe(401);
    expect(reasonIn(answer.body)).toBe("SESSION_TOKEN_UNKNOWN");
    expect(remedyIn(answer.body)).toBe("Log in.");
    expect(metadataIn(answer.body)).toEqual({ key: "value" });
    expect(server.callers).toEqual([]);
  });

  // Security rule (SR-SDK-8): a bearer token wins over a cookie, also when it is worthless.
  test.each(["ost_ses_wrong", "", "two words", "x".repeat(513), "caf\u00e9"])(
    "does not fall back from the bearer token %j to a good cookie",
    async (token) => {
      const server = await guarded();
      const answer = await server.call(
        post({ ...bearer(token), cookie: `__Host-ostiary_session=${goodToken}` }),
      );
      expect(answer.status).toBe(401);
      expect(server.callers).toEqual([]);
    },
  );

  test("demands an assurance level", async () => {
    const server = await guarded({ assuranceLevel: "aal2" });
    const answer = await server.call(post(bearer(goodToken)));
    expect(answer.status).toBe(401);
    expect(reasonIn(answer.body)).toBe("SESSION_ASSURANCE_TOO_LOW");
  });

  test("demands that the login is not too long ago", async () => {
    const strict = await guarded({ maxAge: "30s" });
    const answer = await strict.call(post(bearer(goodToken)));
    expect(answer.status).toBe(401);
    expect(reasonIn(answer.body)).toBe("SESSION_AUTHENTICATION_TOO_OLD");
    const lenient = await guarded({ maxAge: "15m" });
    expect((await lenient.call(post(bearer(goodToken)))).status).toBe(200);
  });

  // Security rule (SR-SDK-3): a guard that cannot ask lets nobody through.
  test.each<[string, ConnectError]>([
    ["an internal error", new ConnectError("secret detail", Code.Internal)],
    ["a bare 401 of some proxy", new ConnectError("go away", Code.Unauthenticated)],
    ["a complaint about the caller's own key", refusal(Code.Unauthenticated, "API_KEY_MISSING")],
    ["a method that is not there", new ConnectError("what", Code.Unimplemented)],
    ["a reason with a code that does not fit", refusal(Code.Internal, "SESSION_EXPIRED")],
  ])("answers 503 to %s, and tells strangers nothing of it", async (_, failure) => {
    ostiary.failure = failure;
    const server = await guarded();
    const answer = await server.call(post(bearer(goodToken)));
    expect(answer.status).toBe(503);
    expect(server.callers).toEqual([]);
    expect(JSON.stringify(answer.body)).not.toContain("secret detail");
  });

  test("answers 503 with the delay that Ostiary names while its database is gone", async () => {
    ostiary.failure = refusal(Code.Unavailable, "DATABASE_UNAVAILABLE", { retrySeconds: 2 });
    const seen: SessionRefusedError[] = [];
    const server = await guarded({ onUnavailable: (error) => seen.push(error) });
    const { status, body, response } = await server.call(post(bearer(goodToken)));
    expect(status).toBe(503);
    expect(reasonIn(body)).toBe("DATABASE_UNAVAILABLE");
    if (!framework.toLowerCase().startsWith("connect")) expect(response.headers.get("retry-after")).toBe("2");
    expect(seen.map((error) => error.reason)).toEqual(["DATABASE_UNAVAILABLE"]);
    expect(seen[0]?.cause).toBeInstanceOf(ConnectError);
  });

  test("answers 503 when nobody listens", async () => {
    const server = await guarded({ baseUrl: await closedPort() });
    const answer = await server.call(post(bearer(goodToken)));
    expect(answer.status).toBe(503);
    expect(reasonIn(answer.body)).toBe("OSTIARY_UNAVAILABLE");
    expect(server.callers).toEqual([]);
  });

  test("answers 503 when the answer takes too long", async () => {
    const silent = createServer();
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const address = silent.address();
    const port = typeof address === "object" ? address?.port : undefined;
    const server = await guarded({ baseUrl: `http://127.0.0.1:${port}`, checkTimeout: "50ms" });
    expect((await server.call(post(bearer(goodToken)))).status).toBe(503);
    silent.close();
  });

  // Security rule (SR-SDK-7): what a cookie authenticates and may change something must come from an allowed origin.
  test("refuses a changing request with a cookie that another site has started", async () => {
    const server = await guarded();
    const answer = await server.call(
      post({ cookie: `__Host-ostiary_session=${goodToken}`, origin: "https://evil.example" }),
    );
    expect(answer.status).toBe(403);
    expect(reasonIn(answer.body)).toBe("ORIGIN_NOT_ALLOWED");
    expect(metadataIn(answer.body)).toEqual({ origin: "https://evil.example" });
    expect(ostiary.asked).toEqual([]);
  });

  test("takes the same request with a bearer token, and from an origin that is listed", async () => {
    const origin = "https://app.example";
    const server = await guarded({ allowedOrigins: [origin] });
    expect((await server.call(post({ ...bearer(goodToken), origin: "https://evil.example" }))).status).toBe(
      200,
    );
    const withCookie = await server.call(post({ cookie: `__Host-ostiary_session=${goodToken}`, origin }));
    expect(withCookie.status).toBe(200);
  });
});

describe("requireSession", () => {
  test.each([
    ["an assurance level that there is not", { assuranceLevel: "aal9" }],
    ["an age that is no span", { maxAge: "soon" }],
    ["a property that there is not", { methodProperties: ["strong"] }],
    ["a property in place of a list", { methodProperties: "user_verified" }],
    ["an address of a kind that there is not", { verifiedAddress: "post" }],
    ["something else than a yes or no", { noPendingActions: "no" }],
    ["an age below a second", { maxAge: 10 }],
    ["an age that is not a number", { maxAge: Number.NaN }],
    ["an origin with a path", { allowedOrigins: ["https://a.example/"] }],
    ["a wildcard for an origin", { allowedOrigins: ["*"] }],
  ])("refuses %s when it is made, not when it is too late", (_, options) => {
    expect(() => requireSession({ baseUrl: ostiary.url, ...(options as object) })).toThrow(TypeError);
  });

  test("asks for no personal data with the view of the session alone", async () => {
    const guard = requireSession({ baseUrl: ostiary.url, view: "session" });
    const { session, identity } = await guard.check(request(bearer(goodToken)));
    expect(session.identityId).toBe("identity-1");
    expect(identity).toBeUndefined();
  });

  test("throws an error that knows how to answer", async () => {
    const guard = requireSession({ baseUrl: ostiary.url });
    const error = await guard.check(request({})).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(SessionRefusedError);
    const response = error instanceof SessionRefusedError ? error.toResponse() : undefined;
    expect(response?.status).toBe(401);
    expect(response?.headers.get("www-authenticate")).toBe("Bearer");
    expect(response?.headers.get("cache-control")).toBe("no-store");
    expect(await response?.json()).toMatchObject({
      code: "unauthenticated",
      reason: "SESSION_CREDENTIAL_MISSING",
    });
  });

  test("reads plain objects of node:http as it reads Fetch requests", async () => {
    const guard = requireSession({ baseUrl: ostiary.url });
    const { credential } = await guard.check({
      method: "GET",
      headers: { host: "localhost:3000", cookie: `ostiary_session=${goodToken}` },
    });
    expect(credential).toBe("cookie");
  });

  // Security rule (SR-SDK-1): a check that ends after a time-out of the app's own has answered must not take the process down.
  test("leaves alone an answer that was already sent", async () => {
    const guard = requireSession({ baseUrl: ostiary.url });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const server = createHttpServer((request, response) => {
      response.end("too late");
      guard
        .node(() => {})(request, response)
        .then(resolve, reject);
    });
    const answer = await fetch(await listen(server), post(bearer("ost_ses_wrong")));
    expect(await answer.text()).toBe("too late");
    await promise;
    expect(ostiary.asked).toHaveLength(1);
    await close(server);
  });

  test("refuses all the same when the log that it tells fails", async () => {
    ostiary.failure = new ConnectError("gone", Code.Unavailable);
    const onUnavailable = () => {
      throw new Error("the log is full");
    };
    const guard = requireSession({ baseUrl: ostiary.url, onUnavailable });
    const error = await guard.check(request(bearer(goodToken))).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(SessionRefusedError);
    expect(error).toMatchObject({ status: 503 });
  });

  // Security rule (SR-SDK-5): who calls is only what a guard has made.
  test.each<[string, unknown]>([
    ["nothing", undefined],
    ["null", null],
    ["a text", "ostiary"],
    ["an empty object", {}],
    ["undefined", { ostiary: undefined }],
    ["null, as of fastify.decorateRequest", { ostiary: null }],
    ["something of the same form", { ostiary: { session: { id: "s" }, identity: { id: "i" } } }],
    ["a header of the same name", new Headers({ ostiary: "forged" })],
    ["a parameter of the same name", new URLSearchParams("ostiary=forged")],
    ["an entry of the same name", new Map([["ostiary", { session: {} }]])],
    ["a request", new Request("https://app.example/")],
  ])("has sessionOf fail for %s", (_, carrier) => {
    const guard = requireSession({ baseUrl: ostiary.url });
    expect(() => sessionOf(carrier as object)).toThrow(/no session guard/);
    expect(() => guard.sessionOf(carrier as object)).toThrow(/no session guard/);
  });

  test("knows what it has made from what another guard has, which may demand less", async () => {
    const [lenient, strict] = [{ view: "session" } as const, {}].map((rules) =>
      requireSession({ baseUrl: ostiary.url, ...rules }),
    );
    const carrier = { ostiary: await lenient?.check(request(bearer(goodToken))) };
    expect(sessionOf(carrier).session.id).toBe("session-1");
    expect(lenient?.sessionOf(carrier).session.id).toBe("session-1");
    expect(() => strict?.sessionOf(carrier)).toThrow(/no session guard/);
  });

  test.each<[string, unknown]>([
    ["a URL that is none", { method: "GET", url: "http://[", headers: new Headers(bearer("a b")) }],
    ["no headers", { method: "GET", url: "https://app.example/" }],
    [
      "headers that throw",
      {
        method: "GET",
        get headers() {
          throw new Error("no");
        },
      },
    ],
    ["nothing", undefined],
  ])("rejects, and does not throw, at %s for a request", async (_, odd) => {
    const guard = requireSession({ baseUrl: ostiary.url });
    const checking = guard.check(odd as Request);
    expect(await checking.catch((error: unknown) => error)).toBeInstanceOf(SessionRefusedError);
  });

  // Security rule (SR-SDK-7): the host that an Origin is compared with is never chosen by the path.
  test.each(["//evil.example/x", "/\\evil.example/x", " //evil.example/", "evil.example/x"])(
    "takes no host from the path %s",
    async (url) => {
      const guard = requireSession({ baseUrl: ostiary.url });
      const cookie = `__Host-ostiary_session=${goodToken}`;
      const headers = new Headers({ cookie, origin: "https://evil.example" });
      const refused = await guard.check({ method: "POST", url, headers }).catch((error: unknown) => error);
      expect(refused).toMatchObject({ status: 403, reason: "ORIGIN_NOT_ALLOWED" });
      expect(ostiary.asked).toEqual([]);
    },
  );

  // Security rule (SR-SDK-3): an answer that is no clear one lets nobody in; what each can lack is told in vouched.test.ts.
  test("lets nobody in by an answer whose session and identity are empty", async () => {
    const transport = createRouterTransport((router) =>
      router.service(SessionService, { checkSession: () => ({ session: {}, identity: {} }) }),
    );
    const seen: SessionRefusedError[] = [];
    const guard = requireSession({ transport, onUnavailable: (error) => seen.push(error) });
    const refused = await guard.check(request(bearer(goodToken))).catch((error: unknown) => error);
    expect(refused).toMatchObject({ status: 503, reason: "OSTIARY_UNAVAILABLE" });
    expect(seen).toHaveLength(1);
  });

  test("is not kept waiting, nor stopped, by a log that never ends", async () => {
    const guard = requireSession({ baseUrl: await closedPort(), onUnavailable: () => new Promise(() => {}) });
    const refused = await guard.check(request(bearer(goodToken))).catch((error: unknown) => error);
    expect(refused).toMatchObject({ status: 503 });
  });
});

// What a handler behind the guard throws is the framework's own business.
describe("an error behind the guard", () => {
  const headers = bearer(goodToken);
  const fail = () => {
    throw new Error("thrown by the app");
  };

  test("goes to Express' error handler", async () => {
    const app = express();
    app.use(requireSession({ baseUrl: ostiary.url }).express);
    app.get("/", fail);
    const onError: ErrorRequestHandler = (error, _request, response, _next) => {
      response.status(418).send(error.message);
    };
    app.use(onError);
    const server = createHttpServer(app);
    const answer = await fetch(await listen(server), { headers });
    expect([answer.status, await answer.text()]).toEqual([418, "thrown by the app"]);
    await close(server);
  });

  test("of middleware that is not Express' goes to next(error)", async () => {
    const guard = requireSession({ baseUrl: ostiary.url });
    const told: unknown[] = [];
    const server = createHttpServer((request, response) => {
      guard.express(request, response, (error) => {
        if (error === undefined) return fail();
        told.push(error);
        response.end("told");
      });
    });
    expect(await (await fetch(await listen(server), { headers })).text()).toBe("told");
    expect(told).toEqual([new Error("thrown by the app")]);
    await close(server);
  });

  test("goes to Fastify's and Hono's error handlers, and to who serves a Fetch handler", async () => {
    const guard = requireSession({ baseUrl: ostiary.url });
    const fastifyApp = fastify();
    fastifyApp.addHook("onRequest", guard.fastify);
    fastifyApp.get("/", fail);
    fastifyApp.setErrorHandler((error: Error, _request, reply) => reply.code(418).send(error.message));
    const answer = await fastifyApp.inject({ path: "/", headers });
    expect([answer.statusCode, answer.body]).toEqual([418, "thrown by the app"]);

    const honoApp = new Hono();
    honoApp.use(guard.hono);
    honoApp.get("/", fail);
    honoApp.onError((error, context) => context.text(error.message, 418));
    const response = await honoApp.fetch(request(headers));
    expect([response.status, await response.text()]).toEqual([418, "thrown by the app"]);

    await expect(guard.fetch(fail)(request(headers))).rejects.toThrow("thrown by the app");
  });

  test("is told to onHandlerError by node:http, which has no place for it", async () => {
    const told: unknown[] = [];
    const onHandlerError = (error: unknown) => told.push(error);
    const guard = requireSession({ baseUrl: ostiary.url, onHandlerError });
    const server = createHttpServer(guard.node(fail));
    expect((await fetch(await listen(server), { headers })).status).toBe(500);
    expect(told).toEqual([new Error("thrown by the app")]);
    await close(server);
  });
});

function bearer(token: string): Record<string, string> {
  return { authorization: `Bearer ${token}` };
}

function post(headers: Record<string, string>): RequestInit {
  return { method: "POST", body: "{}", headers: { "content-type": "application/json", ...headers } };
}

function request(headers: Record<string, string>): Request {
  return new Request("https://app.example/", { headers });
}

async function closedPort(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
}

/** The reason in a guard's JSON body, or in the details of a Connect error. */
function reasonIn(body: Record<string, unknown>): unknown {
  return body.reason ?? detailIn(body, "google.rpc.ErrorInfo")?.reason;
}

function metadataIn(body: Record<string, unknown>): unknown {
  return body.metadata ?? detailIn(body, "google.rpc.ErrorInfo")?.metadata;
}

function remedyIn(body: Record<string, unknown>): unknown {
  return body.remedy ?? detailIn(body, "ostiary.error.v1.Remedy")?.description;
}

function detailIn(body: Record<string, unknown>, type: string): Record<string, unknown> | undefined {
  const details = body.details as { type: string; debug: Record<string, unknown> }[] | undefined;
  return details?.find((detail) => detail.type === type)?.debug;
}
