import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { Client } from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { OutgoingMessage } from "../../src/domain/courier/message.ts";
import type { ClaimedMessage } from "../../src/domain/courier/store.ts";
import type { IdentityId, MessageId } from "../../src/domain/ids.ts";
import { instantOf } from "../../src/domain/instant.ts";
import type { TenantScope } from "../../src/domain/ports.ts";
import { Announced, Database } from "../../src/storage/database.ts";
import { insertMessages, messagesParameter } from "../../src/storage/message-sql.ts";
import { createMessageStore } from "../../src/storage/message-store.ts";
import { defaultTestOptions } from "../support/database.ts";
import { aMessage, testOutbox } from "../support/messages.ts";
import { afterNoon, anEvent, noon } from "../support/records.ts";
import { openTwoTenants, type TwoTenants } from "./two-tenants.ts";

let tenants: TwoTenants;
beforeAll(async () => {
  tenants = await openTwoTenants();
});
afterEach(() => tenants.rows("DELETE FROM ostiary.message"));
afterAll(() => tenants.storage.close());

async function enqueue(...messages: readonly OutgoingMessage[]): Promise<void> {
  const sealed = messages.map((message) => testOutbox.seal(message));
  await tenants.storage.messages.enqueue(tenants.scope, sealed);
}

function claim(
  now = afterNoon(1),
  limit = 10,
  except: readonly MessageId[] = [],
): Promise<readonly ClaimedMessage[]> {
  return tenants.storage.messages.claim({ now, leaseMs: 30_000, leaseToken: randomUUID(), limit, except });
}

/** Lets all leases end, as half a minute does. */
async function endLeases(): Promise<void> {
  await tenants.rows(
    "UPDATE ostiary.message SET next_attempt_at = next_attempt_at - interval '30 s' WHERE state = 'sending'",
  );
}

const sent = (at = afterNoon(1)) => ({ at, keepData: false, event: anEvent("message.sent") });

describe("enqueue", () => {
  test("stores what a message is, within its tenant, with what it says sealed", async () => {
    const identityId = "01890000-0000-7000-8000-000000000000" as IdentityId;
    const message = aMessage({ identityId });
    await enqueue(message);
    const { storage, scope, other } = tenants;
    expect(await storage.messages.find(scope, message.id)).toEqual({
      id: message.id,
      createdAt: noon,
      updatedAt: noon,
      state: "queued",
      channel: "email",
      template: "login_code",
      recipient: "ada@example.com",
      language: "en",
      identityId,
      attempts: 0,
      nextAttemptAt: noon,
      expiresAt: afterNoon(10),
      endedAt: undefined,
      lastError: undefined,
    });
    expect(await storage.messages.find(other, message.id)).toBeUndefined();
    // Security rule (SR-MAIL-3): a copy of the database shows no code.
    expect(JSON.stringify(await tenants.rows("SELECT * FROM ostiary.message"))).not.toContain("048213");
    const [claimed] = await claim();
    expect(claimed && testOutbox.open(claimed)).toEqual({
      template: message.template,
      data: { code: "048213", minutes: 10 },
    });
  });

  test("as part of another statement writes as that one decides", async () => {
    const parameter = messagesParameter([testOutbox.seal(aMessage()), testOutbox.seal(aMessage())]);
    const write = (condition: string) =>
      tenants.rows(
        `WITH decided AS (SELECT WHERE ${condition}), written AS (
          ${insertMessages({ tenant: "$1", messages: "$2", from: "decided" })} RETURNING id
        ) SELECT id FROM written`,
        [tenants.scope.tenantId, parameter],
      );
    expect(await write("false")).toEqual([]);
    expect(await write("true")).toHaveLength(2);
  });
});

// Security rule (SR-ENUM-4): for an address that nobody has the same row is written, and nothing ever comes of it.
describe("a suppressed message", () => {
  test("is stored, but neither taken nor shown nor put back", async () => {
    const message = aMessage({ suppressed: true });
    await enqueue(message);
    const { storage, scope } = tenants;
    expect(await tenants.rows("SELECT id FROM ostiary.message")).toHaveLength(1);
    expect(await claim(afterNoon(60))).toEqual([]);
    expect(await storage.messages.find(scope, message.id)).toBeUndefined();
    expect(await storage.messages.findKept(scope, message.id)).toBeUndefined();
    expect((await storage.messages.list(scope, {}, { size: 10 })).items).toEqual([]);
    expect(await storage.messages.listKept(scope, 10)).toEqual([]);
    const change = { at: noon, event: anEvent("message.retried") };
    expect(await storage.messages.requeue(scope, message.id, change)).toBeUndefined();
  });

  test("is announced like any other", () => {
    for (const suppressed of [true, false]) {
      expect(messagesParameter([testOutbox.seal(aMessage({ suppressed }))])).toBeInstanceOf(Announced);
    }
    expect(messagesParameter([])).toBe("[]");
  });
});

