import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { Webhook } from "standardwebhooks";
import { afterEach, describe, expect, test } from "vitest";
import { Attempt } from "../../src/domain/courier/attempt.ts";
import type { Delivery } from "../../src/domain/courier/delivery.ts";
import { newId } from "../../src/domain/ids.ts";
import { Secret } from "../../src/domain/secret.ts";
import { createGuardedFetch } from "../../src/outbound/guarded-fetch.ts";
import { createHttpTransport } from "../../src/outbound/http-transport.ts";

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A provider that answers with these statuses, one after the other, the last for good; a body that is undefined has no end. */
async function aProvider(
  ...answers: readonly (readonly [
    status: number,
    headers?: Record<string, string>,
    body?: string | undefined,
  ])[]
) {
  const received: Received[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    received.push({ headers: request.headers, body: Buffer.concat(chunks).toString() });
    const answer = answers[Math.min(received.length, answers.length) - 1] ?? [204];
    const [status, headers, body] = answer;
    if (status === 0) request.socket.destroy();
    else if (status > 0 && answer.length > 2 && body === undefined)
      response.writeHead(status, headers).write("begun");
    else if (status > 0) response.writeHead(status, headers).end(body ?? "quotes 123456");
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  closers.push(() => server.closeAllConnections());
  closers.push(() => server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/messages`, received };
}

const secrets = [1, 2].map((byte) => `whsec_${Buffer.alloc(32, byte).toString("base64")}`);

/** The guarded fetch of a configuration that opens the provider's address on loopback. */
function fetchTo(url: string) {
  const guarded = createGuardedFetch({ allowedPrivateHosts: [new URL(url).host], extraPorts: [] });
  closers.push(() => guarded.close());
  return guarded;
}

function transportTo(url: string, signing = secrets.slice(0, 1), timeoutMs = 5_000) {
  const transport = createHttpTransport({
    url: () => new Secret(url),
    signingSecrets: () => signing.map((secret) => new Secret(secret)),
    from: { address: "no-reply@example.com", name: "Acme" },
    http: fetchTo(url),
    timeoutMs,
    clock: { now: () => new Date() },
  });
  return { deliver: (delivery: Delivery) => transport.deliver(delivery, new Attempt()) };
}

const mail: Delivery = {
  id: newId(new Date()),
  template: "login_code",
  language: "de",
  recipient: "ada@example.com",
  message: { channel: "email", subject: "Code", text: "123456", html: "<p>123456</p>" },
  confidential: ["123456"],
};

describe("a mail over HTTP", () => {
  test("arrives as JSON, signed as Standard Webhooks has it, with its id as the key of idempotency", async () => {
    const provider = await aProvider([200]);
    expect(await transportTo(provider.url).deliver(mail)).toEqual({ kind: "sent" });
    const [received] = provider.received;
    if (received === undefined) throw new Error("nothing arrived");
    expect(received.headers).toMatchObject({
      "content-type": "application/json",
      "webhook-id": mail.id,
      "idempotency-key": mail.id,
    });
    const headers = received.headers as Record<string, string>;
    expect(new Webhook(secrets[0] ?? "").verify(received.body, headers)).toMatchObject({
      type: "message.email",
      data: {
        message_id: mail.id,
        recipient: "ada@example.com",
        from: { address: "no-reply@example.com", name: "Acme" },
        language: "de",
        template: "login_code",
        subject: "Code",
        text: "123456",
        html: "<p>123456</p>",
      },
    });
    // The control: a changed body is noticed.
    expect(() => new Webhook(secrets[0] ?? "").verify(`${received.body} `, headers)).toThrow();
  });

  test("carries a signature of each secret, so that they can be rotated", async () => {
    const provider = await aProvider([200]);
    await transportTo(provider.url, secrets).deliver(mail);
    const [received] = provider.received;
    for (const secret of secrets) {
      const verified = new Webhook(secret).verify(
        received?.body ?? "",
        received?.headers as Record<string, string>,
      );
      expect(verified).toMatchObject({ type: "message.email" });
    }
  });

  test("keeps its id and signs anew when it is tried again", async () => {
    const provider = await aProvider([500], [200]);
    const transport = transportTo(provider.url);
    await transport.deliver(mail);
    await transport.deliver(mail);
    expect(provider.received.map(({ headers }) => headers["webhook-id"])).toEqual([mail.id, mail.id]);
  });
});

test("a text message has neither subject nor sender", async () => {
  const provider = await aProvider([200]);
  const transport = createHttpTransport({
    url: () => new Secret(provider.url),
    signingSecrets: () => [new Secret(secrets[0] ?? "")],
    from: undefined,
    http: fetchTo(provider.url),
    timeoutMs: 5_000,
    clock: { now: () => new Date() },
  });
  const delivery: Delivery = {
    ...mail,
    recipient: "+491712345678",
    message: { channel: "sms", text: "123456" },
  };
  await transport.deliver(delivery, new Attempt());
  const body = JSON.parse(provider.received[0]?.body ?? "{}") as { type: string; data: object };
  expect(body.type).toBe("message.sms");
  expect(Object.keys(body.data).sort()).toEqual(["language", "message_id", "recipient", "template", "text"]);
});

describe("what the provider answers", () => {
  test.each([
    [200, "sent", undefined],
    [202, "sent", undefined],
    [301, "failed", false],
    [400, "failed", true],
    // Our key, our account, a firewall, a wrong address: somebody will put it right.
    [401, "failed", false],
    [402, "failed", false],
    [403, "failed", false],
    [404, "failed", false],
    [405, "failed", false],
    [408, "failed", false],
    [422, "failed", true],
    [429, "failed", false],
    [500, "failed", false],
    [503, "failed", false],
  ])("%i: %s, for good: %s", async (status, kind, permanent) => {
    const provider = await aProvider([status, { location: "/elsewhere" }]);
    const result = await transportTo(provider.url).deliver(mail);
    expect(result).toMatchObject(permanent === undefined ? { kind } : { kind, permanent });
    if (permanent !== undefined) expect(result).toMatchObject({ isOutage: !permanent });
    // Redirects are not followed; of what is said the code is not kept.
    expect(provider.received).toHaveLength(1);
    expect(JSON.stringify(result)).not.toContain("123456");
    if (kind === "failed")
      expect(result).toMatchObject({ error: `the provider answered ${status}: quotes [code]` });
  });

  test.each([
    ["in seconds", "120", 120_000],
    ["as a date", new Date(Date.now() + 90_000).toUTCString(), 90_000],
    ["as a date that has passed", "Sun, 06 Nov 1994 08:49:37 GMT", 0],
    ["in nonsense", "soon", undefined],
    ["as a number with a sign", "-5", undefined],
  ])("names the time to wait %s", async (_name, header, expected) => {
    const provider = await aProvider([503, { "retry-after": header }]);
    const result = await transportTo(provider.url).deliver(mail);
    if (result.kind !== "failed") throw new Error("it was sent");
    if (!expected) expect(result.retryAfterMs).toBe(expected);
    // The date is whole seconds, and time has passed since.
    else
      expect(Math.abs((result.retryAfterMs ?? 0) - expected)).toBeLessThanOrEqual(
        header === "120" ? 0 : 20_000,
      );
  });

  test("is kept without what the message says, in any spelling, and cut (SR-MAIL-6)", async () => {
    const said = {
      error: 'sender not verified for "ada@example.com"',
      subject: "Code",
      link: encodeURIComponent("ada@example.com"),
      text: "your CODE 123456",
      more: "x".repeat(10_000),
    };
    const provider = await aProvider([422, {}, JSON.stringify(said)]);
    const result = await transportTo(provider.url).deliver(mail);
    if (result.kind !== "failed") throw new Error("it was sent");
    expect(result.error).toContain('sender not verified for \\"[recipient]\\"');
    expect(result.error).not.toMatch(/123456|ada(@|%40)example|code 1|"Code"/i);
    expect(result.error.length).toBeLessThanOrEqual(300);
  });

  test("without an end is not waited for", async () => {
    const provider = await aProvider([422, {}, undefined]);
    const result = await transportTo(provider.url).deliver(mail);
    expect(result).toMatchObject({ permanent: true, error: "the provider answered 422: begun" });
  });

  test("is awaited for the configured time only", async () => {
    const provider = await aProvider([-1]);
    const result = await transportTo(provider.url, secrets, 200).deliver(mail);
    expect(result).toMatchObject({ kind: "failed", permanent: false });
  });

  test("may be nothing at all", async () => {
    const provider = await aProvider([0]);
    const result = await transportTo(provider.url).deliver(mail);
    expect(result).toMatchObject({ kind: "failed", permanent: false });
  });
});
