// The workers of a process on the real queue, with mail servers that answer when a test likes.
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { newMessage } from "../../src/domain/courier/message.ts";
import { MessageSender } from "../../src/domain/courier/message-sender.ts";
import { type CourierWorkers, startCourierWorkers } from "../../src/outbound/courier-worker.ts";
import { createSmtpTransport } from "../../src/outbound/smtp-transport.ts";
import { openTwoTenants, type TwoTenants } from "../storage/two-tenants.ts";
import { testOutbox } from "../support/messages.ts";
import { silentLogger } from "../support/postgres.ts";

let tenants: TwoTenants;
beforeAll(async () => {
  tenants = await openTwoTenants();
});
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  await tenants.rows("DELETE FROM ostiary.message");
});
afterAll(() => tenants.storage.close());

async function enqueue(count: number): Promise<void> {
  const content = { template: "password_changed", data: {} } as const;
  const messages = Array.from({ length: count }, (_, index) =>
    newMessage(content, new Date(), {
      channel: "email",
      recipient: `person${index}@example.com`,
      language: "en",
    }),
  );
  const sealed = messages.map((message) => testOutbox.seal(message));
  await tenants.storage.messages.enqueue(tenants.scope, sealed);
}

/** A command or content that a server was given, which waits for its answer. */
interface Asked {
  readonly verb: string;
  readonly say: (text: string) => void;
}

/** A mail server that answers all but some verbs by itself. `content` is what follows the final dot of a mail. */
async function aServer(held: readonly string[]) {
  const asked: Asked[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    const say = (text: string) => socket.write(`${text}\r\n`);
    let isContent = false;
    let received = "";
    const take = (verb: string) => {
      if (held.includes(verb)) asked.push({ verb, say });
      else say(verb === "DATA" ? "354 go on" : "250 yes");
    };
    say("220 here");
    socket.on("data", (chunk) => {
      received += chunk;
      for (;;) {
        const end = received.indexOf(isContent ? "\r\n.\r\n" : "\r\n");
        if (end < 0) return;
        const line = received.slice(0, end);
        received = received.slice(end + (isContent ? 5 : 2));
        const verb = isContent ? "content" : (line.split(/[ :]/)[0]?.toUpperCase() ?? "");
        isContent = verb === "DATA";
        take(verb);
      }
    });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  closers.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, asked };
}

function startWorkers(port: number, workers: number): CourierWorkers & { hangUp(): void } {
  const smtp = createSmtpTransport({
    server: { host: "127.0.0.1", port, implicitTls: false, login: undefined },
    allowPlainText: false,
    authorities: undefined,
    timeouts: { connectMs: 10_000 },
    from: { address: "no-reply@example.com", name: "Acme" },
  });
  closers.push(() => smtp.close());
  const sender = new MessageSender({
    store: tenants.storage.messages,
    outbox: testOutbox,
    renderer: {
      render: async () => ({ channel: "email", subject: "subject", text: "text", html: "<p>html</p>" }),
    },
    transports: { email: smtp },
    takeTextMessage: async () => undefined,
    noteAddressGone: async () => {},
    retry: { maxAttempts: 3, firstDelayMs: 1_000, maxDelayMs: 60_000 },
    clock: { now: () => new Date() },
    logger: silentLogger,
  });
  const running = startCourierWorkers({ sender, workers, logger: silentLogger, pollMs: 50 });
  let isStopped = false;
  closers.push(() => (isStopped ? undefined : running.stop(2_000)));
  return {
    wake: () => running.wake(),
    hangUp: () => smtp.close(),
    stop: async (withinMs) => {
      isStopped = true;
      await running.stop(withinMs);
    },
  };
}

const stateOf = (state: string) =>
  tenants.rows<{ id: string; attempts: number; seconds: number }>(
    `SELECT id, attempts, extract(epoch FROM next_attempt_at - statement_timestamp())::int AS seconds
      FROM ostiary.message WHERE state = '${state}'`,
  );
const patience = { timeout: 20_000, interval: 20 };

/** @see zitadel#11041: with eight workers a burst of forty went over two connections, twenty each, and the last was 19 s late. */
test("as many messages are sent at once as there are workers, no more and no fewer", async () => {
  const server = await aServer(["content"]);
  await enqueue(20);
  startWorkers(server.port, 8);
  await vi.waitUntil(() => server.asked.length === 8, patience);
  // One that is slow holds nobody but itself: the others go on.
  const [, ...others] = server.asked.splice(0);
  for (const { say } of others) say("250 taken");
  await vi.waitUntil(() => server.asked.length === 7, patience);
  expect(await stateOf("sending")).toHaveLength(8);
  expect(await stateOf("queued")).toHaveLength(5);
  for (const { say } of server.asked.splice(0)) say("250 taken");
  await vi.waitUntil(() => server.asked.length === 5, patience);
  expect(await stateOf("queued")).toEqual([]);
  for (const { say } of server.asked.splice(0)) say("250 taken");
  await vi.waitFor(async () => expect(await stateOf("sent")).toHaveLength(19), patience);
});

describe("a stop that ends before the server answers", () => {
  test("gives back what was not handed over, untried, and hangs up", async () => {
    const server = await aServer(["RCPT"]);
    await enqueue(3);
    const workers = startWorkers(server.port, 2);
    await vi.waitUntil(() => server.asked.length === 2, patience);
    await workers.stop(600);
    const queued = await stateOf("queued");
    expect(queued.map(({ attempts }) => attempts)).toEqual([0, 0, 0]);
    for (const { seconds } of queued) expect(seconds).toBeLessThanOrEqual(0);
  });

  // RFC 1047: nobody knows whether the server has it; sent by another process, it would come twice.
  test("leaves what was handed over leased until its answer would have been awaited", async () => {
    const server = await aServer(["content"]);
    await enqueue(3);
    const workers = startWorkers(server.port, 2);
    await vi.waitUntil(() => server.asked.length === 2, patience);
    await workers.stop(600);
    const sending = await stateOf("sending");
    expect(sending).toHaveLength(2);
    for (const { seconds } of sending) {
      expect(seconds).toBeGreaterThan(8 * 60);
      expect(seconds).toBeLessThanOrEqual(13 * 60);
    }
    // The process hangs up and ends. That tells nothing of whether the server has the mail.
    workers.hangUp();
    for (let look = 0; look < 10; look++) {
      expect(await stateOf("sending")).toHaveLength(2);
      await delay(30);
    }
    // The one that waited goes out with the next process, and only that one.
    expect(await stateOf("queued")).toHaveLength(1);
    const other = await aServer([]);
    startWorkers(other.port, 2);
    await vi.waitFor(async () => expect(await stateOf("sent")).toHaveLength(1), patience);
    expect(await stateOf("sending")).toHaveLength(2);
  });

  test("notes an answer that comes in time", async () => {
    const server = await aServer(["content"]);
    await enqueue(2);
    const workers = startWorkers(server.port, 2);
    await vi.waitUntil(() => server.asked.length === 2, patience);
    const stopped = workers.stop(30_000);
    for (const { say } of server.asked) say("250 taken");
    await stopped;
    expect(await stateOf("sent")).toHaveLength(2);
  });
});
