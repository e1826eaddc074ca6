import { once } from "node:events";
import { connect, constants, type IncomingHttpHeaders } from "node:http2";
import { gzipSync } from "node:zlib";
import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { endHeaders, endStream, envelope, frame, frameTypes, preface } from "./frames.ts";
import { maxRequestBytes, type Running, startListener, testAccess, testTenant } from "./harness.ts";
import { exchangeBytes, open, parseResponse, post, readAll } from "./raw.ts";

const unary = "/ostiary.session.v1.SessionService/CheckSession";
const watch = "/grpc.health.v1.Health/Watch";
const reflection = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
const idleTimeoutMs = 300;

let running: Running;
beforeAll(async () => {
  const limits = { headerTimeoutMs: 300, requestTimeoutMs: 300, idleTimeoutMs };
  running = await startListener({ limits });
});
beforeEach(() => {
  running.log.length = 0;
});
afterAll(() => running.close());

const json = { "content-type": "application/json" };
const chunked = { ...json, "transfer-encoding": "chunked" };
const length = (body: string | Buffer) => ({ "content-length": String(Buffer.byteLength(body)) });

interface Refused {
  readonly status: number;
  readonly code: string;
  readonly reason: string;
}

/** The error in an answer of Connect: the body, or the end of a stream. */
function refusalOf(text: string): Refused {
  const { status, body } = parseResponse(text);
  const error = JSON.parse(/\{.*\}/s.exec(body)?.[0] ?? "null") as {
    code: string;
    details: { debug: { reason: string } }[];
    error?: { code: string; details: { debug: { reason: string } }[] };
  };
  const { code, details } = error.error ?? error;
  return { status, code, reason: details[0]?.debug.reason ?? "" };
}

describe("what is no proper HTTP/1.1 is answered with a reason, and the connection ends", () => {
  const malformed = { status: 400, code: "invalid_argument", reason: "REQUEST_MALFORMED" };
  test.each<[string, string, Partial<Refused>]>([
    ["both lengths", post(unary, { ...chunked, "content-length": "2" }, "2\r\n{}\r\n0\r\n\r\n"), malformed],
    ["an unknown coding", post(unary, { ...json, "transfer-encoding": "xchunked" }, "{}"), malformed],
    [
      "a coding after chunked",
      post(unary, { ...json, "transfer-encoding": "chunked, gzip" }, "{}"),
      malformed,
    ],
    [
      "a space before a colon",
      post(unary, { ...json, "transfer-encoding ": "chunked" }, "0\r\n\r\n"),
      malformed,
    ],
    ["two lengths", post(unary, { ...json, "content-length": "2\r\ncontent-length: 3" }, "{}"), malformed],
    ["a negative length", post(unary, { ...json, "content-length": "-1" }, ""), malformed],
    ["a shorter length", post(unary, { ...json, "content-length": "3" }, "{}{}{}"), malformed],
    ["a bad chunk size", post(unary, chunked, "zz\r\n{}\r\n0\r\n\r\n"), malformed],
    ["a null in a header", post(unary, { ...json, "x-a": "a\0b" }, "{}"), malformed],
    ["bare line feeds", `POST ${unary} HTTP/1.1\nhost: x\n\n`, malformed],
    ["no host", `POST ${unary} HTTP/1.1\r\ncontent-length: 0\r\n\r\n`, malformed],
    [
      "large headers",
      post(unary, { ...json, "x-a": "a".repeat(300_000) }, ""),
      { status: 431, code: "resource_exhausted", reason: "HEADERS_TOO_LARGE" },
    ],
    [
      "large trailers",
      post(unary, chunked, `2\r\n{}\r\n0\r\nx: ${"a".repeat(300_000)}\r\n\r\n`),
      { status: 431 },
    ],
    [
      "large extensions",
      post(unary, chunked, `2;${"a".repeat(100_000)}\r\n{}\r\n0\r\n\r\n`),
      { status: 413 },
    ],
    [
      "half a head",
      `POST ${unary} HTTP/1.1\r\nhost: x\r\n`,
      { status: 408, code: "deadline_exceeded", reason: "REQUEST_TIMEOUT" },
    ],
    [
      "half a body",
      post(unary, { ...json, "content-length": "9" }, "{"),
      { code: "deadline_exceeded", reason: "REQUEST_TIMEOUT" },
    ],
  ])("%s", async (_name, bytes, refusal) => {
    expect(refusalOf(await exchangeBytes(running.port, bytes))).toMatchObject(refusal);
    expect(running.seen.calls).toBe(0);
  });

  const big = "a".repeat(10 * 1024 * 1024);
  test.each([
    ["10 MB", post(unary, { ...json, ...length(big) }, big)],
    ["10 MB in a chunk", post(unary, chunked, `a00000\r\n${big}\r\n0\r\n\r\n`)],
  ])("%s", async (_name, bytes) => {
    // On a busy machine the short time of a request would end it first.
    const patient = await startListener();
    try {
      const answer = await exchangeBytes(patient.port, bytes);
      expect(refusalOf(answer)).toMatchObject({ status: 429, reason: "REQUEST_TOO_LARGE" });
      expect(patient.seen.calls).toBe(0);
    } finally {
      await patient.close();
    }
  });
});

