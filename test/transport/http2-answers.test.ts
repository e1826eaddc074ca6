import { once } from "node:events";
import { connect, type OutgoingHttpHeaders } from "node:http2";
import type { Socket } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { selfSignedCertificate } from "../support/certificate.ts";
import {
  endHeaders,
  endStream,
  envelope,
  frame,
  frameTypes,
  headerBlock,
  postFields,
  preface,
  reset,
} from "./frames.ts";
import { type Running, startListener } from "./harness.ts";
import { open } from "./raw.ts";

const unary = {
  public: "/ostiary.session.v1.SessionService/CheckSession",
  admin: "/ostiary.identity.v1.IdentityService/GetIdentity",
};
const watch = "/grpc.health.v1.Health/Watch";

const listeners: Record<string, Running> = {};
const runningOf = (name: string): Running => {
  const running = listeners[name];
  if (running === undefined) throw new Error(`no listener ${name}`);
  return running;
};
beforeAll(async () => {
  const certificate = selfSignedCertificate();
  const tls = () => certificate;
  listeners.public = await startListener();
  listeners.admin = await startListener({ name: "admin" });
  listeners["public, TLS"] = await startListener({ tls });
  listeners["admin, TLS"] = await startListener({ name: "admin", tls });
});
beforeEach(() => {
  for (const running of Object.values(listeners)) running.log.length = 0;
});
afterAll(() => Promise.all(Object.values(listeners).map((running) => running.close())));

const names = ["public", "admin", "public, TLS", "admin, TLS"];
const unaryOf = (name: string) => (name.startsWith("public") ? unary.public : unary.admin);
const problemsOf = ({ log }: Running) => log.filter(({ level }) => level === "error" || level === "warn");

interface Answer {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly trailers: Record<string, unknown>;
  readonly body: string;
}

/** One call over an HTTP/2 connection of its own. */
async function call(
  { baseUrl }: Running,
  headers: OutgoingHttpHeaders,
  body: string | Buffer = "",
  trailers?: OutgoingHttpHeaders,
): Promise<Answer> {
  const client = connect(baseUrl, { rejectUnauthorized: false });
  try {
    const stream = client.request(
      { ":method": "POST", ...headers },
      { waitForTrailers: trailers !== undefined },
    );
    if (trailers !== undefined) stream.once("wantTrailers", () => stream.sendTrailers(trailers));
    let received: Record<string, unknown> = {};
    stream.on("trailers", (fields) => {
      received = fields;
    });
    const chunks: Buffer[] = [];
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    const answered = once(stream, "response");
    const closed = once(stream, "close");
    if (!stream.writableEnded) stream.end(body);
    const [answer] = (await answered) as [Record<string, unknown>];
    await closed;
    const status = Number(answer[":status"]);
    return { status, headers: answer, trailers: received, body: Buffer.concat(chunks).toString() };
  } finally {
    client.destroy();
  }
}

/** Sends bytes, and waits for a turn of the loop, so that the other end sees them by themselves. */
async function written(socket: Socket, bytes: Buffer): Promise<void> {
  await new Promise<void>((resolve) => socket.write(bytes, () => setImmediate(resolve)));
}

const fieldsOf = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`x-field-${index}`, "value"]));
const cookiesOf = (count: number, length = 10) =>
  Array.from({ length: count }, (_, index) => `c${index}=${"v".repeat(length)}`);

describe.each(names)("over HTTP/2, listener %s", (name) => {
  const types: readonly (readonly [string, string, Buffer])[] = [
    ["application/json", "unary", Buffer.from("{}")],
    ["application/proto", "unary", Buffer.alloc(0)],
    ["application/grpc", "unary", envelope(0, "")],
    ["application/grpc-web", "unary", envelope(0, "")],
    ["application/grpc-web-text", "unary", Buffer.from(envelope(0, "").toString("base64"))],
    ["application/connect+json", watch, envelope(0, "{}")],
    ["application/grpc", watch, envelope(0, "")],
  ];

  // One such request ended the whole server: the answer had a header that HTTP/2 forbids.
  test.each(
    types.flatMap(([type, path, body]) => [101, 128, 400].map((count) => [count, type, path, body] as const)),
  )(
    "security rule (SR-INPUT-2): %d header fields (%s, %s) are refused, and others are served",
    async (count, type, path, body) => {
      const running = runningOf(name);
      const target = path === "unary" ? unaryOf(name) : path;
      const headers = { ":path": target, "content-type": type, ...fieldsOf(count) };
      const answer = await call(running, headers, body);
      expect(answer.status).toBe(431);
      expect(JSON.parse(answer.body).details[0].debug).toMatchObject({
        reason: "HEADERS_TOO_LARGE",
        metadata: { limitBytes: "32768", limitFields: "100" },
      });
      expect((await call(running, { ":method": "GET", ":path": "/health/alive" })).status).toBe(200);
      expect(problemsOf(running)).toEqual([]);
    },
  );

  test.each([101, 180])("%d cookies, each in a field of its own, are no obstacle", async (count) => {
    const headers = { ":method": "GET", ":path": "/health/alive", cookie: cookiesOf(count) };
    expect((await call(runningOf(name), headers)).status).toBe(200);
  });

  test("trailers of a request are read and ignored, however many", async () => {
    const headers = { ":path": unaryOf(name), "content-type": "application/json" };
    const answer = await call(runningOf(name), headers, "{}", fieldsOf(110));
    expect([400, 401]).toContain(answer.status);
    expect(problemsOf(runningOf(name))).toEqual([]);
  });
});

