import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { ApiKeyService } from "../../gen/ostiary/access/v1/api_key_service_pb.js";
import {
  CourierMessageChannel,
  CourierMessageState,
} from "../../gen/ostiary/courier/v1/courier_message_pb.js";
import { CourierService } from "../../gen/ostiary/courier/v1/courier_service_pb.js";
import type { MessageContent } from "../../src/domain/courier/message.ts";
import type { MessageId } from "../../src/domain/ids.ts";
import { protocols, startTestApp, type TestApp } from "../support/app.ts";
import { openAppQueue } from "../support/app-queue.ts";
import { refusal } from "../support/errors.ts";
import { type MailServer, smtpError, startMailServer } from "../support/mail-server.ts";
import { sealingSecret } from "../support/messages.ts";
import { administer } from "../support/postgres.ts";

let app: TestApp;
let mail: MailServer;
let queue: Awaited<ReturnType<typeof openAppQueue>>;
/** Recipients that the mail server refuses. */
const unknown = new Set<string>();

beforeAll(async () => {
  mail = await startMailServer({
    onRcptTo: ({ address }, _session, callback) =>
      callback(unknown.has(address) ? smtpError(550, "no such user") : null),
  });
  app = await startTestApp({
    config: {
      secrets: { sealing: [sealingSecret] },
      tenant_defaults: {
        courier: {
          from_address: "no-reply@example.com",
          email: { smtp: { url: `smtp://127.0.0.1:${mail.port}` } },
        },
      },
    },
  });
  queue = await openAppQueue(app);
});
afterAll(async () => {
  await queue.close();
  await app.stop();
  await mail.close();
});

const notice: MessageContent = { template: "password_changed", data: {} };
const code: MessageContent = { template: "login_code", data: { code: "048213", minutes: 10 } };
const invitation: MessageContent = {
  template: "invitation",
  data: { url: "https://app.example.com/join#invitation=048213", until: new Date("2027-01-01T12:00:00Z") },
};
let count = 0;

/** A message that was given up because its recipient is unknown. */
async function failed(content: MessageContent) {
  const recipient = `nobody${++count}@example.com`;
  unknown.add(recipient);
  const id = await queue.enqueue(content, { recipient });
  await reaches(id, CourierMessageState.FAILED);
  return { id, recipient };
}

function reaches(messageId: MessageId, state: CourierMessageState) {
  return vi.waitFor(
    async () => {
      const { message } = await app.client(CourierService).getMessage({ messageId });
      expect(message?.state).toBe(state);
      return message;
    },
    { timeout: 10_000 },
  );
}

const events = (id: MessageId) =>
  administer(app.databaseUrl, (query) =>
    query<{ type: string; actor: { kind: string } }>(
      "SELECT type, actor FROM ostiary.event WHERE data ->> 'messageId' = $1 ORDER BY position",
      [id],
    ),
  );

