// Whether mail arrives: reports over real HTTP to the real server, of mail that went to a real SMTP server.
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { ApiKeyService } from "../../gen/ostiary/access/v1/api_key_service_pb.js";
import {
  CourierMessageArrival,
  CourierMessageState,
} from "../../gen/ostiary/courier/v1/courier_message_pb.js";
import { CourierService } from "../../gen/ostiary/courier/v1/courier_service_pb.js";
import { RejectionReason } from "../../gen/ostiary/flow/v1/outcome_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import type { MessageContent } from "../../src/domain/courier/message.ts";
import type { MessageId } from "../../src/domain/ids.ts";
import { freshEmail } from "../support/accounts.ts";
import { protocols, startTestApp, type TestApp } from "../support/app.ts";
import { openAppQueue } from "../support/app-queue.ts";
import { Caller, resultOf } from "../support/caller.ts";
import { refusal } from "../support/errors.ts";
import { complaint, deliveryStatus, sendGridSigner } from "../support/mail-reports.ts";
import { type MailServer, smtpError, startMailServer } from "../support/mail-server.ts";
import { sealingSecret } from "../support/messages.ts";
import { administer } from "../support/postgres.ts";
import { beginRegistration, messageIds, steps } from "../support/registrations.ts";

const patience = { timeout: 10_000, interval: 20 };
const postmark = { user: "postmark", password: "a-password-of-postmark" };
const signer = sendGridSigner();
const topic = "arn:aws:sns:eu-central-1:123456789012:mail";

let app: TestApp;
let mail: MailServer;
let queue: Awaited<ReturnType<typeof openAppQueue>>;
/** An API key that may do nothing but hand in reports. */
let reporter: string;

beforeAll(async () => {
  mail = await startMailServer({
    onRcptTo: ({ address }, _session, callback) => {
      if (address.startsWith("gone-")) callback(smtpError(550, "5.1.1 User unknown"));
      else if (address.startsWith("full-")) callback(smtpError(552, "5.2.2 Mailbox full"));
      else callback();
    },
  });
  app = await startTestApp({
    config: {
      secrets: { sealing: [sealingSecret] },
      tenant_defaults: {
        flows: { registration: { address_proof: "before_session" } },
        courier: {
          from_address: "no-reply@example.com",
          email: { smtp: { url: `smtp://127.0.0.1:${mail.port}` } },
          reports: { postmark, sendgrid: { public_key: signer.publicKey }, ses: { topic_arns: [topic] } },
        },
      },
    },
  });
  queue = await openAppQueue(app);
  const made = await app.client(ApiKeyService).createApiKey({ name: "mail", scopes: ["courier:report"] });
  reporter = made.secret;
});
afterAll(async () => {
  await queue.close();
  await app.stop();
  await mail.close();
});

const notice: MessageContent = { template: "password_changed", data: {} };
const code: MessageContent = { template: "login_code", data: { code: "048213", minutes: 10 } };
const entry: MessageContent = { template: "registration_code", data: { code: "048213", minutes: 10 } };
const day = 24 * 60 * 60_000;

const courier = (protocol: (typeof protocols)[number] = "Connect JSON") =>
  app.client(CourierService, { protocol });

/** Sends a message, and waits for its end. */
async function send(content: MessageContent, recipient: string) {
  const id = await queue.enqueue(content, { recipient });
  return vi.waitFor(async () => {
    const { message } = await courier().getMessage({ messageId: id });
    expect([CourierMessageState.SENT, CourierMessageState.FAILED]).toContain(message?.state);
    return { id, state: message?.state, lastError: message?.lastError };
  }, patience);
}

const isSent = { state: CourierMessageState.SENT };
const isRefused = {
  state: CourierMessageState.FAILED,
  lastError: expect.stringMatching(/^ADDRESS_BOUNCED: /),
};

/** Hands in a mail as an operator's mail server does. */
async function handIn(raw: string, key = reporter) {
  const response = await fetch(`${app.adminUrl}/courier/reports/mail`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "message/rfc822" },
    body: raw,
  });
  return { status: response.status, body: (await response.json()) as { taken?: number; ignored?: number } };
}

