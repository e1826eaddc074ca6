import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { createSealer } from "../../src/crypto/sealer.ts";
import { Attempt } from "../../src/domain/courier/attempt.ts";
import type {
  Delivery,
  DeliveryResult,
  MessageRenderer,
  MessageTransport,
  MessageTransports,
} from "../../src/domain/courier/delivery.ts";
import type { OutgoingMessage } from "../../src/domain/courier/message.ts";
import { MessageSender } from "../../src/domain/courier/message-sender.ts";
import { Outbox } from "../../src/domain/courier/outbox.ts";
import type { TextMessageRefusal } from "../../src/domain/ports.ts";
import { Secret } from "../../src/domain/secret.ts";
import { LiquidRenderer } from "../../src/outbound/templates/liquid-renderer.ts";
import { readTemplateFiles } from "../../src/outbound/templates/template-files.ts";
import { openTwoTenants, type TwoTenants } from "../storage/two-tenants.ts";
import { TestClock } from "../support/clock.ts";
import { aMessage, testOutbox } from "../support/messages.ts";
import { silentLogger } from "../support/postgres.ts";

let tenants: TwoTenants;
beforeAll(async () => {
  tenants = await openTwoTenants();
});
afterEach(() => tenants.rows("DELETE FROM ostiary.message"));
afterAll(() => tenants.storage.close());

const { files } = readTemplateFiles(undefined);
const temporary: DeliveryResult = { kind: "failed", permanent: false, error: "450 later" };

/** A courier on the real queue, with the provider's answers given. */
function aCourier(
  answers: readonly DeliveryResult[] = [{ kind: "sent" }],
  change: { outbox?: Outbox; refusal?: TextMessageRefusal | "notices"; renderer?: MessageRenderer } = {},
) {
  const logged: { readonly message: string; readonly details: object }[] = [];
  const clock = new TestClock();
  const deliveries: Delivery[] = [];
  const { refusal } = change;
  const transport: MessageTransport = {
    keepsMessages: false,
    deliver: async (delivery) => {
      deliveries.push(delivery);
      return answers[Math.min(deliveries.length, answers.length) - 1] ?? { kind: "sent" };
    },
  };
  const transports: MessageTransports = { email: transport, ...(refusal && { sms: transport }) };
  const sender = new MessageSender({
    store: tenants.storage.messages,
    outbox: change.outbox ?? testOutbox,
    renderer:
      change.renderer ??
      new LiquidRenderer({
        files,
        defaultLanguage: "en",
        serviceName: "Acme",
        pageDomain: "id.example.com",
        support: "",
      }),
    transports,
    takeTextMessage: async () => refusal,
    noteAddressGone: async () => {},
    retry: { maxAttempts: 3, firstDelayMs: 1_000, maxDelayMs: 60_000 },
    clock,
    logger: { ...silentLogger, warn: (details, message) => logged.push({ details, message }) },
    chance: () => 0.5,
  });
  return {
    clock,
    logged,
    deliveries,
    sender,
    enqueue: async (message: OutgoingMessage) => {
      await tenants.storage.messages.enqueue(tenants.scope, [testOutbox.seal(message)]);
      return message.id;
    },
    /** Sends what is due; gives how many that were. */
    work: async () => {
      const claimed = await sender.claim(10);
      for (const message of claimed) await sender.send(message, new Attempt());
      return claimed.length;
    },
    find: (id: OutgoingMessage["id"]) => tenants.storage.messages.find(tenants.scope, id),
  };
}

/** Lets so much of each lease pass by the database's clock. */
const passLeases = (seconds: number) =>
  tenants.rows(
    `UPDATE ostiary.message SET next_attempt_at = next_attempt_at - ${seconds} * interval '1 s' WHERE state = 'sending'`,
  );

const fresh = (courier: ReturnType<typeof aCourier>, change: Parameters<typeof aMessage>[0] = {}) =>
  aMessage({ now: courier.clock.now(), ...change });