describe("claim", () => {
  test("gives each message to one of sixteen workers that ask at once", async () => {
    await enqueue(...Array.from({ length: 40 }, () => aMessage()));
    const claims = await Promise.all(Array.from({ length: 16 }, () => claim(afterNoon(1), 5)));
    const ids = claims.flat().map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const rest = await claim(afterNoon(1), 100);
    expect(ids.length + rest.length).toBe(40);
  });

  test("counts the attempt, and gives a message to another once the lease has run out", async () => {
    await enqueue(aMessage());
    const [first] = await claim(afterNoon(1));
    expect(first?.attempts).toBe(1);
    expect(await claim(afterNoon(1))).toEqual([]);
    await endLeases();
    const [second] = await claim(afterNoon(1));
    expect(second).toMatchObject({ id: first?.id, attempts: 2 });
    // The first worker is not dead, only late: its note changes nothing any more.
    if (first === undefined || second === undefined) throw new Error("nothing was claimed");
    expect(await tenants.storage.messages.recordSent(first, sent())).toBe(false);
    expect(await tenants.storage.messages.recordSent(second, sent())).toBe(true);
  });

  test("leaves what a worker cannot open to others", async () => {
    const [first, second] = [aMessage(), aMessage()];
    await enqueue(first, second);
    expect((await claim(afterNoon(1), 10, [first.id])).map(({ id }) => id)).toEqual([second.id]);
    expect((await claim(afterNoon(1))).map(({ id }) => id)).toEqual([first.id]);
  });

  test("takes nothing before its time", async () => {
    await enqueue(aMessage({ now: afterNoon(5) }));
    expect(await claim(afterNoon(4))).toEqual([]);
    expect(await claim(afterNoon(5))).toHaveLength(1);
  });
});

describe("a lease", () => {
  test("is extended as long as it is held", async () => {
    await enqueue(aMessage(), aMessage());
    const claimed = await claim(afterNoon(1));
    const { messages } = tenants.storage;
    expect(await messages.renew(claimed, 60_000)).toEqual(new Set(claimed.map(({ id }) => id)));
    await endLeases();
    expect(await claim(afterNoon(1))).toEqual([]);
    await endLeases();
    const taken = await claim(afterNoon(1), 1);
    const left = claimed.filter(({ id }) => id !== taken[0]?.id).map(({ id }) => id);
    expect(await messages.renew(claimed, 60_000)).toEqual(new Set(left));
  });

  /** Two processes whose clocks were 40 s apart sent 4 of 16 messages twice. */
  test("begins and ends by the database's clock, however wrong that of a process is", async () => {
    const hours = 60;
    const now = Date.now();
    const at = (minutes: number) => instantOf(new Date(now + minutes * 60_000));
    await enqueue(aMessage({ now: at(-5 * hours) }));
    const [claimed] = await claim(at(-4 * hours));
    expect(await claim(at(+4 * hours))).toEqual([]);
    const [lease] = await tenants.rows<{ seconds: number }>(
      "SELECT extract(epoch FROM next_attempt_at - statement_timestamp())::int AS seconds FROM ostiary.message",
    );
    expect(lease?.seconds).toBeGreaterThan(0);
    expect(lease?.seconds).toBeLessThanOrEqual(30);
    if (claimed === undefined) throw new Error("nothing was claimed");
    // What is given back by a clock that is ahead waits for nobody.
    await tenants.storage.messages.release([claimed], at(+4 * hours));
    expect(await claim(at(1))).toHaveLength(1);
  });

  test("is given back without counting as an attempt", async () => {
    await enqueue(aMessage());
    await tenants.storage.messages.release(await claim(afterNoon(1)), afterNoon(1));
    expect(await claim(afterNoon(1))).toMatchObject([{ attempts: 1 }]);
  });
});

