import { once } from "node:events";
import { connect, constants } from "node:http2";
import type { Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { maxRequestBytes, type Running, startListener } from "./harness.ts";
import { open } from "./raw.ts";

const reflection = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
let running: Running;
beforeAll(async () => {
  running = await startListener();
});
afterAll(() => running.close());

/** The head of a message of this length. */
function envelope(length: number): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(length, 1);
  return head;
}

describe("a stream that is refused before its request ends", () => {
  // The client's window was full and nobody read on: both sides waited for each other for ever.
  test("over gRPC is told the status, and ends although more than a window of it is unread", async () => {
    const client = connect(running.baseUrl);
    const stream = client.request({
      ":method": "POST",
      ":path": reflection,
      "content-type": "application/grpc",
      te: "trailers",
    });
    const [head, closed] = [once(stream, "response"), once(stream, "close")];
    const trailers = new Promise<Record<string, unknown>>((resolve) => stream.once("trailers", resolve));
    stream.resume();
    stream.write(Buffer.concat([envelope(maxRequestBytes + 1), Buffer.alloc(1024 * 1024)]));
    const [headers] = await head;
    const status = headers["grpc-status"] ?? (await trailers)["grpc-status"];
    expect(status).toBe("8");
    await closed;
    expect(stream.rstCode).toBe(constants.NGHTTP2_NO_ERROR);
    client.close();
    await once(client, "close");
  });

  // What was left of the body stayed before the next request, which was then never answered.
  test("over HTTP/1.1 leaves a connection that answers the next request", async () => {
    const socket = await open(running.port);
    const answers = answersOf(socket);
    const body = Buffer.concat([envelope(maxRequestBytes + 1), Buffer.alloc(1024 * 1024)]);
    socket.write(
      `POST /grpc.health.v1.Health/Watch HTTP/1.1\r\nhost: localhost\r\n` +
        `content-type: application/connect+proto\r\ncontent-length: ${body.length}\r\n\r\n`,
    );
    socket.write(body);
    expect(await answers("\r\n0\r\n\r\n")).toContain('"code":"resource_exhausted"');
    socket.write("GET /health/alive HTTP/1.1\r\nhost: localhost\r\n\r\n");
    expect(await answers('{"status":"alive"}')).toContain("200 OK");
    socket.destroy();
  });
});

/** Reads a connection up to a mark, and gives what came before it. */
function answersOf(socket: Socket): (mark: string) => Promise<string> {
  let received = "";
  socket.setEncoding("latin1").on("data", (text: string) => {
    received += text;
  });
  return async (mark) => {
    while (!received.includes(mark)) await once(socket, "data");
    const answer = received;
    received = "";
    return answer;
  };
}