describe("a message", () => {
  test("is rendered when it is sent, in its language, and is sent once", async () => {
    const courier = aCourier();
    const id = await courier.enqueue(fresh(courier, { language: "de" }));
    expect(await courier.work()).toBe(1);
    expect(courier.deliveries).toMatchObject([
      { id, recipient: "ada@example.com", message: { subject: "Ihr Anmeldecode: 048213" } },
    ]);
    expect(await courier.work()).toBe(0);
    expect(await courier.find(id)).toMatchObject({ state: "sent", attempts: 1 });
  });

  test("is tried again after growing pauses, and then given up with its last error", async () => {
    const courier = aCourier([temporary]);
    const failures = await tenants.countEvents("message.failed");
    const id = await courier.enqueue(fresh(courier));
    await courier.work();
    for (const pauseMs of [1_000, 2_000]) {
      courier.clock.advance(pauseMs - 1);
      expect(await courier.work()).toBe(0);
      courier.clock.advance(1);
      expect(await courier.work()).toBe(1);
    }
    expect(await courier.find(id)).toMatchObject({ state: "failed", attempts: 3, lastError: "450 later" });
    expect(await tenants.countEvents("message.failed")).toBe(failures + 1);
    courier.clock.advance(24 * 60 * 60_000);
    expect(await courier.work()).toBe(0);
  });

  test("is not tried again where that is pointless", async () => {
    const courier = aCourier([{ kind: "failed", permanent: true, error: "550 no\r\nsuch user" }]);
    const id = await courier.enqueue(fresh(courier));
    await courier.work();
    expect(await courier.find(id)).toMatchObject({ state: "failed", lastError: "550 no such user" });
  });

  test("waits as long as the provider asks", async () => {
    const courier = aCourier([{ ...temporary, retryAfterMs: 30_000 }, { kind: "sent" }]);
    await courier.enqueue(fresh(courier));
    await courier.work();
    courier.clock.advance(29_999);
    expect(await courier.work()).toBe(0);
    courier.clock.advance(1);
    expect(await courier.work()).toBe(1);
  });

  // Security rule (SR-SMS-3): what may not be sent is not handed on.
  test("by text message is given up or waits where none may go to its country (SR-SMS-3)", async () => {
    const toPhone = { recipient: "+491712345678", channel: "sms" } as const;
    const elsewhere = aCourier([{ kind: "sent" }], { refusal: "country" });
    const never = await elsewhere.enqueue(fresh(elsewhere, toPhone));
    const later = await elsewhere.enqueue(fresh(elsewhere));
    expect(await elsewhere.work()).toBe(2);
    expect(elsewhere.deliveries.map(({ id }) => id)).toEqual([later]);
    expect(await elsewhere.find(never)).toMatchObject({
      state: "failed",
      lastError: expect.stringContaining("courier.sms.countries"),
    });
    // Security rule (SR-SMS-5): too many notices of one account.
    const told = aCourier([{ kind: "sent" }], { refusal: "notices" });
    const dropped = await told.enqueue(fresh(told, toPhone));
    await told.work();
    expect(told.deliveries).toEqual([]);
    expect(await told.find(dropped)).toMatchObject({
      state: "failed",
      lastError: expect.stringContaining("notices"),
    });
    const usedUp = aCourier([{ kind: "sent" }], { refusal: "budget" });
    const waiting = await usedUp.enqueue(fresh(usedUp, toPhone));
    await usedUp.work();
    expect(usedUp.deliveries).toEqual([]);
    expect(await usedUp.find(waiting)).toMatchObject({
      state: "queued",
      lastError: expect.stringContaining("courier.sms.daily_budget"),
    });
  });

  // Security rule (SR-MAIL-2): a code that is worth nothing any more is not sent.
  test("whose code has ended is not sent any more", async () => {
    const courier = aCourier();
    const id = await courier.enqueue(fresh(courier));
    const notice = { template: "password_changed", data: {} } as const;
    const noticeId = await courier.enqueue(fresh(courier, { content: notice }));
    courier.clock.advance(10 * 60_000);
    expect(await courier.work()).toBe(2);
    expect(courier.deliveries.map((delivery) => delivery.id)).toEqual([noticeId]);
    expect(await courier.find(id)).toMatchObject({ state: "failed", lastError: "expired" });
  });

  test("that expires keeps the reason why it was not sent in time", async () => {
    const courier = aCourier([
      { kind: "failed", permanent: false, isOutage: true, error: "535 wrong password" },
    ]);
    const id = await courier.enqueue(fresh(courier));
    await courier.work();
    courier.clock.advance(10 * 60_000);
    await courier.work();
    expect(await courier.find(id)).toMatchObject({
      state: "failed",
      lastError: "expired; before: 535 wrong password",
    });
  });

  // Somebody will put it right: a password, the provider's account, a certificate, the network.
  test("is not given up for a reason outside of it, however often it was tried, and goes out when that is over", async () => {
    const away: DeliveryResult = {
      kind: "failed",
      permanent: false,
      isOutage: true,
      error: "535 wrong password",
    };
    const courier = aCourier([...Array.from({ length: 20 }, () => away), { kind: "sent" }]);
    const notice = { template: "password_changed", data: {} } as const;
    const id = await courier.enqueue(fresh(courier, { content: notice }));
    for (let attempt = 1; attempt <= 20; attempt++) {
      expect(await courier.work()).toBe(1);
      expect(await courier.find(id)).toMatchObject({
        state: "queued",
        attempts: 0,
        lastError: "535 wrong password",
      });
      // Not at once again, and not later than the longest pause.
      expect(await courier.work()).toBe(0);
      courier.clock.advance(60_000);
    }
    expect(await courier.work()).toBe(1);
    expect(await courier.find(id)).toMatchObject({ state: "sent" });
    // However many attempts, an outage is one warning at its start and one at its end.
    expect(courier.logged).toMatchObject([
      { message: expect.stringContaining("wait"), details: { what: "email", error: "535 wrong password" } },
      { message: expect.stringContaining("sent again"), details: { what: "email", failures: 20 } },
    ]);
  });

  test("whose template fails waits until it is put right", async () => {
    let broken = true;
    const renderer: MessageRenderer = {
      render: async () => {
        if (broken) throw new Error("login_code.en.liquid:3: undefined filter");
        return { channel: "email", subject: "s", text: "t", html: "h" };
      },
    };
    const courier = aCourier([{ kind: "sent" }], { renderer });
    const notice = { template: "password_changed", data: {} } as const;
    const id = await courier.enqueue(fresh(courier, { content: notice }));
    for (let attempt = 1; attempt <= 5; attempt++) {
      await courier.work();
      courier.clock.advance(60_000);
    }
    expect((await courier.find(id))?.lastError).toContain("login_code.en.liquid:3");
    broken = false;
    await courier.work();
    expect(await courier.find(id)).toMatchObject({ state: "sent" });
    expect(courier.logged.map(({ details }) => details)).toMatchObject([
      { what: "the template password_changed" },
      { what: "the template password_changed", failures: 5 },
    ]);
  });

  // Security rule (SR-MAIL-6): a provider may quote the message.
  test("gives its transport what no reason may have (SR-MAIL-6)", async () => {
    const courier = aCourier();
    await courier.enqueue(fresh(courier));
    await courier.work();
    expect(courier.deliveries).toMatchObject([{ confidential: ["048213"] }]);
  });

  test("of a worker that died is taken over when its lease of 30 seconds has run out, and not before", async () => {
    const courier = aCourier();
    const id = await courier.enqueue(fresh(courier));
    expect(await courier.sender.claim(10)).toHaveLength(1);
    await passLeases(15);
    expect(await courier.work()).toBe(0);
    await passLeases(15);
    expect(await courier.work()).toBe(1);
    expect(await courier.find(id)).toMatchObject({ state: "sent", attempts: 2 });
  });

  test("that kills its worker each time comes to an end", async () => {
    const courier = aCourier();
    const id = await courier.enqueue(fresh(courier, { content: { template: "password_changed", data: {} } }));
    for (let death = 0; death < 3; death++) {
      expect(await courier.sender.claim(10)).toHaveLength(1);
      await passLeases(30);
    }
    expect(await courier.work()).toBe(1);
    expect(courier.deliveries).toEqual([]);
    expect(await courier.find(id)).toMatchObject({ state: "failed" });
  });

  test("of a channel without a provider waits, and says what to configure", async () => {
    const courier = aCourier();
    const id = await courier.enqueue(fresh(courier, { channel: "sms", recipient: "+491712345678" }));
    await courier.work();
    const found = await courier.find(id);
    expect(found?.state).toBe("queued");
    expect(found?.lastError).toContain("tenant_defaults.courier");
  });

  // Security rule (SR-MAIL-3): what is sealed for one row opens in no other, and with no other secret.
  test("that was tampered with, or whose secret is gone, is not sent", async () => {
    const courier = aCourier();
    const [first, second] = [fresh(courier), fresh(courier, { recipient: "eve@example.com" })];
    for (const message of [first, second]) await courier.enqueue(message);
    await tenants.rows(
      "UPDATE ostiary.message SET sealed_data = (SELECT sealed_data FROM ostiary.message WHERE id = $1) WHERE id = $2",
      [first.id, second.id],
    );
    await courier.work();
    expect(courier.deliveries.map(({ id }) => id)).toEqual([first.id]);
    const stranger = new Outbox({
      sealer: createSealer(() => [new Secret("another secret, 32 characters...")]),
    });
    const other = aCourier([{ kind: "sent" }], { outbox: stranger });
    const kept = await other.enqueue(fresh(other));
    await other.work();
    expect(other.deliveries).toEqual([]);
    // It is not given up: another process may have its secret, or get it. For that one it is due at once.
    expect(await other.find(kept)).toMatchObject({
      state: "queued",
      attempts: 0,
      lastError: expect.stringContaining("cannot be opened"),
    });
    expect(await other.work()).toBe(0);
    other.clock.advance(30_000);
    expect(await other.work()).toBe(2);
    const owner = aCourier();
    owner.clock.advance(30_000);
    await owner.work();
    expect(await other.find(kept)).toMatchObject({ state: "sent" });
  });
});