describe("a stream over HTTP/1.1 names the reason", () => {
  const connectJson = { "content-type": "application/connect+json" };
  test.each<[string, string, Buffer, Record<string, string>, Partial<Refused>]>([
    [
      "of broken JSON",
      watch,
      envelope(0, "{"),
      {},
      { code: "invalid_argument", reason: "REQUEST_MALFORMED" },
    ],
    ["of half an envelope", watch, Buffer.alloc(3), {}, { reason: "REQUEST_MALFORMED" }],
    [
      "of deep JSON",
      watch,
      envelope(0, `{"service":${"[".repeat(50_000)}`),
      {},
      { reason: "REQUEST_MALFORMED" },
    ],
    [
      "of a bomb",
      watch,
      envelope(1, gzipSync(Buffer.alloc(30_000_000))),
      { "connect-content-encoding": "gzip" },
      { code: "resource_exhausted", reason: "REQUEST_TOO_LARGE" },
    ],
    [
      "of an unknown compression",
      watch,
      envelope(0, "{}"),
      { "connect-content-encoding": "br" },
      { code: "unimplemented", reason: "REQUEST_MALFORMED" },
    ],
    [
      "of two messages where one is wanted",
      watch,
      Buffer.concat([envelope(0, "{}"), envelope(0, "{}")]),
      {},
      { code: "unimplemented", reason: "REQUEST_MALFORMED" },
    ],
    [
      "of both directions, whose messages are too large together",
      reflection,
      Buffer.concat(Array.from({ length: 3 }, () => envelope(0, Buffer.alloc(maxRequestBytes / 2, " ")))),
      {},
      { code: "resource_exhausted", reason: "REQUEST_TOO_LARGE" },
    ],
    [
      "of both directions over gRPC, which needs HTTP/2",
      reflection,
      envelope(0, ""),
      { "content-type": "application/grpc" },
      { status: 505, reason: "REQUEST_MALFORMED" },
    ],
    [
      "of gRPC, which needs HTTP/2",
      watch,
      envelope(0, ""),
      { "content-type": "application/grpc" },
      { status: 505, reason: "REQUEST_MALFORMED" },
    ],
  ])("%s", async (_name, path, body, headers, refusal) => {
    const head = post(path, { ...connectJson, ...headers, ...length(body) }, "");
    const answer = await exchangeBytes(running.port, Buffer.concat([Buffer.from(head), body]));
    expect(refusalOf(answer)).toMatchObject(refusal);
  });

  test("and the limit that it breaks", async () => {
    const body = envelope(0, Buffer.alloc(100), maxRequestBytes + 1);
    const head = post(watch, { "content-type": "application/connect+json", ...length(body) }, "");
    const answer = await exchangeBytes(running.port, Buffer.concat([Buffer.from(head), body]));
    expect(answer).toContain(`"limitBytes":"${maxRequestBytes}"`);
  });
});