describe("security rule (SR-INPUT-2): no header of HTTP/1.1 is sent over HTTP/2", () => {
  test.each([
    ["application/json", '{"token":"hop by hop"}'],
    ["application/grpc", envelope(0, "\n\nhop by hop")],
    ["application/grpc-web", envelope(0, "\n\nhop by hop")],
  ])("%s", async (type, body) => {
    const running = runningOf("public");
    const answer = await call(running, { ":path": unary.public, "content-type": type }, body);
    expect(answer.status).toBe(200);
    expect(answer.body).toContain("hop by hop");
    expect(answer.headers["x-extra"]).toBe("kept");
    expect(problemsOf(running)).toEqual([]);
  });
});

describe("a client that resets a call", () => {
  const block = (path: string, type: string) => headerBlock(postFields(path, type));
  const points: readonly (readonly [string, (stream: number) => Buffer[]])[] = [
    ["right behind the headers", (stream) => [reset(stream)]],
    ["right behind the headers, without an error", (stream) => [reset(stream, 0)]],
    ["right behind the body", (stream) => [frame(0, endStream, stream, envelope(0, "")), reset(stream)]],
    ["within the body", (stream) => [frame(0, 0, stream, envelope(0, "").subarray(0, 3)), reset(stream)]],
    [
      "behind trailers",
      (stream) => [
        frame(0, 0, stream, envelope(0, "")),
        frame(frameTypes.headers, endStream | endHeaders, stream, headerBlock([["x-a", "b"]])),
        reset(stream, 2),
      ],
    ],
  ];
  test.each(
    points.flatMap(([point, rest]) =>
      [
        ["unary", unary.public, "application/grpc"],
        ["unary", unary.public, "application/json"],
        // Answered in the same turn.
        ["nothing", "/nothing", "application/json"],
        ["nothing", "/nothing", "application/grpc"],
        ["stream", watch, "application/grpc"],
        ["stream", watch, "application/connect+proto"],
      ].map(([kind, path, type]) => [point, kind, type, path, rest] as const),
    ),
  )("%s (%s, %s) ends that call alone", async (_point, _kind, type = "", path = "", rest) => {
    const running = runningOf("public");
    const socket = await open(running.port);
    socket.setNoDelay(true);
    socket.write(Buffer.concat([preface, frame(frameTypes.settings, 0, 0)]));
    for (let stream = 1; stream <= 60; stream += 2) {
      const [first = Buffer.alloc(0), ...others] = rest(stream);
      // Without a body, where none follows, every other call.
      const ends = first[3] === frameTypes.rst && stream % 4 === 1;
      const flags = ends ? endHeaders | endStream : endHeaders;
      const head = frame(frameTypes.headers, flags, stream, block(path, type));
      // What arrives in one piece is seen otherwise than what comes a turn later.
      if (stream % 3 !== 0) socket.write(Buffer.concat([head, first, ...others]));
      else for (const part of [head, first, ...others]) await written(socket, part);
    }
    // Answered on the same connection, after all of these.
    const last = headerBlock(postFields("/nothing", "application/json"));
    socket.write(frame(frameTypes.headers, endHeaders | endStream, 61, last));
    let received = "";
    for await (const chunk of socket) {
      received += String(chunk);
      if (received.includes("METHOD_UNKNOWN")) break;
    }
    expect(problemsOf(running)).toEqual([]);
    // Whatever was begun is told to have ended.
    await vi.waitUntil(() => running.log.some(({ fields }) => fields.reason === "METHOD_UNKNOWN"), 10_000);
  });

  test("after the first part of an answer ends that call alone", async () => {
    const running = runningOf("public");
    const client = connect(running.baseUrl);
    const stream = client.request({ ":method": "POST", ":path": watch, "content-type": "application/grpc" });
    stream.on("error", () => {});
    stream.end(envelope(0, ""));
    await once(stream, "data");
    stream.close(8);
    await vi.waitUntil(() => running.log.length === 1, 10_000);
    expect(running.log[0]).toMatchObject({ level: "debug", fields: { code: "canceled" } });
    client.destroy();
  });
});

describe("security rule (SR-INPUT-2): the last resort of a request", () => {
  const failing = new Map<string, () => void>([
    [
      "/throws",
      () => {
        throw new TypeError("inside");
      },
    ],
    ["/rejects", () => Promise.reject(new TypeError("inside")) as unknown as undefined],
  ]);

  test.each(["/throws", "/rejects"])("answers with fresh headers (%s)", async (path) => {
    const running = await startListener({ httpRoutes: failing });
    try {
      const answer = await call(running, { ":method": "GET", ":path": path });
      expect(answer.status).toBe(500);
      expect(answer.body).not.toContain("inside");
      const overHttp1 = await fetch(`${running.baseUrl}${path}`);
      expect(overHttp1.status).toBe(500);
      expect((await fetch(`${running.baseUrl}/health/alive`)).status).toBe(200);
    } finally {
      await running.close();
    }
  });

  test("ends the request where nothing can be answered, and no other one", async () => {
    // An answer that fails halfway, with its headers already out.
    const httpRoutes = new Map([
      [
        "/halfway",
        (exchange: { respond(answer: object): void }, headers: object) => {
          exchange.respond({ status: 200, headers, body: "x" });
          throw new TypeError("inside");
        },
      ],
    ]);
    const running = await startListener({ httpRoutes });
    try {
      await call(running, { ":method": "GET", ":path": "/halfway" }).catch(() => {});
      await fetch(`${running.baseUrl}/halfway`).catch(() => {});
      expect((await fetch(`${running.baseUrl}/health/alive`)).status).toBe(200);
      expect((await call(running, { ":method": "GET", ":path": "/health/alive" })).status).toBe(200);
    } finally {
      await running.close();
    }
  });
});
