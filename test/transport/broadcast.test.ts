import { once } from "node:events";
import { connect } from "node:http2";
import { setImmediate } from "node:timers/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.js";
import {
  SessionFeedService,
  WatchSessionsRequestSchema,
  WatchSessionsResponseSchema,
} from "../../gen/ostiary/session/v1/session_feed_service_pb.js";
import { domainError } from "../../src/domain/errors.ts";
import type { ListenerLimits } from "../../src/transport/net/protocol-servers.ts";
import type { Access } from "../../src/transport/rpc/access.ts";
import { type Receiver, SharedMessage } from "../../src/transport/rpc/stream/broadcast.ts";
import { encloseMessage } from "../../src/transport/rpc/unary/envelope.ts";
import {
  detailOf,
  errorOf,
  protocols,
  startListener,
  testAccess,
  testTenant,
  transportOf,
} from "./harness.ts";
import { open } from "./raw.ts";

const authorization = "Bearer ost_key_session:watch";
const path = "/ostiary.session.v1.SessionFeedService/WatchSessions";
const request = encloseMessage(toBinary(WatchSessionsRequestSchema, create(WatchSessionsRequestSchema)));
const limitBytes = 64 * 1024;

const messageOf = (sequence: bigint, count = 1) =>
  new SharedMessage(WatchSessionsResponseSchema, {
    event: {
      case: "changes",
      value: { changes: Array.from({ length: count }, () => ({ sequence, sessionId: "s".repeat(36) })) },
    },
  });

/** A listener that sends what it is told to all who watch. */
async function startBroadcast(limits: Partial<ListenerLimits> = {}, access?: Access) {
  const receivers = new Set<Receiver>();
  const implementation = {
    watchSessions: () => (receiver: Receiver) => {
      receivers.add(receiver);
      return () => receivers.delete(receiver);
    },
  };
  const running = await startListener({
    services: [{ service: SessionFeedService, implementation, broadcasts: true }],
    limits,
    ...(access && { access }),
  });
  onTestFinished(() => running.close());
  const watched = (count: number) =>
    vi.waitUntil(() => receivers.size === count, { timeout: 10_000, interval: 5 });
  const send = (message: SharedMessage) => {
    for (const receiver of [...receivers]) receiver.send(message);
  };
  return { running, watched, send };
}

describe.each(protocols)("over %s", (protocol) => {
  test("each receiver is sent the same messages in their order, which are encoded once", async () => {
    const { running, watched, send } = await startBroadcast();
    const client = createClient(
      SessionFeedService,
      transportOf(protocol, running.baseUrl, { authorization }),
    );
    const stopping = new AbortController();
    const streams = [1, 2, 3].map(() =>
      client.watchSessions({}, { signal: stopping.signal })[Symbol.asyncIterator](),
    );
    const first = Promise.all(streams.map((stream) => stream.next()));
    await watched(3);
    const messages = [1n, 2n, 3n].map((sequence) => messageOf(sequence));
    for (const message of messages) send(message);
    const codec = protocol.includes("JSON") ? "json" : "proto";
    const as = { codec, isText: false } as const;
    for (const message of messages) expect(message.encodedAs(as)).toBe(message.encodedAs(as));
    const received = [await first, ...[await Promise.all(streams.map((stream) => stream.next()))]];
    received.push(await Promise.all(streams.map((stream) => stream.next())));
    expect(
      received.map((each) =>
        each.map(({ value }) =>
          value?.event.case === "changes" ? value.event.value.changes[0]?.sequence : 0n,
        ),
      ),
    ).toEqual([1n, 2n, 3n].map((sequence) => [sequence, sequence, sequence]));
    const rests = streams.map((stream) => errorOf(stream.next()));
    stopping.abort();
    await Promise.all(rests);
    await watched(0);
  });
});