describe("an HTTP/2 connection", () => {
  // POST and http from the static table, then authority, path and content type literally (RFC 7541, section 6).
  const head = Buffer.concat([
    Buffer.from([0x83, 0x86, 0x01, 1]),
    Buffer.from("x"),
    Buffer.from([0x04, unary.length]),
    Buffer.from(unary),
    Buffer.from([0x0f, 0x10, 16]),
    Buffer.from("application/json"),
  ]);

  async function closedBy(frames: readonly Buffer[]): Promise<Buffer> {
    const socket = await open(running.port);
    const all = readAll(socket);
    socket.write(Buffer.concat([preface, frame(frameTypes.settings, 0, 0), ...frames]));
    return all;
  }

  test("control: these frames are a call that is answered", async () => {
    const answer = await closedBy([frame(frameTypes.headers, endHeaders | endStream, 1, head)]);
    expect(answer.toString("latin1")).toContain("REQUEST_MALFORMED");
  });

  // It was told to go away after the idle time, and kept open for ever.
  test("with half a request is closed after the idle time", async () => {
    await closedBy([frame(frameTypes.headers, 0, 1, head)]);
  });

  test("whose answers are not read is closed after the idle time", async () => {
    const noWindow = frame(frameTypes.settings, 0, 0, Buffer.from([0, 4, 0, 0, 0, 0]));
    await closedBy([noWindow, frame(frameTypes.headers, endHeaders | endStream, 1, head)]);
    await vi.waitUntil(() => running.log.length === 1, 10_000);
  });

  test("that resets each of 20,000 calls is closed, and the server answers others", async () => {
    const code = Buffer.alloc(4);
    const resets = Array.from({ length: 20_000 }, (_, index) =>
      Buffer.concat([
        frame(frameTypes.headers, endHeaders | endStream, 2 * index + 1, head),
        frame(frameTypes.rst, 0, 2 * index + 1, code),
      ]),
    );
    await closedBy(resets);
    const answer = await exchangeBytes(running.port, post(unary, { ...json, ...length("{}") }, "{}"));
    expect(parseResponse(answer).status).toBe(400);
    expect(running.log.filter(({ level }) => level === "error")).toEqual([]);
  });

  test("with a quiet stream stays, although it is idle", async () => {
    const client = connect(running.baseUrl);
    const stream = client.request({ ":method": "POST", ":path": watch, "content-type": "application/grpc" });
    stream.end(envelope(0, ""));
    await once(client, "goaway");
    expect(stream.closed).toBe(false);
    stream.close(constants.NGHTTP2_CANCEL);
    await once(client, "close");
  });
});

describe("a server stream", () => {
  test("whose request never comes ends with the time of a request", async () => {
    const client = connect(running.baseUrl);
    const stream = client.request({ ":method": "POST", ":path": watch, "content-type": "application/grpc" });
    const [headers] = await once(stream, "response");
    stream.resume();
    const status = headers["grpc-status"] ?? (await once(stream, "trailers"))[0]["grpc-status"];
    expect(status).toBe("4");
    client.destroy();
    await vi.waitUntil(() => running.log.length === 1, 10_000);
  });

  test("whose client goes away before it asked is canceled, and no error of the server", async () => {
    const client = connect(running.baseUrl);
    const stream = client.request({ ":method": "POST", ":path": watch, "content-type": "application/grpc" });
    stream.on("error", () => {});
    await once(client, "remoteSettings");
    client.destroy();
    await vi.waitUntil(() => running.log.length > 0, 10_000);
    expect(running.log).toHaveLength(1);
    expect(running.log[0]?.fields).toMatchObject({ code: "canceled" });
  });
});

describe("an empty body that ends while the caller is looked up is read at once", () => {
  test("by a stream", async () => {
    const headers = { ":path": watch, "content-type": "application/grpc", te: "trailers" };
    const { trailers } = await answerToEmptyBody(headers);
    expect(trailers["grpc-status"]).toBe(String(Code.Unimplemented));
  });

  test("by a unary call", async () => {
    const { headers } = await answerToEmptyBody({ ":path": unary, ...json });
    expect(headers[":status"]).toBe(400);
  });

  /** What the server answers if it looks the caller up until the whole request is there. */
  async function answerToEmptyBody(sent: Record<string, string>) {
    const access = testAccess(testTenant());
    const arrived = Promise.withResolvers<void>();
    const slow = await startListener({
      limits: { headerTimeoutMs: 300, requestTimeoutMs: 300 },
      access: { ...access, admit: (...call) => arrived.promise.then(() => access.admit(...call)) },
    });
    const client = connect(slow.baseUrl);
    try {
      const stream = client.request({ ":method": "POST", ...sent });
      let headers: IncomingHttpHeaders = {};
      let trailers: IncomingHttpHeaders = {};
      stream.on("response", (received) => {
        headers = received;
      });
      stream.on("trailers", (received) => {
        trailers = received;
      });
      stream.end();
      stream.resume();
      // A ping is answered after all that came before it was read.
      client.ping(() => setImmediate(arrived.resolve));
      await once(stream, "close");
      return { headers, trailers };
    } finally {
      client.close();
      await slow.close();
    }
  }
});
