import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { newId } from "../../src/domain/ids.ts";
import { openStorage } from "../../src/storage/storage.ts";
import { defaultTestOptions, openTestStorage } from "../support/database.ts";
import { announceJob } from "../support/jobs.ts";
import { aMessage, testOutbox } from "../support/messages.ts";
import { administer } from "../support/postgres.ts";
import {
  aFlow,
  afterNoon,
  anEvent,
  anIdentity,
  anInvitation,
  aPassword,
  aSession,
  heldFlow,
  noon,
  passwordProof,
} from "../support/records.ts";

let storage: Awaited<ReturnType<typeof openTestStorage>>;
beforeAll(async () => {
  storage = await openTestStorage();
});
afterAll(() => storage.close());

const retentionMs = 60 * 60_000;
const messageRetentionMs = 2 * retentionMs;

async function seed() {
  const scope = { tenantId: await storage.ensureTenant("default", noon) };
  const flows = [
    aFlow("login", { expiresAt: afterNoon(-61) }),
    aFlow("login", { expiresAt: afterNoon(-59) }),
  ];
  for (const flow of flows) await storage.flows.create(scope, flow);
  const identity = anIdentity();
  const sessions = [
    aSession(identity.id, { expiresAt: afterNoon(-61) }),
    aSession(identity.id, { expiresAt: afterNoon(-59) }),
    aSession(identity.id, { expiresAt: afterNoon(999), revokedAt: afterNoon(-61) }),
    aSession(identity.id, { expiresAt: afterNoon(999), revokedAt: afterNoon(-59) }),
    aSession(identity.id, { expiresAt: afterNoon(999) }),
  ];
  await storage.identities.create(scope, identity, [aPassword("$h")], []);
  for (const session of sessions) {
    const flow = aFlow("login");
    await storage.flows.create(scope, flow);
    const value = identity.identifiers[0]?.value ?? "";
    const { candidate } = await storage.flows.findForLogin(scope, flow.digest, value, { kind: "password" });
    if (candidate === undefined) throw new Error("the identity was not found");
    const result = await storage.flows.completeLogin(scope, {
      held: [heldFlow(flow)],
      candidate,
      proof: passwordProof,
      replaces: undefined,
      session,
      replacement: undefined,
      messages: [],
      maxSessions: 100,
      idleSince: undefined,
      at: afterNoon(-120),
      events: [],
      evictionEvent: anEvent("session.revoked"),
    });
    expect(result).toBe("completed");
  }
  for (const [requestId, expiresAt] of [
    ["old", afterNoon(-1)],
    ["new", afterNoon(1)],
  ] as const) {
    const key = { caller: "c", method: "m", requestId };
    await storage.transaction(scope, async (tx) => {
      await storage.idempotency.claim(tx, key, afterNoon(-120), expiresAt);
      await storage.idempotency.complete(tx, key, "done");
    });
  }
  return { scope, flows, sessions };
}

test("the server's own job removes what has expired, keeps the rest, and survives the loss of its connections", async () => {
  const { scope, flows, sessions } = await seed();
  const jobs = storage.startJobs({ retentionMs, messageRetentionMs, clock: { now: () => noon } });
  try {
    await announceJob(storage.url, "remove_expired");
    await vi.waitFor(
      async () =>
        expect(
          await storage.flows.find(scope, "login", flows[0]?.digest ?? new Uint8Array()),
        ).toBeUndefined(),
      { timeout: 10_000 },
    );
    await vi.waitFor(
      async () =>
        expect(
          await administer(storage.url, (query) =>
            query("SELECT request_id FROM ostiary.idempotency_record"),
          ),
        ).toEqual([{ request_id: "new" }]),
      { timeout: 5_000 },
    );
    expect(await storage.flows.find(scope, "login", flows[1]?.digest ?? new Uint8Array())).toBeDefined();
    const left = await Promise.all(sessions.map(({ id }) => storage.sessions.find(scope, id)));
    expect(left.map((session) => session !== undefined)).toEqual([false, true, false, true, true]);

    await administer(storage.url, (query) =>
      query(
        `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
          WHERE datname = current_database() AND application_name = 'ostiary jobs'`,
      ),
    );
    const late = aFlow("login", { expiresAt: afterNoon(-61) });
    await openStorageAndCreate(late);
    await announceJob(storage.url, "remove_expired");
    await vi.waitFor(
      async () => expect(await storage.flows.find(scope, "login", late.digest)).toBeUndefined(),
      { timeout: 15_000 },
    );
  } finally {
    await jobs.stop();
  }

  async function openStorageAndCreate(flow: ReturnType<typeof aFlow>) {
    const second = await openStorage({ ...defaultTestOptions, url: storage.url });
    await second.flows.create(scope, flow);
    await second.close();
  }
});

