import { once } from "node:events";
import { connect } from "node:http2";
import { createServer } from "node:net";
import { hostname } from "node:os";
import { gzipSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.js";
import { CheckSessionRequestSchema } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { renderPrometheus } from "../../src/transport/metrics/prometheus.ts";
import { Readiness } from "../../src/transport/net/readiness.ts";
import { wideThrottle } from "../support/throttle.ts";
import { envelope } from "./frames.ts";
import {
  allowedOrigin,
  detailOf,
  errorOf,
  foreignOrigin,
  goodToken,
  identityClient,
  type Running,
  startListener,
  testTenant,
  unknownKey,
} from "./harness.ts";
import { exchangeBytes, parseResponse } from "./raw.ts";

const service = "/ostiary.session.v1.SessionService";
let running: Running;
let admin: Running;
beforeAll(async () => {
  running = await startListener();
  admin = await startListener({ name: "admin" });
});
afterAll(() => Promise.all([running.close(), admin.close()]));

const request = (path: string, init?: RequestInit, to = running) => fetch(`${to.baseUrl}${path}`, init);
const postJson = (path: string, body: string, headers: Record<string, string> = {}) =>
  request(path, { method: "POST", body, headers: { "content-type": "application/json", ...headers } });

interface ErrorJson {
  code: string;
  message: string;
  details: { type: string; value: string; debug: Record<string, unknown> }[];
}

describe("an error as curl shows it", () => {
  test("has code, message, and a readable form of reason, metadata and remedy", async () => {
    const response = await postJson(`${service}/GetCurrentSession`, "{}");
    expect(response.status).toBe(401);
    expect(response.headers.get("www-authenticate")).toBe("Bearer");
    expect(response.headers.get("content-type")).toBe("application/json");
    const body = (await response.json()) as ErrorJson;
    expect(body.code).toBe("unauthenticated");
    expect(body.details.map(({ debug }) => debug)).toEqual([
      { reason: "SESSION_CREDENTIAL_MISSING", domain: "ostiary" },
      { id: 9000514, text: "You're not signed in. Sign in to continue." },
      { description: expect.stringContaining("Authorization: Bearer") },
    ]);
  });

  test("says in whole seconds when to try again", async () => {
    const response = await postJson(`${service}/CheckSession`, '{"token":"overloaded"}');
    expect(response.status).toBe(429);
    expect(response.headers.get("retry-after")).toBe("2");
  });

  test.each([
    ['{"token":"x","tokn":1}', "tokn", /unknown/],
    ['{"token":7}', "token", /wrong type/],
    ['{"token":"x","view":"NO_SUCH_VIEW"}', "view", /^must be one of SESSION_VIEW_BASIC, /],
    [
      '{"token":"x","demands":[{"freshness":{"maxAge":"1h"}}]}',
      "demands.0.freshness.maxAge",
      /google.protobuf.Duration/,
    ],
    ['{"token":"x","token":"y"}', "", /twice/],
    ['{"token":"x","demands":[{"noPendingActions":{},"assuranceLevel":1}]}', "demands.0", /more than once/],
    ["[]", "", /must be an object/],
  ])("of the JSON %s names the field", async (json, field, description) => {
    const response = await postJson(`${service}/CheckSession`, json);
    expect(response.status).toBe(400);
    const body = (await response.json()) as ErrorJson;
    expect(body.details[0]?.debug).toMatchObject({ reason: "REQUEST_MALFORMED" });
    const [violation] =
      (body.details[1]?.debug as { fieldViolations?: { field?: string; description: string }[] } | undefined)
        ?.fieldViolations ?? [];
    expect(violation?.field ?? "").toBe(field);
    expect(violation?.description).toMatch(description);
  });
});

describe("a request that is not quite a call", () => {
  test.each<[string, string, RequestInit, number, string]>([
    [
      "an unknown method",
      `${service}/Nothing`,
      { method: "POST", headers: { "content-type": "application/json" } },
      404,
      "METHOD_UNKNOWN",
    ],
    ["an unknown path", "/", {}, 404, "METHOD_UNKNOWN"],
    [
      "an admin service on the public listener",
      "/ostiary.identity.v1.IdentityService/GetIdentity",
      { method: "POST", headers: { "content-type": "application/json" }, body: "{}" },
      404,
      "METHOD_UNKNOWN",
    ],
    ["metrics on the public listener", "/metrics", {}, 404, "METHOD_UNKNOWN"],
    [
      "a GET of a method with side effects",
      `${service}/CheckSession?encoding=json&message=%7B%7D`,
      {},
      405,
      "REQUEST_MALFORMED",
    ],
    ["a PUT", `${service}/CheckSession`, { method: "PUT" }, 405, "REQUEST_MALFORMED"],
    [
      "an OPTIONS that is no preflight",
      `${service}/CheckSession`,
      { method: "OPTIONS" },
      405,
      "REQUEST_MALFORMED",
    ],
    ["a POST of a plain path", "/health/alive", { method: "POST" }, 405, "REQUEST_MALFORMED"],
    [
      "a form",
      `${service}/CheckSession`,
      { method: "POST", headers: { "content-type": "application/x-www-form-urlencoded" }, body: "token=x" },
      415,
      "REQUEST_MALFORMED",
    ],
    [
      "plain text",
      `${service}/CheckSession`,
      { method: "POST", headers: { "content-type": "text/plain" }, body: "{}" },
      415,
      "REQUEST_MALFORMED",
    ],
    [
      "JSON in another character set",
      `${service}/CheckSession`,
      { method: "POST", headers: { "content-type": "application/json; charset=utf-16" }, body: "{}" },
      415,
      "REQUEST_MALFORMED",
    ],
    [
      "gRPC over HTTP/1.1",
      `${service}/CheckSession`,
      { method: "POST", headers: { "content-type": "application/grpc" }, body: "" },
      505,
      "REQUEST_MALFORMED",
    ],
    [
      "a stream's content type for a unary method",
      `${service}/CheckSession`,
      { method: "POST", headers: { "content-type": "application/connect+json" }, body: "" },
      415,
      "REQUEST_MALFORMED",
    ],
    [
      "a unary content type for a stream",
      "/grpc.health.v1.Health/Watch",
      { method: "POST", headers: { "content-type": "application/json" }, body: "{}" },
      415,
      "REQUEST_MALFORMED",
    ],
    [
      "another version of Connect",
      `${service}/CheckSession`,
      {
        method: "POST",
        headers: { "content-type": "application/json", "connect-protocol-version": "2" },
        body: "{}",
      },
      400,
      "REQUEST_MALFORMED",
    ],
    [
      "an unknown compression",
      `${service}/CheckSession`,
      {
        method: "POST",
        headers: { "content-type": "application/json", "content-encoding": "br" },
        body: "{}",
      },
      501,
      "REQUEST_MALFORMED",
    ],
    [
      "a timeout that is no number",
      `${service}/CheckSession`,
      {
        method: "POST",
        headers: { "content-type": "application/json", "connect-timeout-ms": "1s" },
        body: "{}",
      },
      400,
      "REQUEST_MALFORMED",
    ],
    [
      "no body",
      `${service}/CheckSession`,
      { method: "POST", headers: { "content-type": "application/json" } },
      400,
      "REQUEST_MALFORMED",
    ],
  ])("(%s) is refused with a body that says why", async (_name, path, init, status, reason) => {
    const response = await request(path, init);
    expect(response.status).toBe(status);
    const body = (await response.json()) as ErrorJson;
    expect(body.details[0]?.debug).toMatchObject({ reason, domain: "ostiary" });
    expect(response.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
  });

  test("is told what would do: Allow with 405, Accept-Post with 415", async () => {
    const notAllowed = await request(`${service}/GetCurrentSession`, { method: "PUT" });
    expect(notAllowed.headers.get("allow")).toBe("GET, POST");
    const unknownType = await request(`${service}/CheckSession`, { method: "POST", body: "x" });
    expect(unknownType.headers.get("accept-post")).toContain("application/json");
  });

  // Its client reads the status of its own protocol, and no body of HTTP.
  test.each([
    ["POST", "application/grpc-web+foo", "x-grpc-web"],
    ["DELETE", "application/grpc-web", "x-grpc-web"],
    ["POST", "application/grpc-web-text+foo", "text"],
  ])("is refused in gRPC-Web by its status if it is a %s of %s", async (method, type, kind) => {
    const init = { method, headers: { "content-type": type }, ...(method === "POST" ? { body: "x" } : {}) };
    const response = await request(`${service}/CheckSession`, init);
    expect(response.status).toBe(200);
    const text = await response.text();
    const frame = kind === "text" ? Buffer.from(text, "base64").toString("latin1") : text;
    expect(frame).toContain("grpc-status: 2\r\n");
    expect(frame).toContain("grpc-status-details-bin: ");
  });

  test.each([
    ["POST", "application/grpc+foo"],
    ["DELETE", "application/grpc"],
  ])("is refused in gRPC by its status if it is a %s of %s", async (method, type) => {
    const client = connect(running.baseUrl);
    const stream = client.request({
      ":method": method,
      ":path": `${service}/CheckSession`,
      "content-type": type,
    });
    stream.end();
    const [headers] = (await once(stream, "response")) as [Record<string, string>];
    expect(headers).toMatchObject({ ":status": 200, "grpc-status": "2" });
    expect(headers["grpc-status-details-bin"]).toBeDefined();
    client.close();
  });

  test("does not make the log or the metrics grow with what it asked for", async () => {
    await request("/a/b/c?secret=1");
    expect(pageOf(running)).not.toContain("a/b/c");
    expect(JSON.stringify(running.log)).not.toContain("secret=1");
  });
});

describe("content types and compressions", () => {
  test.each(["application/json", "application/json;charset=utf-8", 'Application/JSON; charset="UTF-8"'])(
    "%s is JSON",
    async (type) => {
      const response = await postJson(`${service}/CheckSession`, '{"token":"x"}', { "content-type": type });
      expect(await response.json()).toEqual({ session: { id: "x" } });
    },
  );

  test("a gzipped request is read", async () => {
    const response = await request(`${service}/CheckSession`, {
      method: "POST",
      headers: { "content-type": "application/json", "content-encoding": "gzip" },
      body: gzipSync('{"token":"zipped"}'),
    });
    expect(await response.json()).toEqual({ session: { id: "zipped" } });
  });

  const textFrame = () => {
    const message = toBinary(CheckSessionRequestSchema, create(CheckSessionRequestSchema, { token: "text" }));
    return envelope(0, Buffer.from(message));
  };
  const postText = (body: string) =>
    request(`${service}/CheckSession`, {
      method: "POST",
      headers: { "content-type": "application/grpc-web-text" },
      body,
    });

  test("gRPC-Web in text form is read and written, a frame at a time", async () => {
    const response = await postText(textFrame().toString("base64"));
    expect(response.headers.get("content-type")).toBe("application/grpc-web-text+proto");
    const body = Buffer.from(await response.text(), "base64").toString("latin1");
    expect(body).toContain("text");
    expect(body).toContain("grpc-status: 0\r\n");
  });

  test.each([
    ["padding within the frame", () => `${textFrame().subarray(0, 5).toString("base64")}AAAA`],
    ["padding after each character", () => "A=".repeat(100)],
    ["padding after each byte", () => "AA==".repeat(100)],
    ["nothing but padding", () => "===="],
    ["a character alone", () => `${textFrame().subarray(0, 9).toString("base64")}A`],
    ["another alphabet", () => "AAAA-_AA"],
    ["a line break", () => `${textFrame().toString("base64")}\n`],
  ])("gRPC-Web in text form with %s is refused", async (_name, body) => {
    const response = await postText(body());
    const answer = Buffer.from(await response.text(), "base64").toString("latin1");
    expect(answer).toContain("grpc-status: 3\r\n");
    expect(answer).not.toContain("grpc-status: 0");
  });
});

describe("a GET of a method without side effects", () => {
  const get = (query: string) =>
    request(`${service}/GetCurrentSession?${query}`, { headers: { authorization: `Bearer ${goodToken}` } });

  test.each([
    "encoding=json&message=%7B%7D",
    "connect=v1&encoding=json&base64=1&message=e30",
    "connect=v1&encoding=json&base64=1&message=e30%3D",
    "encoding=proto&message=",
    `encoding=json&base64=1&compression=gzip&message=${gzipSync("{}").toString("base64url")}`,
  ])("is answered: %s", async (query) => {
    expect((await get(query)).status).toBe(200);
  });

  test.each([
    ["message=%7B%7D", 415],
    ["encoding=xml&message=%7B%7D", 415],
    ["encoding=json", 400],
    ["encoding=json&message=%7B", 400],
    ["encoding=json&base64=1&message=%21%21", 400],
    ["connect=v2&encoding=json&message=%7B%7D", 400],
    ["encoding=json&compression=br&message=%7B%7D", 501],
    ["encoding=json&base64=1&compression=gzip&message=e30", 400],
  ])("is refused: %s", async (query, status) => {
    expect((await get(query)).status).toBe(status);
  });
});

describe("CORS", () => {
  const preflight = (origin: string, to = running) =>
    request(
      `${service}/CheckSession`,
      {
        method: "OPTIONS",
        headers: {
          origin,
          "access-control-request-method": "POST",
          "access-control-request-headers": "content-type,connect-protocol-version,authorization,x-grpc-web",
        },
      },
      to,
    );

  test("lets a page of an allowed origin ask, with credentials", async () => {
    const response = await preflight(allowedOrigin);
    expect(response.status).toBe(204);
    expect(response.headers.get("access-control-allow-origin")).toBe(allowedOrigin);
    expect(response.headers.get("access-control-allow-credentials")).toBe("true");
    const allowed = response.headers.get("access-control-allow-headers")?.toLowerCase();
    for (const name of ["content-type", "connect-protocol-version", "authorization", "x-grpc-web"]) {
      expect(allowed).toContain(name);
    }
    expect(response.headers.get("vary")).toContain("Origin");
  });

  // Security rule (SR-ORIGIN-1): a page whose origin is not allowed learns nothing.
  test.each([foreignOrigin, "null", `${allowedOrigin}.evil.example`, "http://app.example.com"])(
    "gives a page of %s no header that would let it ask or read",
    async (origin) => {
      const asked = await preflight(origin);
      const called = await postJson(`${service}/CheckSession`, '{"token":"x"}', { origin });
      for (const response of [asked, called]) {
        const names = [...response.headers.keys()].filter((name) => name.startsWith("access-control"));
        expect(names).toEqual([]);
        expect(response.headers.get("vary")).toContain("Origin");
      }
    },
  );

  test("lets an allowed page read the answer, errors and the gRPC-Web status", async () => {
    const response = await postJson(`${service}/GetCurrentSession`, "{}", { origin: allowedOrigin });
    expect(response.status).toBe(401);
    expect(response.headers.get("access-control-allow-origin")).toBe(allowedOrigin);
    const exposed = response.headers.get("access-control-expose-headers")?.toLowerCase();
    for (const name of [
      "grpc-status",
      "grpc-message",
      "grpc-status-details-bin",
      "x-request-id",
      "retry-after",
    ]) {
      expect(exposed).toContain(name);
    }
  });

  test("does not exist on the admin listener", async () => {
    const response = await preflight(allowedOrigin, admin);
    expect(response.headers.get("access-control-allow-origin")).toBeNull();
    expect(response.status).not.toBe(204);
  });
});

describe("plain paths", () => {
  test("say that the process lives, whether it is ready, and what it is", async () => {
    expect(await (await request("/health/alive")).json()).toEqual({ status: "alive" });
    expect(await (await request("/version")).json()).toEqual({ version: "test" });
    const ready = await request("/health/ready");
    expect([ready.status, await ready.json()]).toEqual([
      200,
      { status: "ready", components: { database: true } },
    ]);
    running.readiness.report("database", false);
    const unready = await request("/health/ready");
    expect([unready.status, await unready.json()]).toEqual([
      503,
      { status: "not ready", components: { database: false } },
    ]);
    running.readiness.report("database", true);
    expect((await request("/health/ready")).status).toBe(200);
  });

  test("show what the server can do without, and say that it is ready", async () => {
    const readiness = new Readiness(["database"], () => ({ "provider google": false }));
    readiness.report("database", true);
    const { baseUrl, close } = await startListener({ readiness });
    try {
      const ready = await fetch(`${baseUrl}/health/ready`);
      const components = { database: true, "provider google": false };
      expect([ready.status, await ready.json()]).toEqual([200, { status: "ready", components }]);
    } finally {
      await close();
    }
  });

  test("answer HEAD without a body", async () => {
    const response = await request("/health/alive", { method: "HEAD" });
    expect([response.status, await response.text()]).toEqual([200, ""]);
  });

  test("carry the headers that keep browsers from guessing and keeping", async () => {
    const { headers } = await request("/version");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("referrer-policy")).toBe("no-referrer");
    expect(headers.get("cache-control")).toBe("no-store");
    expect(headers.get("strict-transport-security")).toBeNull();
  });

  test("promise https only where public_url does", async () => {
    const https = await startListener({ tenant: testTenant({ publicUrl: "https://id.example.com" }) });
    const { headers } = await request("/version", {}, https);
    expect(headers.get("strict-transport-security")).toMatch(/^max-age=/);
    await https.close();
  });
});

const pageOf = ({ metrics }: Running) => renderPrometheus(metrics.read());

describe("metrics", () => {
  test("count calls by method, protocol and code, and show the process", async () => {
    await postJson(`${service}/CheckSession`, '{"token":"expired"}');
    const page = pageOf(running);
    const method = 'rpc_system_name="connectrpc",rpc_method="ostiary.session.v1.SessionService/CheckSession"';
    expect(page).toMatch(
      new RegExp(
        `rpc_server_call_duration_seconds_count\\{${method},rpc_status_code="unauthenticated"\\} \\d+`,
      ),
    );
    expect(page).toMatch(/^ostiary_refusals_total\{reason="SESSION_EXPIRED"\} \d+$/m);
    const response = await request("/metrics", {}, admin);
    expect(response.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(await response.text()).toContain("# TYPE rpc_server_call_duration_seconds histogram\n");
  });

  // Security rule (SR-LIMIT-8): a client behind a proxy on this machine is not on this machine.
  test("need a key with metrics:read from elsewhere", async () => {
    const forwarded = { "x-forwarded-for": "203.0.113.9" };
    const scrape = (headers: Record<string, string>) => request("/metrics", { headers }, admin);
    expect((await scrape(forwarded)).status).toBe(401);
    expect((await scrape({ ...forwarded, authorization: "Bearer ost_key_identity:read" })).status).toBe(403);
    expect((await scrape({ ...forwarded, authorization: "Bearer ost_key_metrics:read" })).status).toBe(200);
    expect((await scrape({})).status).toBe(200);
    // What was refused is counted and logged like a call.
    const refused = admin.log.filter(({ fields }) => fields.method === "/metrics");
    expect(refused.map(({ level, fields }) => [level, fields.reason])).toEqual([
      ["info", "API_KEY_MISSING"],
      ["info", "API_KEY_SCOPE_MISSING"],
    ]);
    expect(pageOf(admin)).toContain(
      'http_server_request_duration_seconds_count{http_request_method="GET",http_route="/metrics",error_type="unauthenticated"} 1',
    );
  });

  // Security rule (SR-ORIGIN-3): a page that has made its own name point to this machine (DNS rebinding) reads nothing without a key.
  test.each(["/metrics", "/version", "/health/ready", "/health/alive"])(
    "and %s of the admin listener are asked for by a name of the machine",
    async (path) => {
      const ask = async (host: string, more = "") => {
        const head = `GET ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n${more}\r\n`;
        return parseResponse(await exchangeBytes(admin.port, head)).status;
      };
      for (const host of [
        "evil.test",
        `evil.test:${admin.port}`,
        "localhost.evil.test",
        "127.0.0.1.evil.test",
        "x",
      ]) {
        expect([host, await ask(host)]).toEqual([host, 401]);
        expect(await ask(host, "x-forwarded-for: \r\n")).toBe(path === "/metrics" ? 401 : 200);
        expect(await ask(host, "authorization: Bearer ost_key_metrics:read\r\n")).toBe(200);
      }
      const own = [
        "localhost",
        `LOCALHOST:${admin.port}`,
        "127.0.0.1",
        "[::1]:1",
        "192.0.2.7:9090",
        hostname(),
      ];
      for (const host of own) expect([host, await ask(host)]).toEqual([host, 200]);
    },
  );

  // Security rule (SR-LIMIT-6): a key is guessed against the same count, whichever path it is tried at.
  test("count guessed keys by address, as calls do", async () => {
    const limits = { ...wideThrottle.limits, failed_authentication: { count: 3, periodMs: 60_000 } };
    const tenant = testTenant({ throttle: { ...wideThrottle, limits } });
    const guarded = await startListener({ name: "admin", tenant, trustedProxies: ["127.0.0.1"] });
    const from = (address: string, key: string) => ({
      headers: { "x-forwarded-for": address, authorization: `Bearer ${key}` },
    });
    const scrape = async (address: string, key: string) =>
      (await request("/metrics", from(address, key), guarded)).status;
    try {
      const [guesser, scraper] = ["203.0.113.9", "203.0.113.10"];
      for (let round = 0; round < 3; round++) expect(await scrape(guesser, unknownKey)).toBe(401);
      expect(await scrape(guesser, unknownKey)).toBe(429);
      const call = identityClient("Connect JSON, HTTP/1.1", guarded.baseUrl, {
        ...from(guesser, unknownKey).headers,
      }).getIdentity({ identityId: "01890000-0000-7000-8000-000000000000" });
      expect(detailOf(await errorOf(call), ErrorInfoSchema)?.reason).toBe("RATE_LIMITED");
      // Whoever has a key is served, from there as well. An honest scraper without one is no guesser.
      expect(await scrape(guesser, "ost_key_metrics:read")).toBe(200);
      for (let round = 0; round < 5; round++) {
        expect(await scrape(scraper, "ost_key_metrics:read")).toBe(200);
        expect((await request("/metrics", {}, guarded)).status).toBe(200);
      }
    } finally {
      await guarded.close();
    }
  });
});

describe("addresses and request ids", () => {
  const forwarded = { "x-forwarded-for": "198.51.100.1, 203.0.113.9", "x-request-id": "from-the-proxy" };

  // Security rule (SR-LIMIT-8): forwarded headers are believed from trusted proxies only.
  test("of an untrusted peer are its own, and the log warns once", async () => {
    running.log.length = 0;
    const responses = [
      await postJson(`${service}/CheckSession`, '{"token":"x"}', forwarded),
      await postJson(`${service}/CheckSession`, '{"token":"x"}', forwarded),
    ];
    for (const response of responses) expect(response.headers.get("x-request-id")).not.toBe("from-the-proxy");
    const calls = running.log.filter(({ message }) => message === "call");
    expect(calls.map(({ fields }) => fields.address)).toEqual(["127.0.0.1", "127.0.0.1"]);
    expect(running.log.filter(({ level }) => level === "warn")).toHaveLength(1);
  });

  test("of a trusted proxy are what it says", async () => {
    const trusting = await startListener({ trustedProxies: ["127.0.0.0/8"] });
    const response = await request(
      `${service}/CheckSession`,
      {
        method: "POST",
        body: '{"token":"x"}',
        headers: { "content-type": "application/json", ...forwarded },
      },
      trusting,
    );
    expect(response.headers.get("x-request-id")).toBe("from-the-proxy");
    expect(trusting.log.at(-1)?.fields).toMatchObject({
      address: "203.0.113.9",
      requestId: "from-the-proxy",
    });
    await trusting.close();
  });
});

describe("a listener that cannot listen", () => {
  test("says so in one line with host and port", async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const address = taken.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    await expect(startListener({ port })).rejects.toThrow(
      `Cannot listen on 127.0.0.1:${port}: the port is in use by another process.`,
    );
    taken.close();
  });
});

describe("a log whose level is above that of calls", () => {
  test("gets no line of them, and is told of a failure of the server all the same", async () => {
    const lines: string[] = [];
    const at = (level: string) => (_fields: object, message: string) => {
      lines.push(`${level} ${message}`);
    };
    const logger = { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
    const quiet = await startListener({ logger: { ...logger, isLevelEnabled: () => false } });
    const call = (token: string) =>
      request(
        `${service}/CheckSession`,
        { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ token }) },
        quiet,
      );
    expect((await call("x")).status).toBe(200);
    expect((await call("expired")).status).toBe(401);
    expect(lines).toEqual([]);
    expect((await call("crash")).status).toBe(500);
    expect(lines).toEqual(["error call failed"]);
    expect(renderPrometheus(quiet.metrics.read())).toMatch(
      /rpc_server_call_duration_seconds_count\{[^}]*\} 1/,
    );
    await quiet.close();
  });
});