async function post(provider: string, body: unknown, headers: Record<string, string> = {}) {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const response = await fetch(`${app.localUrl}/courier/reports/${provider}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: text,
  });
  return { status: response.status, body: (await response.json()) as { taken?: number; ignored?: number } };
}

const taken = { status: 200, body: { taken: 1, ignored: 0 } };
const ignored = { status: 200, body: { taken: 0, ignored: 1 } };
const refused = { status: 403 };

const arrivalOf = async (messageId: MessageId) => {
  const { message } = await courier().getMessage({ messageId });
  return message?.arrival;
};
async function marks(address: string): Promise<boolean> {
  const { marks: all } = await courier().listAddressMarks({ pageSize: 500 });
  return all.some((mark) => mark.address === address && mark.bounceTime !== undefined);
}
const events = (id: MessageId) =>
  administer(app.databaseUrl, (query) =>
    query<{ type: string; data: object }>(
      "SELECT type, data FROM ostiary.event WHERE data ->> 'messageId' = $1 ORDER BY position",
      [id],
    ),
  );

describe("a delivery status (RFC 3464)", () => {
  test("of a mailbox that does not exist marks the address, and the next send is refused", async () => {
    const recipient = freshEmail();
    const { id } = await send(code, recipient);
    const source = mail.mails.find(({ to }) => to.includes(recipient))?.source ?? "";
    const messageId = /^Message-ID: <(.+)@example\.com>\r$/im.exec(source)?.[1] ?? "";
    expect(await handIn(deliveryStatus({ messageId, recipient: recipient.toUpperCase() }))).toEqual(taken);
    const { message } = await courier().getMessage({ messageId: id });
    expect(message?.arrival).toBe(CourierMessageArrival.BOUNCED);
    expect(message?.arrivalReason).toContain("User unknown");
    expect(message?.arrivalReason.toLowerCase()).not.toContain(recipient);
    expect((await events(id)).map(({ type }) => type)).toEqual(["message.sent", "message.bounced"]);
    const next = await send(code, recipient);
    expect(next).toMatchObject(isRefused);
    expect((await events(next.id)).at(-1)).toMatchObject({
      type: "message.failed",
      data: { reason: "address_bounced" },
    });
    expect(mail.mails.filter(({ to }) => to.includes(recipient))).toHaveLength(1);
    expect(await send(notice, recipient)).toMatchObject(isRefused);
  });

  test("with the headers of the mail alone is taken as well", async () => {
    const recipient = freshEmail();
    const { id } = await send(code, recipient);
    const raw = deliveryStatus({ messageId: id, recipient, returns: "text/rfc822-headers" });
    expect(await handIn(raw)).toEqual(taken);
    expect(await marks(recipient)).toBe(true);
  });

  test.each([
    ["a full mailbox", { status: "5.2.2" }],
    ["our sender's reputation", { status: "5.7.1" }],
    ["a time-out of days", { status: "4.4.7" }],
  ])("of %s is of the message, and marks nobody", async (_, about) => {
    const recipient = freshEmail();
    const { id } = await send(code, recipient);
    expect(await handIn(deliveryStatus({ messageId: id, recipient, ...about }))).toEqual(taken);
    expect(await arrivalOf(id)).toBe(CourierMessageArrival.BOUNCED);
    expect(await marks(recipient)).toBe(false);
    expect(await send(code, recipient)).toMatchObject(isSent);
  });

  test("of a delay says nothing, and of a delivery that it arrived", async () => {
    const recipient = freshEmail();
    const { id } = await send(code, recipient);
    expect(
      await handIn(deliveryStatus({ messageId: id, recipient, action: "delayed", status: "4.4.1" })),
    ).toEqual({
      status: 200,
      body: { taken: 0, ignored: 0 },
    });
    expect(await arrivalOf(id)).toBe(CourierMessageArrival.UNSPECIFIED);
    expect(
      await handIn(deliveryStatus({ messageId: id, recipient, action: "delivered", status: "2.0.0" })),
    ).toEqual(taken);
    expect(await arrivalOf(id)).toBe(CourierMessageArrival.DELIVERED);
  });

  test("is handed in by the script that docs/courier.md shows", async () => {
    const recipient = freshEmail();
    const { id } = await send(code, recipient);
    const page = await readFile("docs/courier.md", "utf8");
    const script = /```sh\n(#!\/bin\/sh\n[\s\S]*?)```/.exec(page)?.[1] ?? "";
    const folder = await mkdtemp(join(tmpdir(), "ostiary-report-"));
    const header = join(folder, "header");
    const run = (key: string) => {
      const local = script
        .replace("http://127.0.0.1:4001", app.adminUrl)
        .replace("/etc/ostiary/report-header", header);
      return new Promise<number | null>((resolve, reject) => {
        writeFileSync(header, `Authorization: Bearer ${key}\n`);
        const child = spawn("sh", ["-c", local], { stdio: ["pipe", "ignore", "ignore"] });
        child.on("error", reject).on("close", resolve);
        child.stdin.end(deliveryStatus({ messageId: id, recipient }));
      });
    };
    expect(await run("ost_none")).toBe(75);
    expect(await marks(recipient)).toBe(false);
    expect(await run(reporter)).toBe(0);
    expect(await marks(recipient)).toBe(true);
    await rm(folder, { recursive: true });
  });

  test("that comes twice or out of order changes nothing more", async () => {
    const recipient = freshEmail();
    const { id } = await send(code, recipient);
    const bounce = deliveryStatus({ messageId: id, recipient });
    const answers = await Promise.all(Array.from({ length: 8 }, () => handIn(bounce)));
    expect(answers.map(({ body }) => body.taken).sort()).toEqual([0, 0, 0, 0, 0, 0, 0, 1]);
    expect(
      await handIn(deliveryStatus({ messageId: id, recipient, action: "delivered", status: "2.0.0" })),
    ).toEqual(ignored);
    expect(await arrivalOf(id)).toBe(CourierMessageArrival.BOUNCED);
    expect((await events(id)).map(({ type }) => type)).toEqual(["message.sent", "message.bounced"]);
    // Once it is taken back, the same report does not mark the address again.
    await courier().deleteAddressMark({ address: recipient });
    expect(await handIn(bounce)).toEqual(ignored);
    expect(await marks(recipient)).toBe(false);
  });

  test("that is forged marks nobody (SR-MAIL-7)", async () => {
    const [recipient, victim] = [freshEmail(), freshEmail()];
    const { id } = await send(code, recipient);
    await send(code, victim);
    // Of a message of one's own, in the name of somebody else.
    expect(await handIn(deliveryStatus({ messageId: id, recipient: victim }))).toEqual(taken);
    expect([await marks(recipient), await marks(victim)]).toEqual([false, false]);
    // Of a message that was never sent.
    const unknown = "01890000-0000-7000-8000-000000000000";
    expect(await handIn(deliveryStatus({ messageId: unknown, recipient: victim }))).toEqual(ignored);
    expect(await handIn(deliveryStatus({ messageId: "someone", recipient: victim }))).toMatchObject({
      status: 200,
    });
    expect(await marks(victim)).toBe(false);
  });

  test("is taken with an API key of its scope alone, and within a size (SR-MAIL-9)", async () => {
    const recipient = freshEmail();
    const { id } = await send(code, recipient);
    const raw = deliveryStatus({ messageId: id, recipient });
    const other = await app.client(ApiKeyService).createApiKey({ name: "other", scopes: ["courier:read"] });
    expect((await handIn(raw, other.secret)).status).toBe(403);
    expect((await handIn(raw, "ost_none")).status).toBe(401);
    expect((await handIn(raw + "x".repeat(300_000))).status).toBe(429);
    const elsewhere = await fetch(`${app.localUrl}/courier/reports/mail`, { method: "POST", body: raw });
    expect(elsewhere.status).toBe(404);
    expect(await marks(recipient)).toBe(false);
    expect(await handIn(raw)).toEqual(taken);
  });

  test.each([
    ["nothing", ""],
    [
      "a thousand parts in one another",
      Array.from(
        { length: 1_000 },
        (_, i) => `Content-Type: multipart/mixed; boundary="b${i}"\r\n\r\n--b${i}\r\n`,
      ).join(""),
    ],
    ["bytes", "\u0000\u0001\ufffd".repeat(5_000)],
    ["headers without an end", `X: ${"x".repeat(200_000)}`],
    [
      "a status of nothing",
      'Content-Type: multipart/report; boundary="b"\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n\r\n\r\n--b--',
    ],
  ])("of %s harms nobody", async (_, raw) => {
    const { status } = await handIn(raw);
    expect([200, 403]).toContain(status);
    expect(app.log.filter(({ level }) => level === "error")).toEqual([]);
  });
});