describe("what came of a message", () => {
  test("sent: its event is written, and what it said is forgotten", async () => {
    const before = await tenants.countEvents("message.sent");
    await enqueue(aMessage());
    const [claimed] = await claim();
    if (claimed === undefined) throw new Error("nothing was claimed");
    expect(await tenants.storage.messages.recordSent(claimed, sent())).toBe(true);
    expect(await tenants.countEvents("message.sent")).toBe(before + 1);
    const kept = await tenants.storage.messages.findKept(tenants.scope, claimed.id);
    expect(kept).toMatchObject({ state: "sent", endedAt: afterNoon(1), sealedData: undefined });
    expect(await tenants.storage.messages.recordSent(claimed, sent())).toBe(false);
    expect(await tenants.countEvents("message.sent")).toBe(before + 1);
  });

  test("failed for now: it comes back at its time", async () => {
    await enqueue(aMessage());
    const [claimed] = await claim();
    if (claimed === undefined) throw new Error("nothing was claimed");
    const change = { at: afterNoon(1), nextAttemptAt: afterNoon(3), error: "450 later", isCounted: true };
    expect(await tenants.storage.messages.recordRetry(claimed, change)).toBe(true);
    expect(await claim(afterNoon(2))).toEqual([]);
    const found = await tenants.storage.messages.find(tenants.scope, claimed.id);
    expect(found).toMatchObject({ state: "queued", lastError: "450 later", attempts: 1 });
    expect(await claim(afterNoon(3))).toHaveLength(1);
  });

  test("failed for a reason outside of it: the attempt is not counted", async () => {
    await enqueue(aMessage());
    const [claimed] = await claim();
    if (claimed === undefined) throw new Error("nothing was claimed");
    const change = { at: afterNoon(1), nextAttemptAt: afterNoon(3), error: "535 no", isCounted: false };
    expect(await tenants.storage.messages.recordRetry(claimed, change)).toBe(true);
    const found = await tenants.storage.messages.find(tenants.scope, claimed.id);
    expect(found).toMatchObject({ state: "queued", lastError: "535 no", attempts: 0 });
    expect(await claim(afterNoon(3))).toMatchObject([{ attempts: 1, lastError: "535 no" }]);
  });

  test("failed for good: it is put back, also to another recipient, by its own tenant only", async () => {
    await enqueue(aMessage({ content: { template: "password_changed", data: {} } }));
    const [claimed] = await claim();
    if (claimed === undefined) throw new Error("nothing was claimed");
    const { messages } = tenants.storage;
    const { id } = claimed;
    const change = { at: afterNoon(2), recipient: "eve@example.com", event: anEvent("message.readdressed") };
    expect(await messages.requeue(tenants.scope, id, change)).toBeUndefined();
    const failure = { at: afterNoon(1), error: "550 no", event: anEvent("message.failed") };
    expect(await messages.recordFailed(claimed, failure)).toBe(true);
    expect(await claim(afterNoon(100))).toEqual([]);
    expect(await messages.requeue(tenants.other, id, change)).toBeUndefined();
    expect(await messages.requeue(tenants.scope, id, change)).toMatchObject({
      state: "queued",
      attempts: 0,
      recipient: "eve@example.com",
      lastError: undefined,
      endedAt: undefined,
    });
    expect(await claim(afterNoon(2))).toMatchObject([{ id, recipient: "eve@example.com", attempts: 1 }]);
  });
});

describe("list", () => {
  test("filters by state, recipient, identity and template, newest first, within its tenant", async () => {
    const identityId = "01890000-0000-7000-8000-00000000000a" as IdentityId;
    const old = aMessage({ recipient: "old@example.com" });
    const own = aMessage({ now: afterNoon(1), identityId });
    const notice = aMessage({ now: afterNoon(2), content: { template: "password_changed", data: {} } });
    await enqueue(old, own, notice);
    await claim(noon, 1);
    const { messages } = tenants.storage;
    const list = async (filter: Parameters<typeof messages.list>[1]) =>
      (await messages.list(tenants.scope, filter, { size: 10 })).items.map(({ id }) => id);
    expect(await list({})).toEqual([notice.id, own.id, old.id]);
    expect(await list({ state: "sending" })).toEqual([old.id]);
    expect(await list({ recipient: "old@example.com" })).toEqual([old.id]);
    expect(await list({ identityId })).toEqual([own.id]);
    expect(await list({ template: "password_changed" })).toEqual([notice.id]);
    expect(await list({ state: "queued", template: "login_code" })).toEqual([own.id]);
    expect((await messages.list(tenants.other, {}, { size: 10 })).items).toEqual([]);
  });

  test("pages through messages of the same moment without losing one", async () => {
    await enqueue(...Array.from({ length: 5 }, () => aMessage()));
    const seen: string[] = [];
    let after: readonly string[] | undefined;
    do {
      const page = await tenants.storage.messages.list(tenants.scope, {}, { size: 2, after });
      seen.push(...page.items.map(({ id }) => id));
      after = page.next;
    } while (after !== undefined);
    expect(new Set(seen).size).toBe(5);
  });
});

