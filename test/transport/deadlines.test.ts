import { once } from "node:events";
import { connect } from "node:http2";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { envelope } from "./frames.ts";
import { type Running, startListener } from "./harness.ts";

const unary = "/ostiary.session.v1.SessionService/CheckSession";
const watch = "/grpc.health.v1.Health/Watch";
const token = '{"token":"x"}';

let running: Running;
const warnings: Error[] = [];
const note = (warning: Error) => warnings.push(warning);
beforeAll(async () => {
  running = await startListener();
  process.on("warning", note);
});
beforeEach(() => {
  running.log.length = 0;
  running.seen.calls = 0;
  warnings.length = 0;
});
afterAll(async () => {
  process.off("warning", note);
  await running.close();
});

const names: Record<string, string> = {
  "application/json": "connect-timeout-ms",
  "application/connect+json": "connect-timeout-ms",
  "application/grpc": "grpc-timeout",
  "application/grpc-web": "grpc-timeout",
};
const bodies: Record<string, Buffer> = {
  "application/json": Buffer.from(token),
  "application/connect+json": envelope(0, "{}"),
  "application/grpc": envelope(0, ""),
  "application/grpc-web": envelope(0, ""),
};

function begin(path: string, type: string, timeout: string) {
  const client = connect(running.baseUrl);
  const stream = client.request({
    ":method": "POST",
    ":path": path,
    "content-type": type,
    [names[type] ?? ""]: timeout,
  });
  stream.on("error", () => {});
  stream.end(bodies[type]);
  return { client, stream };
}

describe("a deadline that is none is refused", () => {
  const connectBad = [
    "0",
    "00",
    "0000000000",
    "-1",
    "1.5",
    "12345678901",
    "1s",
    "",
    "1e3",
    "NaN",
    "Infinity",
  ];
  const grpcBad = ["0S", "0n", "00000000m", "-1S", "1.5S", "123456789S", "1", "S", "1s", "1 S", "", "1SS"];
  test.each(
    ["application/json", "application/connect+json", "application/grpc", "application/grpc-web"].flatMap(
      (type) =>
        (names[type] === "grpc-timeout" ? grpcBad : connectBad).flatMap((timeout) =>
          (type.startsWith("application/grpc")
            ? [unary, watch]
            : [type === "application/json" ? unary : watch]
          ).map((path) => [timeout, type, path] as const),
        ),
    ),
  )("%j (%s, %s)", async (timeout, type, path) => {
    const { client, stream } = begin(path, type, timeout);
    let body = "";
    const trailers: string[] = [];
    for (const event of ["response", "trailers"]) {
      stream.on(event, (fields) => trailers.push(JSON.stringify(fields)));
    }
    for await (const chunk of stream) body += String(chunk);
    const said = body + trailers.join();
    client.destroy();
    expect(said).toMatch(/positive( |%20)integer/);
    expect(said).toMatch(/invalid_argument|"grpc-status":"?3|grpc-status: 3/);
    expect(running.log.filter(({ level }) => level === "error")).toEqual([]);
    expect(running.seen.calls).toBe(0);
  });
});

// A stream with a deadline beyond what a timer holds ended after its first message, with a warning on standard error.
describe("a stream with a deadline that is far away goes on", () => {
  test.each([
    ["application/grpc", "2147484S"],
    ["application/grpc", "99999999H"],
    ["application/grpc", "99999999M"],
    ["application/grpc-web", "99999999S"],
    ["application/connect+json", "2147483648"],
    ["application/connect+json", "9999999999"],
  ])("%s, %s", async (type, timeout) => {
    const { client, stream } = begin(watch, type, timeout);
    await once(stream, "data");
    const next = once(stream, "data");
    running.readiness.report("database", false);
    await next;
    running.readiness.report("database", true);
    expect(stream.closed).toBe(false);
    client.destroy();
    await vi.waitUntil(() => running.log.length > 0, 10_000);
    expect(running.log[0]?.fields).toMatchObject({ code: "canceled" });
    expect(warnings).toEqual([]);
  });

  test.each([
    ["application/grpc", "99999999H"],
    ["application/json", "9999999999"],
  ])("and a unary call is served (%s, %s)", async (type, timeout) => {
    const { client, stream } = begin(unary, type, timeout);
    for await (const _chunk of stream);
    client.destroy();
    expect(warnings).toEqual([]);
  });
});

test("a stream ends at its deadline", async () => {
  const { client, stream } = begin(watch, "application/grpc", "200m");
  stream.resume();
  const [trailers] = (await once(stream, "trailers")) as [Record<string, string>];
  expect(trailers["grpc-status"]).toBe("4");
  client.destroy();
});
