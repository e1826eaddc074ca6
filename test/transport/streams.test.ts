import { once } from "node:events";
import { connect, constants } from "node:http2";
import type { Socket } from "node:net";
import { setImmediate } from "node:timers/promises";
import { createClient, type HandlerContext } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.js";
import { SessionFeedService } from "../../gen/ostiary/session/v1/session_feed_service_pb.js";
import { domainError } from "../../src/domain/errors.ts";
import type { Access } from "../../src/transport/rpc/access.ts";
import {
  detailOf,
  errorOf,
  maxRequestBytes,
  protocols,
  type Running,
  startListener,
  testAccess,
  testTenant,
  transportOf,
} from "./harness.ts";
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

describe("a stream in both directions", () => {
  const json = (text: string) => Buffer.concat([envelope(text.length), Buffer.from(text)]);
  const question = json('{"listServices":""}');

  test("over HTTP/1.1 is answered once all was sent, and the connection answers the next request", async () => {
    const socket = await open(running.port);
    const answers = answersOf(socket);
    socket.write(
      `POST ${reflection} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/connect+json\r\n` +
        `content-length: ${2 * question.length}\r\n\r\n`,
    );
    socket.write(question);
    socket.write(question);
    const answer = await answers("\r\n0\r\n\r\n");
    expect(answer.split('"listServicesResponse"')).toHaveLength(3);
    socket.write("GET /health/alive HTTP/1.1\r\nhost: localhost\r\n\r\n");
    expect(await answers('{"status":"alive"}')).toContain("200 OK");
    socket.destroy();
  });

  describe("whose client keeps it waiting", () => {
    let impatient: Running;
    beforeAll(async () => {
      impatient = await startListener({ limits: { streamIdleTimeoutMs: 200 } });
    });
    afterAll(() => impatient.close());

    const begin = () => {
      const client = connect(impatient.baseUrl);
      const stream = client.request({
        ":method": "POST",
        ":path": reflection,
        "content-type": "application/connect+json",
      });
      stream.on("error", () => {});
      return { client, stream };
    };
    const logged = () => vi.waitUntil(() => impatient.log.at(-1)?.fields.reason, 10_000);

    test("for the next message ends with the reason", async () => {
      const { client, stream } = begin();
      stream.write(question);
      let answer = "";
      stream.setEncoding("utf8").on("data", (text: string) => {
        answer += text;
      });
      await once(stream, "close");
      expect(answer).toContain('"listServicesResponse"');
      expect(answer).toContain('"reason":"STREAM_IDLE"');
      expect(await logged()).toBe("STREAM_IDLE");
      client.close();
    });

    test("to read what it asked for is cut off", async () => {
      impatient.log.length = 0;
      const { client, stream } = begin();
      // Far more than the windows of a stream hold.
      for (let round = 0; round < 200; round++) stream.write(Buffer.concat(Array(20).fill(question)));
      stream.pause();
      expect(await logged()).toBe("STREAM_IDLE");
      // The control: a stream whose client reads takes as long as it takes.
      client.destroy();
      const other = begin();
      other.stream.resume();
      const started = performance.now();
      while (performance.now() - started < 600) {
        other.stream.write(question);
        await once(other.stream, "data");
      }
      expect(other.stream.closed).toBe(false);
      other.client.destroy();
    });
  });

  test("is told that the server stops", async () => {
    const stopping = await startListener();
    const client = connect(stopping.baseUrl);
    const stream = client.request({
      ":method": "POST",
      ":path": reflection,
      "content-type": "application/connect+json",
    });
    stream.write(question);
    let answer = "";
    stream.setEncoding("utf8").on("data", (text: string) => {
      answer += text;
    });
    await once(stream, "data");
    const [stopped] = [stopping.listener.close(10_000), once(stream, "close")];
    await stopped;
    expect(answer).toContain('"reason":"SERVER_STOPPING"');
  });
});

// Security rule (SR-ACCESS-6): a stream does not outlive what opened it.
describe.each(protocols)("a stream whose key is revoked, over %s,", (protocol) => {
  test.each(["ends quietly", "throws why", "takes no notice"])(
    "ends with the reason if its service %s",
    async (ends) => {
      const sound = testAccess(testTenant());
      let revoked = false;
      const access: Access = {
        ...sound,
        admit: async (...call) => {
          if (revoked) throw domainError("API_KEY_REVOKED", {});
          return sound.admit(...call);
        },
      };
      const implementation = {
        async *watchSessions(_request: object, { signal }: HandlerContext) {
          do {
            yield { event: { case: "heartbeat" as const, value: {} } };
            await (ends === "takes no notice" ? setImmediate() : aborted(signal));
          } while (ends === "takes no notice");
          if (ends === "throws why") signal.throwIfAborted();
        },
      };
      const watched = await startListener({
        access,
        services: [{ service: SessionFeedService, implementation }],
        limits: { streamAccessIntervalMs: 20 },
      });
      try {
        const headers = { authorization: "Bearer ost_key_session:watch" };
        const client = createClient(SessionFeedService, transportOf(protocol, watched.baseUrl, headers));
        const messages = client.watchSessions({})[Symbol.asyncIterator]();
        expect((await messages.next()).value?.event.case).toBe("heartbeat");
        revoked = true;
        const error = await errorOf(restOf(messages));
        expect(detailOf(error, ErrorInfoSchema)?.reason).toBe("API_KEY_REVOKED");
        await vi.waitUntil(() => watched.log.length > 0, 10_000);
        expect(watched.log.map(({ fields }) => fields.reason)).toEqual(["API_KEY_REVOKED"]);
      } finally {
        await watched.close();
      }
    },
  );
});

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

/** Reads a stream to its end. */
async function restOf(messages: AsyncIterator<unknown>): Promise<void> {
  while ((await messages.next()).done !== true);
}

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
