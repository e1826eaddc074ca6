import { once } from "node:events";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { endHeaders, frame, frameTypes, headerBlock, postFields, preface, reset } from "./frames.ts";
import { type Running, startListener } from "./harness.ts";
import { open } from "./raw.ts";

const path = "/ostiary.session.v1.SessionService/CheckSession";
const body = '{"token":"here"}';
const answer = '{"session":{"id":"here"}}';

let running: Running;
beforeAll(async () => {
  running = await startListener();
});
beforeEach(() => {
  running.log.length = 0;
});
afterAll(() => running.close());

const head = (length: string) =>
  `POST ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n${length}\r\n\r\n`;
const whole = `${head(`content-length: ${body.length}`)}${body}`;
const refusal = () => vi.waitUntil(() => running.log.at(-1)?.fields.reason, 10_000);

// A body that came with its head is read at once, one that comes later by listeners: neither may be mistaken for the other.
describe("over HTTP/1.1 a connection is answered, and answers again, whether a body comes", () => {
  test.each<[string, readonly string[], number]>([
    ["with its head", [whole, whole], 2],
    ["after its head", [head(`content-length: ${body.length}`), body, whole], 2],
    ["in two parts", [`${head(`content-length: ${body.length}`)}{"tok`, 'en":"here"}', whole], 2],
    ["in chunks", [`${head("transfer-encoding: chunked")}10\r\n${body}\r\n0\r\n\r\n`, whole], 2],
    [
      "in chunks of which the last comes later",
      [`${head("transfer-encoding: chunked")}10\r\n${body}\r\n`, "0\r\n\r\n", whole],
      2,
    ],
    ["with its head, before that of the next requests", [whole + whole + whole], 3],
    ["with its head, before a part of the next request", [whole + whole.slice(0, 40), whole.slice(40)], 2],
  ])("%s", async (_name, writes, count) => {
    const socket = await open(running.port);
    let received = "";
    socket.setEncoding("latin1").on("data", (text: string) => {
      received += text;
    });
    for (const text of writes) {
      socket.write(text);
      // In a packet of its own, and in a turn of its own of the server.
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    while (received.split(answer).length <= count) await once(socket, "data");
    expect(received.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(count);
    socket.destroy();
  });
});

describe("a client that goes away before its body has ended", () => {
  test("over HTTP/1.1 cancels the call", async () => {
    const socket = await open(running.port);
    socket.write(head("content-length: 100"));
    socket.write(body);
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.resetAndDestroy();
    expect(await refusal()).toBe("REQUEST_CANCELED");
  });

  // What has come of a body may be a whole message in Protobuf's binary form, whose later fields are missing.
  test("over HTTP/2 cancels the call by a reset, and the service is not called", async () => {
    const socket = await open(running.port);
    socket.on("error", () => {}).resume();
    const calls = running.seen.calls;
    const fields = headerBlock(postFields(path, "application/json"));
    const begun = [
      preface,
      frame(frameTypes.settings, 0, 0),
      frame(frameTypes.headers, endHeaders, 1, fields),
    ];
    const sent = Buffer.concat([...begun, frame(frameTypes.data, 0, 1, Buffer.from(body))]);
    socket.write(sent);
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.write(reset(1));
    expect(await refusal()).toBe("REQUEST_CANCELED");
    expect(running.seen.calls).toBe(calls);
    socket.destroy();
  });
});
