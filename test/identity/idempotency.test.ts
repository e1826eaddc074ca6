import { createHash, randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createSealer } from "../../src/crypto/sealer.ts";
import { IdempotencyRunner, outcomeLifetimeMs } from "../../src/domain/idempotency/idempotency.ts";
import type { Sealer, TenantScope } from "../../src/domain/ports.ts";
import { Secret } from "../../src/domain/secret.ts";
import { anAsker, noon, origin } from "../support/records.ts";
import { type IdentityRules, newIdentity, openIdentityRules } from "./identity-rules.ts";

let rules: IdentityRules;
beforeAll(async () => {
  rules = await openIdentityRules();
});
afterAll(() => rules.storage.close());

const codec = {
  encode: (text: string) => Buffer.from(text),
  decode: (bytes: Uint8Array) => Buffer.from(bytes).toString(),
};

function runnerWith(sealer: Sealer = rules.sealer): IdempotencyRunner {
  return new IdempotencyRunner({
    transactions: rules.storage,
    store: rules.storage.idempotency,
    sealer,
    clock: rules.clock,
  });
}

function call(requestId: string, change: Partial<{ caller: string; method: string; body: string }> = {}) {
  const bodyDigest = createHash("sha256")
    .update(change.body ?? "body")
    .digest();
  return {
    caller: change.caller ?? "api_key:1",
    method: change.method ?? "CreateIdentity",
    requestId,
    bodyDigest,
  };
}

/** Makes an identity, and answers with its id. */
async function make(scope: TenantScope): Promise<string> {
  const prepared = await rules.identities.prepare(
    rules.tenant,
    newIdentity({ email: `${randomUUID()}@example.com` }),
    anAsker(),
  );
  return (await rules.identities.create(scope, origin, prepared)).id;
}

describe("a call with a request id", () => {
  test("is carried out once; a repetition gets the same answer", async () => {
    const requestId = randomUUID();
    const before = await rules.countEvents("identity.created");
    const first = await runnerWith().run(rules.scope, call(requestId), codec, make);
    const second = await runnerWith().run(rules.scope, call(requestId), codec, make);
    expect(second).toBe(first);
    expect(await rules.countEvents("identity.created")).toBe(before + 1);
  });

  test("16 times at once is carried out once, and all get its answer", async () => {
    const requestId = randomUUID();
    const before = await rules.countEvents("identity.created");
    const answers = await Promise.all(
      Array.from({ length: 16 }, () => runnerWith().run(rules.scope, call(requestId), codec, make)),
    );
    expect(new Set(answers).size).toBe(1);
    expect(await rules.countEvents("identity.created")).toBe(before + 1);
  });

  test("is refused with another body", async () => {
    const requestId = randomUUID();
    await runnerWith().run(rules.scope, call(requestId), codec, make);
    const other = runnerWith().run(rules.scope, call(requestId, { body: "other" }), codec, make);
    await expect(other).rejects.toMatchObject({
      reason: "REQUEST_ID_REUSED",
      metadata: { requestId },
    });
  });

  test("means nothing to another caller, method or tenant", async () => {
    const requestId = randomUUID();
    const answers = [
      await runnerWith().run(rules.scope, call(requestId), codec, make),
      await runnerWith().run(rules.scope, call(requestId, { caller: "api_key:2" }), codec, make),
      await runnerWith().run(rules.scope, call(requestId, { method: "CreateApiKey" }), codec, make),
      await runnerWith().run(rules.other, call(requestId), codec, async () => "other tenant"),
    ];
    expect(new Set(answers).size).toBe(4);
  });

  test("that failed left nothing and may be tried again", async () => {
    const requestId = randomUUID();
    const before = await rules.countEvents("identity.created");
    const failing = runnerWith().run(rules.scope, call(requestId), codec, async (scope) => {
      await make(scope);
      throw new Error("after the write");
    });
    await expect(failing).rejects.toThrow("after the write");
    expect(await rules.countEvents("identity.created")).toBe(before);
    expect(await runnerWith().run(rules.scope, call(requestId), codec, make)).toBeTypeOf("string");
  });

  test("is forgotten after a day", async () => {
    const requestId = randomUUID();
    const first = await runnerWith().run(rules.scope, call(requestId), codec, make);
    rules.clock.at = new Date(noon.getTime() + outcomeLifetimeMs - 1);
    expect(await runnerWith().run(rules.scope, call(requestId), codec, make)).toBe(first);
    rules.clock.at = new Date(noon.getTime() + outcomeLifetimeMs);
    expect(await runnerWith().run(rules.scope, call(requestId), codec, make)).not.toBe(first);
    rules.clock.at = noon;
  });

  test("that no database can hold is refused", async () => {
    await expect(runnerWith().run(rules.scope, call("a\0"), codec, make)).rejects.toMatchObject({
      reason: "REQUEST_INVALID",
      violations: [{ field: "requestId" }],
    });
  });
});