describe.each(protocols)("messages over %s", (protocol) => {
  const courier = () => app.client(CourierService, { protocol });

  test("are sent soon after they were enqueued, and listed without what they say", async () => {
    const recipient = `ada${++count}@example.com`;
    const id = await queue.enqueue(code, { recipient });
    await reaches(id, CourierMessageState.SENT);
    expect(mail.mails.find(({ to }) => to.includes(recipient))?.source).toContain("048213");
    const { messages } = await courier().listMessages({ recipient: recipient.toUpperCase() });
    expect(messages).toMatchObject([
      {
        id,
        state: CourierMessageState.SENT,
        channel: CourierMessageChannel.EMAIL,
        template: "login_code",
        recipient,
        attemptCount: 1,
        lastError: "",
      },
    ]);
    // Security rule (SR-MAIL-2): an operator who may look at messages cannot sign in as somebody by them.
    expect(
      JSON.stringify(messages, (_, value) => (typeof value === "bigint" ? `${value}` : value)),
    ).not.toContain("048213");
    expect(await events(id)).toMatchObject([{ type: "message.sent", actor: { kind: "server" } }]);
  });

  test("that failed are listed, retried and sent", async () => {
    const { id, recipient } = await failed(notice);
    const listed = await courier().listMessages({
      state: CourierMessageState.FAILED,
      template: "password_changed",
    });
    const found = listed.messages.find((message) => message.id === id);
    expect(found?.lastError).toContain("550");
    expect(found?.lastError).not.toContain(recipient);
    unknown.delete(recipient);
    const { message } = await courier().retryMessage({ messageId: id });
    expect(message).toMatchObject({ id, lastError: "" });
    await reaches(id, CourierMessageState.SENT);
    expect((await events(id)).map(({ type, actor }) => [type, actor.kind])).toEqual([
      ["message.failed", "server"],
      ["message.retried", "api_key"],
      ["message.sent", "server"],
    ]);
    expect(await refusal(courier().retryMessage({ messageId: id }))).toMatchObject({
      code: "FailedPrecondition",
      reason: "MESSAGE_NOT_RETRYABLE",
      metadata: { state: "sent" },
    });
  });

  test("that failed are retried by a filter, and those that wait are tried now", async () => {
    const template = "recovery_completed";
    const content: MessageContent = { template, data: {} };
    const both = [await failed(content), await failed(content)];
    const other = await failed(notice);
    // A code that ends before anybody puts it back.
    const ended = await failed({ template: "recovery_code", data: { code: "048213", minutes: 1 } });
    app.clock.advance(60_000);
    // One that waits for an hour: the mail server was away.
    const waiting = await queue.enqueue(content, {
      recipient: `later${++count}@example.com`,
      suppressed: true,
    });
    await administer(app.databaseUrl, (query) =>
      query(
        "UPDATE ostiary.message SET state = 'queued', ended_at = NULL, next_attempt_at = $2 WHERE id = $1",
        [waiting, new Date(app.clock.now().getTime() + 3_600_000)],
      ),
    );
    for (const { recipient } of [...both, other, ended]) unknown.delete(recipient);
    const none = { retriedCount: 0, hastenedCount: 0, hasMore: false };
    const { FAILED, QUEUED } = CourierMessageState;
    const { SMS } = CourierMessageChannel;
    for (const filter of [
      { errorContains: "relay denied" },
      { channel: SMS },
      { recipient: "ada@example.com" },
    ]) {
      expect(await courier().retryMessages({ template, ...filter })).toMatchObject(none);
    }
    expect(await courier().retryMessages({ template: "recovery_code" })).toMatchObject(none);
    const retried = await courier().retryMessages({ template, state: FAILED, errorContains: "NO SUCH user" });
    expect(retried).toMatchObject({ ...none, retriedCount: 2 });
    for (const { id } of both) await reaches(id, CourierMessageState.SENT);
    expect((await events(both[0]?.id as MessageId)).map(({ type }) => type)).toContain("message.retried");
    expect(await courier().retryMessages({ template, state: QUEUED })).toMatchObject({
      ...none,
      hastenedCount: 1,
    });
    await reaches(waiting, CourierMessageState.SENT);
    expect(await courier().retryMessages({ template })).toMatchObject(none);
    await reaches(other.id, FAILED);
    expect(await refusal(courier().retryMessages({ state: CourierMessageState.SENT }))).toMatchObject({
      reason: "REQUEST_INVALID",
      fields: ["state"],
    });
  });

  test("that failed are sent to another address, if it is one", async () => {
    const { id } = await failed(notice);
    const wrong = courier().readdressMessage({ messageId: id, recipient: "+491712345678" });
    expect(await refusal(wrong)).toMatchObject({ reason: "REQUEST_INVALID", fields: ["recipient"] });
    const recipient = `right${++count}@example.com`;
    await courier().readdressMessage({ messageId: id, recipient: ` ${recipient.toUpperCase()}` });
    expect(await reaches(id, CourierMessageState.SENT)).toMatchObject({ recipient });
    expect(mail.mails.some(({ to }) => to.includes(recipient))).toBe(true);
    expect((await events(id)).map(({ type }) => type)).toContain("message.readdressed");
    const again = courier().readdressMessage({ messageId: id, recipient });
    expect(await refusal(again)).toMatchObject({ reason: "MESSAGE_NOT_RETRYABLE" });
  });

  // Security rule (SR-MAIL-2): a code proves the address that it was made for; an operator who may readdress it could prove any other.
  test.each([code, invitation])("with a code or link are never sent to another address", async (content) => {
    const { id } = await failed(content);
    const call = courier().readdressMessage({ messageId: id, recipient: "eve@example.com" });
    expect(await refusal(call)).toMatchObject({
      code: "FailedPrecondition",
      reason: "MESSAGE_NOT_READDRESSABLE",
      metadata: { template: content.template },
    });
    expect(mail.mails.some(({ to }) => to.includes("eve@example.com"))).toBe(false);
  });

  test("with a code that has ended cannot be retried", async () => {
    const { id } = await failed(code);
    app.clock.advance(10 * 60_000);
    expect(await refusal(courier().retryMessage({ messageId: id }))).toMatchObject({
      reason: "MESSAGE_NOT_RETRYABLE",
      metadata: { state: "expired" },
    });
  });

  test("that are unknown or suppressed are not found (SR-ENUM-4)", async () => {
    const suppressed = await queue.enqueue(code, { recipient: "ada@example.com", suppressed: true });
    for (const messageId of [suppressed, "01890000-0000-7000-8000-000000000000"]) {
      const calls = [
        () => courier().getMessage({ messageId }),
        () => courier().retryMessage({ messageId }),
        () => courier().readdressMessage({ messageId, recipient: "eve@example.com" }),
      ];
      for (const call of calls) {
        expect(await refusal(call())).toMatchObject({ code: "NotFound", reason: "MESSAGE_NOT_FOUND" });
      }
    }
  });

  test("are listed page by page, and a page token serves no other filter", async () => {
    const first = await courier().listMessages({ pageSize: 1 });
    expect(first.messages).toHaveLength(1);
    const second = await courier().listMessages({ pageSize: 1, pageToken: first.nextPageToken });
    expect(["", undefined, first.messages[0]?.id]).not.toContain(second.messages[0]?.id);
    const changed = courier().listMessages({
      pageToken: first.nextPageToken,
      state: CourierMessageState.FAILED,
    });
    expect(await refusal(changed)).toMatchObject({ reason: "PAGE_TOKEN_INVALID" });
  });

  test("are read with courier:read and changed with courier:update alone", async () => {
    const { id: messageId } = await failed(notice);
    const keyWith = async (scope: string) =>
      (await app.client(ApiKeyService).createApiKey({ name: scope, scopes: [scope] })).secret;
    const reader = app.client(CourierService, { protocol, bearer: await keyWith("courier:read") });
    expect((await reader.getMessage({ messageId })).message?.id).toBe(messageId);
    expect(await refusal(reader.retryMessage({ messageId }))).toMatchObject({
      reason: "API_KEY_SCOPE_MISSING",
      metadata: { scope: "courier:update" },
    });
    expect(await refusal(reader.retryMessages({}))).toMatchObject({
      reason: "API_KEY_SCOPE_MISSING",
      metadata: { scope: "courier:update" },
    });
    const other = app.client(CourierService, { protocol, bearer: await keyWith("identity:*") });
    expect(await refusal(other.listMessages({}))).toMatchObject({ reason: "API_KEY_SCOPE_MISSING" });
  });
});

test("nothing that was sent is in the log", () => {
  expect(JSON.stringify(app.log)).not.toContain("048213");
});