// Security rule (SR-LIMIT-13): what a client does not read has a bound.
describe("a client that does not read", () => {
  test("over HTTP/2 is given up with the reason behind what it has not read, and others are served", async () => {
    const { running, watched, send } = await startBroadcast({ streamBufferBytes: limitBytes });
    const client = connect(running.baseUrl);
    onTestFinished(() => client.destroy());
    const stream = client.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/connect+proto",
      authorization,
    });
    stream.on("error", () => {});
    stream.end(request);
    await once(stream, "response");
    stream.pause();
    const other = createClient(
      SessionFeedService,
      transportOf("gRPC binary", running.baseUrl, { authorization }),
    );
    const stopping = new AbortController();
    const reading = (async () => {
      let count = 0n;
      for await (const { event } of other.watchSessions({}, { signal: stopping.signal })) {
        if (event.case === "changes") count = event.value.changes[0]?.sequence ?? count;
        if (count === 1_000n) break;
      }
      return count;
    })();
    await watched(2);
    for (let sequence = 1n; sequence <= 1_000n; sequence++) {
      send(messageOf(sequence, 20));
      await setImmediate();
    }
    expect(await reading).toBe(1_000n);
    stopping.abort();
    await watched(0);
    // It may still read what it has been sent, and why there is no more.
    let answer = "";
    stream.setEncoding("latin1").on("data", (text: string) => {
      answer += text;
    });
    stream.resume();
    await once(stream, "end");
    expect(answer).toContain("STREAM_READER_TOO_SLOW");
    expect(answer).toContain('"resource_exhausted"');
    expect(answer.length).toBeLessThan(4 * limitBytes);
    const reasons = () => running.log.map(({ fields }) => fields.reason);
    await vi.waitUntil(() => reasons().includes("STREAM_READER_TOO_SLOW"), 10_000);
  });

  test("at all is cut off", async () => {
    const { running, watched, send } = await startBroadcast({
      streamBufferBytes: limitBytes,
      streamIdleTimeoutMs: 300,
      streamAccessIntervalMs: 20,
    });
    const socket = await open(running.port);
    socket.pause();
    socket.write(
      `POST ${path} HTTP/1.1\r\nhost: localhost\r\nauthorization: ${authorization}\r\n` +
        `content-type: application/connect+proto\r\ncontent-length: ${request.length}\r\n\r\n`,
    );
    socket.write(request);
    await watched(1);
    // More than the buffers of the system between both.
    for (let sequence = 1n; sequence < 400n; sequence++) {
      send(messageOf(sequence, 500));
      await setImmediate();
    }
    await watched(0);
    await vi.waitUntil(() => running.log.length > 0, 10_000);
    expect(running.log.map(({ fields }) => fields.reason)).toEqual(["STREAM_READER_TOO_SLOW"]);
    socket.destroy();
  });
});

// Security rule (SR-ACCESS-6): a stream does not outlive what opened it. The credential is looked up once for all its streams.
test("a credential is looked up once in each interval, however many streams it has opened", async () => {
  const sound = testAccess(testTenant());
  const looked: string[] = [];
  const revoked = new Set<string>();
  let isAway = false;
  const access: Access = {
    ...sound,
    admit: async (exchange, ...rest) => {
      const key = exchange.header("authorization") ?? "";
      looked.push(key);
      if (isAway) throw domainError("DATABASE_UNAVAILABLE", {});
      if (revoked.has(key)) throw domainError("API_KEY_REVOKED", {});
      return sound.admit(exchange, ...rest);
    },
  };
  const { running, watched } = await startBroadcast({ streamAccessIntervalMs: 50 }, access);
  const client = createClient(
    SessionFeedService,
    transportOf("gRPC binary", running.baseUrl, { authorization }),
  );
  const streams = Array.from({ length: 20 }, () =>
    errorOf(client.watchSessions({})[Symbol.asyncIterator]().next()),
  );
  await watched(20);
  looked.length = 0;
  // Without the database nobody knows, and nothing is told.
  isAway = true;
  await vi.waitUntil(() => looked.length >= 3, { timeout: 10_000, interval: 5 });
  isAway = false;
  revoked.add(authorization);
  const errors = await Promise.all(streams);
  expect(new Set(errors.map((error) => detailOf(error, ErrorInfoSchema)?.reason))).toEqual(
    new Set(["API_KEY_REVOKED"]),
  );
  expect(looked.length).toBeLessThan(20);
});
