// The stop of a process whose mail server does not answer.
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { freshEmail } from "../support/accounts.ts";
import { Caller, resultOf } from "../support/caller.ts";
import { createServerDatabase, type TestDatabase } from "../support/database.ts";
import { administer } from "../support/postgres.ts";
import { servingFrom, startServerProcess } from "../support/server-process.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await createServerDatabase();
});
afterAll(() => database.drop());

/** A mail server that takes a command or the content, and never answers it. */
async function aSilentServer(silentAt: "MAIL" | "content") {
  const reached = Promise.withResolvers<void>();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.write("220 here\r\n");
    let isContent = false;
    let text = "";
    socket.on("data", (chunk) => {
      text = isContent ? text + chunk : String(chunk);
      const verb = isContent ? "content" : text.slice(0, 4);
      if (isContent && !text.endsWith("\r\n.\r\n")) return;
      if (verb === silentAt) return reached.resolve();
      isContent = verb === "DATA";
      socket.write(isContent ? "354 go on\r\n" : "250 yes\r\n");
    });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return {
    port: (server.address() as AddressInfo).port,
    reached: reached.promise,
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** @see the trial operations/term: a mail server that hung made "at most 10s" 15.6 s long, and a longer time-out ended it with exit 1. */
test.each([
  ["before it has the mail: it is given back", "MAIL", { state: "queued", attempts: 0, leased: false }],
  // RFC 1047: it may have it.
  ["with the mail in its hands: it stays leased", "content", { state: "sending", attempts: 1, leased: true }],
] as const)(
  "a mail server that is silent %s, and the stop is as short as ever",
  async (_name, silentAt, expected) => {
    const mail = await aSilentServer(silentAt);
    const defaults = "OSTIARY_TENANT_DEFAULTS_COURIER_";
    const server = await startServerProcess([], {
      ...servingFrom(database),
      OSTIARY_DEV: "true",
      OSTIARY_SERVER_SHUTDOWN_TIMEOUT: "2s",
      [`${defaults}FROM_ADDRESS`]: "no-reply@example.com",
      [`${defaults}EMAIL_SMTP_URL`]: `smtp://127.0.0.1:${mail.port}`,
    });
    try {
      const { publicUrl, adminUrl } = server;
      const address = freshEmail();
      expect(resultOf(await new Caller({ publicUrl, adminUrl, apiKey: "" }).register(address))).toBe(
        "completed",
      );
      await mail.reached;
      // It ends with 1 if it has to be ended.
      expect(await server.end("SIGTERM")).toBe(0);
      const [message] = await administer(database.url, (query) =>
        query(
          `SELECT state, attempts, next_attempt_at > statement_timestamp() + interval '5 minutes' AS leased
          FROM ostiary.message WHERE recipient = $1`,
          [address],
        ),
      );
      expect(message).toEqual(expected);
    } finally {
      await server.end("SIGKILL");
      mail.close();
      await administer(database.url, (query) => query("DELETE FROM ostiary.message"));
    }
  },
  60_000,
);