test("messages are removed when they ended longer ago than their retention, suppressed ones as well", async () => {
  const scope = { tenantId: await storage.ensureTenant("default", noon) };
  const now = afterNoon(-180);
  const [sent, waiting, suppressed] = [
    aMessage({ now }),
    aMessage({ now: afterNoon(-999) }),
    aMessage({ now, suppressed: true }),
  ];
  const fresh = aMessage({ now: afterNoon(-60), suppressed: true });
  const sealed = [sent, suppressed, fresh].map((message) => testOutbox.seal(message));
  await storage.messages.enqueue(scope, sealed);
  const leaseToken = randomUUID();
  const [claimed] = await storage.messages.claim({ now, leaseMs: 30_000, leaseToken, limit: 1, except: [] });
  if (claimed === undefined) throw new Error("nothing was claimed");
  const event = anEvent("message.sent");
  await storage.messages.recordSent(claimed, { at: afterNoon(-121), keepData: false, event });
  // However old: what was not sent yet is not lost.
  await storage.messages.enqueue(scope, [testOutbox.seal(waiting)]);
  const jobs = storage.startJobs({ retentionMs, messageRetentionMs, clock: { now: () => noon } });
  try {
    await announceJob(storage.url, "remove_expired");
    const left = () =>
      administer(storage.url, (query) => query<{ id: string }>("SELECT id FROM ostiary.message ORDER BY id"));
    const expected = [waiting.id, fresh.id].sort();
    await vi.waitFor(async () => expect((await left()).map(({ id }) => id)).toEqual(expected), {
      timeout: 10_000,
    });
  } finally {
    await jobs.stop();
  }
});

test("invitations are removed when they were used or revoked, or expired, longer ago than the retention", async () => {
  const scope = { tenantId: await storage.ensureTenant("default", noon) };
  const invitations = [
    anInvitation({ createdAt: afterNoon(-120), expiresAt: afterNoon(-61) }),
    anInvitation({ createdAt: afterNoon(-120), expiresAt: afterNoon(-59) }),
    anInvitation({ createdAt: afterNoon(-120), expiresAt: afterNoon(999) }),
    anInvitation({ createdAt: afterNoon(-120), expiresAt: afterNoon(999) }),
    anInvitation({ createdAt: afterNoon(-120), expiresAt: afterNoon(999) }),
    anInvitation({ createdAt: afterNoon(-120), expiresAt: afterNoon(999) }),
  ];
  for (const invitation of invitations) {
    await storage.invitations.create(scope, invitation, anEvent("invitation.created"), []);
  }
  const idOf = (index: number) => invitations[index]?.id ?? newId(noon);
  await storage.invitations.revoke(scope, idOf(2), afterNoon(-61), anEvent("invitation.revoked"));
  await storage.invitations.revoke(scope, idOf(3), afterNoon(-59), anEvent("invitation.revoked"));
  const flow = aFlow("registration");
  await storage.flows.create(scope, flow);
  const identity = anIdentity();
  const completion = { identity, session: aSession(identity.id), credential: undefined, events: [] };
  const held = [heldFlow(flow)];
  const used = { ...completion, held, invitationId: idOf(4), at: afterNoon(-61) };
  expect(await storage.flows.completeRegistration(scope, used)).toBe("completed");

  const jobs = storage.startJobs({ retentionMs, messageRetentionMs, clock: { now: () => noon } });
  try {
    await announceJob(storage.url, "remove_expired");
    const left = () => Promise.all(invitations.map(({ id }) => storage.invitations.find(scope, id)));
    await vi.waitFor(
      async () =>
        expect((await left()).map((found) => found !== undefined)).toEqual([
          ...[false, true, false],
          ...[true, false, true],
        ]),
      { timeout: 10_000 },
    );
  } finally {
    await jobs.stop();
  }
});

// An error that nobody waits for would be an unhandled rejection, which fails the run.
test("a worker that cannot record the end of a job is started again, and nothing else ends", async () => {
  const scope = { tenantId: await storage.ensureTenant("default", noon) };
  const expired = async () => {
    const flow = aFlow("login", { expiresAt: afterNoon(-61) });
    await storage.flows.create(scope, flow);
    return flow;
  };
  const gone = ({ digest }: ReturnType<typeof aFlow>) =>
    vi.waitFor(async () => expect(await storage.flows.find(scope, "login", digest)).toBeUndefined(), {
      timeout: 20_000,
    });
  const first = await expired();
  const jobs = storage.startJobs({ retentionMs, messageRetentionMs, clock: { now: () => noon } });
  try {
    await administer(storage.url, async (query) => {
      await query("BEGIN");
      await query("LOCK TABLE ostiary.flow IN ACCESS EXCLUSIVE MODE");
      await announceJob(storage.url, "remove_expired");
      const waiting = "SELECT FROM pg_locks WHERE NOT granted AND relation = 'ostiary.flow'::regclass";
      await vi.waitFor(async () => expect(await query(waiting)).toHaveLength(1), { timeout: 10_000 });
      // While the job is under way, its queue is taken away.
      await query("ALTER TABLE graphile_worker._private_jobs RENAME TO away");
      await query("COMMIT");
      await gone(first);
      await query("ALTER TABLE graphile_worker.away RENAME TO _private_jobs");
    });
    const second = await expired();
    await announceJob(storage.url, "remove_expired");
    await gone(second);
  } finally {
    await jobs.stop();
  }
});

test("jobs are stopped even before they have started", async () => {
  const jobs = storage.startJobs({ retentionMs, messageRetentionMs, clock: { now: () => noon } });
  await jobs.stop();
});