test("an address that our own mail server refuses for good is marked as well, and one with a full mailbox is not", async () => {
  const [gone, full] = ["gone", "full"].map((what) => `${what}-${freshEmail()}`) as [string, string];
  const first = await send(code, gone);
  expect(first).toMatchObject({
    state: CourierMessageState.FAILED,
    lastError: expect.stringContaining("5.1.1 User unknown"),
  });
  await vi.waitFor(async () => expect(await marks(gone)).toBe(true), patience);
  expect((await events(first.id)).map(({ type }) => type)).toEqual(["message.failed", "message.bounced"]);
  expect(await send(notice, gone)).toMatchObject(isRefused);
  expect(await send(code, full)).toMatchObject({ state: CourierMessageState.FAILED });
  expect(await marks(full)).toBe(false);
});

describe("a complaint", () => {
  test("stops notices, and no code that somebody asks for", async () => {
    const recipient = freshEmail();
    const { id } = await send(notice, recipient);
    expect(await handIn(complaint({ messageId: id, recipient }))).toEqual(taken);
    expect(await arrivalOf(id)).toBe(CourierMessageArrival.COMPLAINED);
    expect(await send(notice, recipient)).toMatchObject({
      lastError: expect.stringMatching(/^ADDRESS_COMPLAINED: /),
    });
    expect(await send(code, recipient)).toMatchObject(isSent);
    expect(await send(entry, recipient)).toMatchObject(isSent);
  });
});