test("a call without a request id is carried out each time, in no transaction of the runner's", async () => {
  const scopes: TenantScope[] = [];
  for (let times = 0; times < 2; times++) {
    await runnerWith().run(rules.scope, call(""), codec, async (scope) => {
      scopes.push(scope);
      return "done";
    });
  }
  expect(scopes).toEqual([rules.scope, rules.scope]);
});

describe("the outcome", () => {
  // Security rule (SR-FLOW-11): what is kept of an answer (personal data, a fresh secret) is unreadable in the database.
  test("is sealed", async () => {
    const requestId = randomUUID();
    await runnerWith().run(rules.scope, call(requestId), codec, async () => "a very visible answer");
    const [row] = await rules.rows<{ outcome: string }>(
      "SELECT outcome FROM ostiary.idempotency_record WHERE request_id = $1",
      [requestId],
    );
    const outcome = row?.outcome ?? "";
    expect(outcome.length).toBeGreaterThan(20);
    expect(Buffer.from(outcome, "base64url").toString("latin1")).not.toContain("visible");
  });

  // Security rule (SR-FLOW-11): a request may hold a password in plain text, and all else of it stands in the database: its plain
  // digest would let a reader of a dump guess the password past argon2.
  test("leaves nothing of the request behind that a password could be guessed against", async () => {
    const requestId = randomUUID();
    const repeated = call(requestId, { body: "a password, and what is known of its owner" });
    await runnerWith().run(rules.scope, repeated, codec, make);
    const [row] = await rules.rows<{ kept: string }>(
      "SELECT row_to_json(r)::text AS kept FROM ostiary.idempotency_record r WHERE request_id = $1",
      [requestId],
    );
    expect(row?.kept).toContain(requestId);
    for (const encoding of ["hex", "base64", "base64url"] as const) {
      expect(row?.kept).not.toContain(Buffer.from(repeated.bodyDigest).toString(encoding));
    }
  });

  test("of one call does not open in the place of another one's", async () => {
    const [one, two] = [randomUUID(), randomUUID()];
    await runnerWith().run(rules.scope, call(one), codec, async () => "one");
    await runnerWith().run(rules.scope, call(two), codec, async () => "two");
    await rules.rows(
      `UPDATE ostiary.idempotency_record SET outcome =
         (SELECT outcome FROM ostiary.idempotency_record WHERE request_id = $1) WHERE request_id = $2`,
      [one, two],
    );
    await expect(runnerWith().run(rules.scope, call(two), codec, make)).rejects.toMatchObject({
      reason: "REQUEST_ID_REUSED",
    });
  });

  test("whose key is gone is not made a second time", async () => {
    const requestId = randomUUID();
    await runnerWith().run(rules.scope, call(requestId), codec, make);
    const other = createSealer(() => [new Secret("another secret of the tests, as long")]);
    await expect(runnerWith(other).run(rules.scope, call(requestId), codec, make)).rejects.toMatchObject({
      reason: "REQUEST_ID_REUSED",
      message: expect.stringContaining("can no longer be read"),
    });
  });
});
