// Mail servers and providers that strangers made by hand: mail/provider, mail/raw2, mail/rawsmtp and mail/tf1.

import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { readSmtpUrl } from "../../src/config/smtp-server.ts";
import { Attempt } from "../../src/domain/courier/attempt.ts";
import type { Delivery } from "../../src/domain/courier/delivery.ts";
import { newId } from "../../src/domain/ids.ts";
import { Secret } from "../../src/domain/secret.ts";
import { createGuardedFetch } from "../../src/outbound/guarded-fetch.ts";
import { createHttpTransport } from "../../src/outbound/http-transport.ts";
import { createSmtpTransport } from "../../src/outbound/smtp-transport.ts";

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const from = { address: "no-reply@example.com", name: "Acme" };
const mail: Delivery = {
  id: newId(new Date()),
  template: "login_code",
  language: "de",
  recipient: "ada@example.com",
  message: { channel: "email", subject: "Code", text: "123456", html: "<p>123456</p>" },
  confidential: ["123456"],
};
const sent = { kind: "sent" };
const later = { kind: "failed", permanent: false };
const outage = { ...later, isOutage: true };
const never = { kind: "failed", permanent: true };

/** A server of which the test writes each byte. */
async function aServer(onConnection: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    // What is tried here is which side hangs up first.
    socket.on("error", () => {});
    onConnection(socket);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  closers.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

describe("an HTTP provider that answers", () => {
  const answer = (status: string, body = "", headers = `content-length: ${body.length}\r\n`) =>
    `HTTP/1.1 ${status}\r\n${headers}\r\n${body}`;

  test.each<[string, string, "keep" | "drop", object]>([
    ["200", answer("200 OK", "{}"), "keep", sent],
    ["201 with an id", answer("201 Created", '{"id":"x"}'), "keep", sent],
    ["202", answer("202 Accepted"), "keep", sent],
    ["204", answer("204 No Content", "", ""), "keep", sent],
    ["204 with a body", answer("204 No Content", "hello"), "drop", sent],
    ["102 before 202", `HTTP/1.1 102 Processing\r\n\r\n${answer("202 Accepted")}`, "keep", sent],
    ["202 with half a body", answer("202 Accepted", "half", "content-length: 1000\r\n"), "drop", sent],
    ["202 with 3 MB", answer("202 Accepted", "x".repeat(3_000_000)), "keep", sent],
    [
      "200 without an end",
      answer("200 OK", "5\r\nhello\r\n", "transfer-encoding: chunked\r\n"),
      "keep",
      sent,
    ],
    ["nothing", "", "drop", later],
    ["429", answer("429 Too Many Requests", "", "retry-after: 3\r\ncontent-length: 0\r\n"), "keep", later],
    ["503", answer("503 Service Unavailable"), "keep", later],
    ["307", answer("307 Temporary Redirect", "", "location: /x\r\ncontent-length: 0\r\n"), "keep", later],
    ["422", answer("422 Unprocessable", '{"error":"no 123456"}'), "keep", never],
    ["nonsense", "hello\r\n\r\n", "drop", later],
  ])("%s", async (_name, bytes, then, expected) => {
    let requests = 0;
    const port = await aServer((socket) => {
      let received = "";
      socket.on("data", (chunk) => {
        received += chunk;
        const [, length = "0"] = /content-length: (\d+)/i.exec(received) ?? [];
        const [head = "", body] = received.split("\r\n\r\n", 2);
        if (body === undefined || received.length < head.length + 4 + Number(length)) return;
        received = "";
        requests++;
        socket.write(bytes, () => then === "drop" && socket.end());
      });
    });
    const http = createGuardedFetch({ allowedPrivateHosts: [`127.0.0.1:${port}`], extraPorts: [] });
    closers.push(() => http.close());
    const url = `http://127.0.0.1:${port}/messages`;
    const clock = { now: () => new Date() };
    const transport = createHttpTransport({
      url: () => new Secret(url),
      signingSecrets: () => [],
      from,
      http,
      timeoutMs: 5_000,
      clock,
    });
    const result = await transport.deliver(mail, new Attempt());
    expect(result).toMatchObject(expected);
    expect(requests).toBe(1);
    expect(JSON.stringify(result)).not.toContain("123456");
  });
});

describe("a mail server that says", () => {
  /** What it says to a command, by its first word; 250 to all others. "drop": it hangs up. */
  type Script = Readonly<Record<string, string>>;

  test.each<[string, Script, object]>([
    // What is wrong with us or with the server is put right by somebody, so no message is given up for it.
    ["530 to MAIL: log in first", { MAIL: "530 5.7.0 Authentication required" }, outage],
    ["530 to MAIL: STARTTLS first", { MAIL: "530 5.7.0 Must issue a STARTTLS command first" }, outage],
    ["538 to MAIL: encrypt first", { MAIL: "538 5.7.11 Encryption required" }, outage],
    ["553 to MAIL: not our sender", { MAIL: "553 5.7.1 Sender address rejected" }, outage],
    ["550 to MAIL: not our network", { MAIL: "550 5.7.1 Client host blocked" }, outage],
    ["530 to RCPT", { RCPT: "530 5.7.0 Authentication required" }, outage],
    ["530 to DATA", { DATA: "530 5.7.0 Authentication required" }, outage],
    ["554 to RCPT: no relay", { RCPT: "554 5.7.1 <ada@example.com>: Relay access denied" }, outage],
    ["535 to the content", { content: "535 5.7.8 credentials invalid" }, outage],
    ["550 to the content: DMARC", { content: "550 5.7.26 unauthenticated mail" }, outage],
    ["452 to MAIL: full", { MAIL: "452 4.3.1 insufficient system storage" }, outage],
    ["502 to DATA", { DATA: "502 5.5.1 not implemented" }, outage],
    ["421 to MAIL", { MAIL: "421 4.3.2 shutting down" }, outage],
    ["554 for a greeting", { greeting: "554 5.3.2 no service" }, outage],
    ["421 for a greeting", { greeting: "421 4.7.0 too many connections" }, outage],
    ["nothing to RCPT", { RCPT: "drop" }, outage],
    [
      "450 to RCPT in lines",
      { RCPT: `450-4.2.0 one\r\n450-two\u001b[31m\r\n450 ${"x".repeat(4000)}` },
      later,
    ],
    ["452 to the content", { content: "452 4.3.1 full" }, outage],
    ["nothing to the content", { content: "drop" }, outage],
    // What is wrong with the message stays wrong.
    ["552 to MAIL: too big", { MAIL: "552 5.3.4 message too big" }, never],
    ["550 to RCPT", { RCPT: "550 5.1.1 no such user" }, never],
    ["550 to the content", { content: "550 5.7.1 spam" }, never],
    ["250 to everything", {}, sent],
  ])("%s", async (_name, script, expected) => {
    const port = await aServer((socket) => talk(socket, script));
    const read = readSmtpUrl(`smtp://127.0.0.1:${port}`, "url");
    if (read.kind === "wrong") throw new Error(JSON.stringify(read.problems));
    const transport = createSmtpTransport({
      server: read.server,
      allowPlainText: true,
      authorities: undefined,
      timeouts: { connectMs: 5_000 },
      from,
    });
    closers.push(() => transport.close());
    const result = await transport.deliver(mail, new Attempt());
    expect(result).toMatchObject(expected);
    // What it said may quote the address, which is in the record already.
    expect(JSON.stringify(result)).not.toMatch(/ada@example\.com|123456/);
  });

  function talk(socket: Socket, script: Script): void {
    let isContent = false;
    let received = "";
    const say = (key: string, otherwise: string) => {
      const said = script[key] ?? otherwise;
      if (said === "drop") socket.destroy();
      else socket.write(`${said}\r\n`);
    };
    say("greeting", "220 strict.example.com ESMTP");
    socket.on("data", (chunk) => {
      received += chunk;
      if (isContent) {
        if (!received.endsWith("\r\n.\r\n")) return;
        isContent = false;
        received = "";
        say("content", "250 2.0.0 queued");
        return;
      }
      if (!received.endsWith("\r\n")) return;
      const [verb = ""] = received.toUpperCase().split(/[ \r:]/);
      received = "";
      isContent = verb === "DATA";
      say(verb, isContent ? "354 go" : "250 ok");
    });
  }
});