describe("Postmark", () => {
  const auth = `Basic ${Buffer.from(`${postmark.user}:${postmark.password}`).toString("base64")}`;
  const bounce = (id: string, Email: string, Type = "HardBounce") => ({
    RecordType: "Bounce",
    Type,
    Email,
    MessageID: "883953f4-6105-42a2-a16a-77a8eac79483",
    Metadata: { "ostiary-id": id },
    Details: "smtp;550 5.1.1 The email account that you tried to reach does not exist.",
  });

  test("is told the id of the message, and its bounce marks the address", async () => {
    const recipient = freshEmail();
    const { id } = await send(code, recipient);
    const source = mail.mails.find(({ to }) => to.includes(recipient))?.source ?? "";
    expect(source).toMatch(new RegExp(`^X-PM-Metadata-ostiary-id: ${id}\r$`, "im"));
    const authorization = auth;
    expect(await post("postmark", bounce(id, recipient, "Transient"), { authorization })).toMatchObject({
      body: { taken: 0 },
    });
    expect(await marks(recipient)).toBe(false);
    expect(await post("postmark", bounce(id, recipient), { authorization })).toEqual(taken);
    expect(await send(code, recipient)).toMatchObject(isRefused);
  });

  test("is known by its password alone (SR-MAIL-9)", async () => {
    const recipient = freshEmail();
    const { id } = await send(code, recipient);
    for (const authorization of [
      "",
      "Basic ",
      `Basic ${Buffer.from("postmark:wrong").toString("base64")}`,
      auth.slice(0, -2),
    ]) {
      expect(await post("postmark", bounce(id, recipient), { authorization })).toMatchObject(refused);
    }
    expect(await marks(recipient)).toBe(false);
  });

  test("tells of deliveries and complaints", async () => {
    const recipient = freshEmail();
    const { id } = await send(code, recipient);
    const Metadata = { "ostiary-id": id };
    const authorization = auth;
    expect(
      await post("postmark", { RecordType: "Delivery", Recipient: recipient, Metadata }, { authorization }),
    ).toEqual(taken);
    expect(await arrivalOf(id)).toBe(CourierMessageArrival.DELIVERED);
    expect(
      await post("postmark", { RecordType: "SpamComplaint", Email: recipient, Metadata }, { authorization }),
    ).toEqual(taken);
    expect(await arrivalOf(id)).toBe(CourierMessageArrival.COMPLAINED);
  });
});