test("the listener hears of messages, also after its connection was lost", async () => {
  let heard = Promise.withResolvers<void>();
  const channel = tenants.storage.openMessageChannel(() => heard.resolve());
  try {
    await heard.promise;
    heard = Promise.withResolvers<void>();
    await enqueue(aMessage());
    await heard.promise;
    heard = Promise.withResolvers<void>();
    await tenants.rows(
      `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'ostiary notifications'`,
    );
    // Connected again, it calls once for what it may have missed.
    await heard.promise;
    heard = Promise.withResolvers<void>();
    await enqueue(aMessage());
    await heard.promise;
  } finally {
    await channel.stop();
  }
});

describe("the announcement of messages", () => {
  /** Counts what a connection of somebody else hears, and waits for it. */
  async function listen() {
    const client = new Client({ connectionString: tenants.storage.url });
    await client.connect();
    await client.query("LISTEN ostiary_message");
    let count = 0;
    client.on("notification", () => count++);
    return {
      count: () => count,
      next: () => once(client, "notification", { signal: AbortSignal.timeout(10_000) }),
      /** Resolves when all that was sent before has arrived. */
      settled: () => client.query("SELECT 1"),
      end: () => client.end(),
    };
  }

  test("follows the commit, and is not made for what was rolled back", async () => {
    let announced = 0;
    const database = new Database({
      ...{ ...defaultTestOptions, url: tenants.storage.url },
      onMessages: () => announced++,
    });
    const messages = createMessageStore(database);
    const write = (scope: TenantScope) => messages.enqueue(scope, [testOutbox.seal(aMessage())]);
    try {
      await write(tenants.scope);
      expect(announced).toBe(1);
      await database.transaction(tenants.scope, async (tx) => {
        await write(tx);
        // Also out of a transaction within it.
        await database.transaction(tx, write);
        expect(announced).toBe(1);
      });
      expect(announced).toBe(2);
      const failing = database.transaction(tenants.scope, async (tx) => {
        await write(tx);
        throw new Error("given up");
      });
      await expect(failing).rejects.toThrow("given up");
      await messages.enqueue(tenants.scope, []);
      expect(announced).toBe(2);
    } finally {
      await database.close();
    }
  });

  test("stands for many, at most a hundred in a second, and the last message has one", async () => {
    const ready = Promise.withResolvers<void>();
    const channel = tenants.storage.openMessageChannel(ready.resolve);
    await ready.promise;
    const listener = await listen();
    try {
      const startedAt = performance.now();
      for (let round = 0; round < 20; round++) {
        await Promise.all(Array.from({ length: 20 }, () => enqueue(aMessage())));
      }
      const seconds = (performance.now() - startedAt) / 1_000;
      await listener.settled();
      expect(listener.count()).toBeGreaterThan(0);
      expect(listener.count()).toBeLessThanOrEqual(seconds * 100 + 1);
      const last = listener.next();
      await enqueue(aMessage());
      await last;
    } finally {
      await listener.end();
      await channel.stop();
    }
  });

  test("is made once the connection is back, of what was written while it was away", async () => {
    const listener = await listen();
    const next = listener.next();
    await enqueue(aMessage());
    const channel = tenants.storage.openMessageChannel();
    await next;
    await channel.stop();
    await listener.end();
  });

  test("is no part of a statement that writes", () => {
    const files = readdirSync("src/storage").filter((name) => name.endsWith(".ts"));
    const notifying = files.filter((name) =>
      /pg_notify|NOTIFY \$/.test(readFileSync(`src/storage/${name}`, "utf8")),
    );
    expect(notifying).toEqual(["notifications.ts"]);
  });
});
