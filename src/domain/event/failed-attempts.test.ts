import { beforeEach, describe, expect, test } from "vitest";
import { type IdentityId, newId, type TenantId } from "../ids.ts";
import { type Event, type EventType, newEvent } from "./event.ts";
import { FailedAttempts } from "./failed-attempts.ts";

const tenant = { tenantId: "01890000-0000-7000-8000-000000000001" as TenantId };
const identityId = "01890000-0000-7000-8000-000000000002" as IdentityId;

let now: Date;
let written: Event[];
let isAway: boolean;
let failed: FailedAttempts;
let warnings: object[];
beforeEach(() => {
  now = new Date("2026-01-01T12:00:00.000Z");
  written = [];
  warnings = [];
  isAway = false;
  const silent = () => {};
  failed = new FailedAttempts({
    events: {
      appendGathered: async (_scope, events) => {
        if (isAway) throw new Error("the database is away");
        written.push(...events);
      },
    },
    clock: { now: () => now },
    logger: { debug: silent, info: silent, error: silent, warn: (fields) => warnings.push(fields) },
  });
});

function attempt(change: { ip?: string; of?: IdentityId; type?: EventType; reason?: string } = {}): Event {
  const { ip = "192.0.2.1", of, type = "login.failed", reason = "CREDENTIALS_INVALID" } = change;
  const origin = {
    actor: { kind: "anonymous" },
    requestId: newId(now),
    ipAddress: ip,
    userAgent: "x",
  } as const;
  return newEvent(type, now, origin, { identityId: of, data: { reason, method: "password" } });
}
const minute = () => {
  now = new Date(now.getTime() + 60_000);
};

test("other events are given back", () => {
  const [own, other] = [attempt({ of: identityId }), attempt({ type: "credential.counter_regressed" })];
  expect(failed.note(tenant, [own, other])).toEqual([other]);
});

test("each attempt for an account is written as it is, at the next moment", async () => {
  const events = [attempt({ of: identityId }), attempt({ of: identityId, type: "login.throttled" })];
  failed.note(tenant, events);
  await failed.flush();
  expect(written).toEqual(events);
});

describe("attempts for names that nobody has", () => {
  test("are one event for each address, method and reason in a minute", async () => {
    const first = attempt();
    failed.note(tenant, [first]);
    now = new Date(now.getTime() + 30_000);
    failed.note(tenant, [attempt(), attempt({ ip: "192.0.2.2" }), attempt({ reason: "CODE_INVALID" })]);
    await failed.flush();
    expect(written).toEqual([]);
    minute();
    await failed.flush();
    expect(written.map(({ origin, data }) => [origin.ipAddress, data])).toEqual([
      [
        "192.0.2.1",
        {
          reason: "CREDENTIALS_INVALID",
          method: "password",
          attempts: 2,
          until: "2026-01-01T12:00:30.000Z",
        },
      ],
      ["192.0.2.2", expect.objectContaining({ attempts: 1 })],
      ["192.0.2.1", expect.objectContaining({ reason: "CODE_INVALID", attempts: 1 })],
    ]);
    expect(written[0]).toMatchObject({ id: first.id, createdAt: first.createdAt, origin: { requestId: "" } });
    expect(written[1]?.origin).toMatchObject({ userAgent: "x", requestId: expect.stringMatching(/./) });
  });

  // Security rule (SR-LIMIT-16): a thousand machines that guess at names fill no table.
  test("of a thousand addresses are a hundred events and one for the rest, and none is left out of the count", async () => {
    for (let address = 0; address < 1_000; address++) {
      failed.note(tenant, [attempt({ ip: `198.51.${address >> 8}.${address & 255}` })]);
    }
    minute();
    await failed.flush();
    expect(written).toHaveLength(101);
    expect(written.map(({ data }) => Number(data.attempts)).reduce((sum, each) => sum + each)).toBe(1_000);
    expect(written.at(-1)).toMatchObject({ origin: { ipAddress: undefined }, data: { attempts: 900 } });
    expect(written.at(-1)?.data).not.toHaveProperty("reason");
  });

  test("are written at the end of the process", async () => {
    failed.note(tenant, [attempt()]);
    await failed.finish();
    expect(written).toHaveLength(1);
  });
});

test("what cannot be written is kept, in its order, up to a bound that is reported", async () => {
  isAway = true;
  const events = Array.from({ length: 10_001 }, () => attempt({ of: identityId }));
  failed.note(tenant, events);
  await failed.flush();
  expect(warnings).toMatchObject([{ count: 1 }, { count: 10_000 }]);
  isAway = false;
  await failed.flush();
  expect(written).toEqual(events.slice(0, 10_000));
});