describe("SendGrid", () => {
  test("is told the id of the message, and its bounce marks the address", async () => {
    const [recipient, other] = [freshEmail(), freshEmail()];
    const { id } = await send(code, recipient);
    const blocked = await send(code, other);
    const source = mail.mails.find(({ to }) => to.includes(recipient))?.source ?? "";
    expect(source).toContain(`X-SMTPAPI: {"unique_args":{"ostiary_id":"${id}"}}\r\n`);
    const body = JSON.stringify([
      { event: "processed", email: recipient, ostiary_id: id },
      {
        event: "bounce",
        type: "bounce",
        email: recipient,
        ostiary_id: id,
        reason: "550 5.1.1 unknown",
        status: "5.1.1",
      },
      {
        event: "bounce",
        type: "blocked",
        email: other,
        "smtp-id": `<${blocked.id}@example.com>`,
        reason: "554 blocked",
      },
    ]);
    expect(await post("sendgrid", body, signer.headers(body))).toEqual({
      status: 200,
      body: { taken: 2, ignored: 0 },
    });
    expect([await marks(recipient), await marks(other)]).toEqual([true, false]);
  });

  test("is known by its signature alone (SR-MAIL-9)", async () => {
    const recipient = freshEmail();
    const { id } = await send(code, recipient);
    const body = JSON.stringify([{ event: "bounce", type: "bounce", email: recipient, ostiary_id: id }]);
    const right = signer.headers(body);
    const wrong = [
      {},
      sendGridSigner().headers(body),
      signer.headers(`${body} `),
      { ...right, "x-twilio-email-event-webhook-timestamp": "1800000001" },
      { ...right, "x-twilio-email-event-webhook-signature": "AAAA" },
    ];
    for (const headers of wrong) expect(await post("sendgrid", body, headers)).toMatchObject(refused);
    expect(await marks(recipient)).toBe(false);
    expect(await post("sendgrid", body, right)).toEqual(taken);
  });
});

test("Amazon SES is known by its signature, whose certificate is Amazon's alone (SR-MAIL-9)", async () => {
  const message = {
    Type: "Notification",
    MessageId: "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
    TopicArn: topic,
    Message: "{}",
    Timestamp: "2026-11-30T02:00:00.000Z",
    SignatureVersion: "2",
    Signature: "AAAA",
    SigningCertURL: `${app.localUrl}/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem`,
  };
  for (const body of [message, { ...message, TopicArn: `${topic}2` }, {}, "no JSON"]) {
    expect(await post("ses", body)).toMatchObject(refused);
  }
});

describe("who types an address", () => {
  test("that mail came back from is told so, and goes on with another one", async () => {
    const email = freshEmail();
    const registration = await beginRegistration(app);
    await registration.submit(steps.askForCode, { email });
    const { messages } = await courier().listMessages({ recipient: email });
    const [message] = messages;
    await vi.waitFor(async () => {
      const { message: now } = await courier().getMessage({ messageId: message?.id ?? "" });
      expect(now?.state).toBe(CourierMessageState.SENT);
    }, patience);
    await handIn(deliveryStatus({ messageId: message?.id ?? "", recipient: email }));

    const again = await beginRegistration(app);
    const { outcome, flow } = await again.submit(steps.askForCode, { email });
    expect(outcome).toMatchObject({ case: "rejected", value: { reason: RejectionReason.ADDRESS_BOUNCED } });
    expect(flow && messageIds(flow)).toContain(9000127);
    expect((await again.submit(steps.askForCode, { email: freshEmail() })).outcome.case).toBe("nextStep");
    // After a day the next one tries it again.
    app.clock.advance(day);
    const later = await beginRegistration(app);
    expect((await later.submit(steps.askForCode, { email })).outcome.case).toBe("nextStep");
  });

  test("learns nothing of an account by what its mail has shown (SR-MAIL-8)", async () => {
    const [email, nobody] = [freshEmail(), freshEmail()];
    const caller = new Caller(app);
    expect(resultOf(await caller.register(email))).toBeDefined();
    const { id } = await send(code, email);
    expect(await handIn(deliveryStatus({ messageId: id, recipient: email }))).toEqual(taken);
    const answers = [];
    for (const address of [email, nobody]) {
      const registration = await beginRegistration(app);
      const { outcome, flow } = await registration.submit(steps.askForCode, { email: address });
      answers.push({ outcome: outcome.case, messages: flow && messageIds(flow) });
    }
    expect(answers[0]).toEqual(answers[1]);
    expect(answers[0]?.outcome).toBe("nextStep");
  });
});

test("a code that was entered takes the mark back, and a complaint stays", async () => {
  const email = freshEmail();
  const registration = await beginRegistration(app);
  await registration.submit(steps.askForCode, { email });
  const [sent] = (await courier().listMessages({ recipient: email })).messages;
  await vi.waitFor(async () => {
    const { message } = await courier().getMessage({ messageId: sent?.id ?? "" });
    expect(message?.state).toBe(CourierMessageState.SENT);
  }, patience);
  const about = { messageId: sent?.id ?? "", recipient: email };
  expect(await handIn(deliveryStatus(about))).toEqual(taken);
  expect(await handIn(complaint(about))).toEqual(taken);
  const source = mail.mails.find(({ to }) => to.includes(email))?.source ?? "";
  const code = /\b\d{6}\b/.exec(source.slice(source.indexOf("\r\n\r\n")))?.[0] ?? "";
  const { outcome } = await registration.submit({ case: "code", value: { code } });
  expect(outcome.case).toBe("completed");
  const { mark } = await courier().getAddressMark({ address: email });
  expect([mark?.bounceTime, mark?.complaintTime === undefined]).toEqual([undefined, false]);
});

describe.each(protocols)("marks over %s", (protocol) => {
  test("are shown, listed page by page and taken back, and then mail goes there", async () => {
    const addresses = [freshEmail(), freshEmail()].sort();
    for (const recipient of addresses) {
      const { id } = await send(code, recipient);
      await handIn(deliveryStatus({ messageId: id, recipient }));
    }
    const [address = ""] = addresses;
    const client = courier(protocol);
    const { mark } = await client.getAddressMark({ address: address.toUpperCase() });
    expect(mark).toMatchObject({ address, bounceReason: expect.stringContaining("User unknown") });
    expect(mark?.complaintTime).toBeUndefined();
    const listed = [];
    let pageToken = "";
    do {
      const page = await client.listAddressMarks({ pageSize: 1, pageToken });
      listed.push(...page.marks.map((each) => each.address));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    expect(listed).toEqual(expect.arrayContaining(addresses));
    expect(listed).toEqual([...listed].sort());
    const identities = app.client(IdentityService, { protocol });
    const made = await identities.createIdentity({ traits: { email: address } });
    const { identity } = await identities.getIdentity({ identityId: made.identity?.id ?? "" });
    const [shown] = identity?.addresses ?? [];
    expect(shown?.bounceTime).toEqual(mark?.bounceTime);
    const found = await identities.lookUpIdentity({ by: { case: "identifier", value: address } });
    expect(found.identity?.addresses[0]?.bounceTime).toEqual(mark?.bounceTime);
    expect(await client.deleteAddressMark({ address })).toMatchObject({});
    expect(await client.deleteAddressMark({ address })).toMatchObject({});
    expect(await refusal(client.getAddressMark({ address }))).toMatchObject({
      code: "NotFound",
      reason: "ADDRESS_MARK_NOT_FOUND",
    });
    expect(await send(code, address)).toMatchObject(isSent);
  });
});
