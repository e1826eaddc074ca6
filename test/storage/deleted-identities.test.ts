// What is left of somebody who was deleted. The whole database is written out, and searched for marked values.
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { startTestApp, type TestApp } from "../support/app.ts";
import { bearer, Caller, resultOf, tokenIn } from "../support/caller.ts";
import { deletionConfig } from "../support/deletion.ts";
import { attemptsWritten } from "../support/failed-attempts.ts";
import { announceJob } from "../support/jobs.ts";
import { type MailServer, startMailServer } from "../support/mail-server.ts";
import { administer } from "../support/postgres.ts";

const dayMs = 86_400_000;
/** No other person of the test has any of these. */
const marks = {
  address: "marked-person@example.com",
  name: "Marked Person",
  clientIp: "198.51.100.77",
  agent: "MarkedBrowser/1.0",
  device: "Marked passkey",
};

let app: TestApp;
let mail: MailServer;
let caller: Caller;
const sent = { "x-forwarded-for": marks.clientIp, "user-agent": marks.agent };

beforeAll(async () => {
  mail = await startMailServer();
  const { tenant_defaults } = deletionConfig("0s");
  app = await startTestApp({
    config: {
      server: { trusted_proxies: ["127.0.0.1"] },
      tenant_defaults: {
        ...tenant_defaults,
        courier: {
          from_address: "no-reply@example.com",
          email: { smtp: { url: `smtp://127.0.0.1:${mail.port}` } },
        },
      },
    },
  });
  caller = new Caller(app);
});
afterAll(async () => {
  await app?.stop();
  await mail?.close();
});

/** Everything that the database holds, in tables of ours and of the jobs. */
async function dump(): Promise<Readonly<Record<string, string>>> {
  return administer(app.databaseUrl, async (query) => {
    const tables = await query<{ name: string }>(
      `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
        WHERE schemaname IN ('ostiary', 'graphile_worker') ORDER BY 1`,
    );
    const texts: Record<string, string> = {};
    for (const { name } of tables) {
      const rows = await query<{ row: string; state?: string }>(`SELECT t::text AS row, t.* FROM ${name} t`);
      // Those were never to be sent, and nobody sees them.
      const [suppressed, others] = [true, false].map((wanted) =>
        rows.filter(({ state }) => (state === "suppressed") === wanted).map(({ row }) => row),
      );
      texts[name] = others?.join("\n") ?? "";
      texts[`${name} (suppressed)`] = suppressed?.join("\n") ?? "";
    }
    return texts;
  });
}

/** Where something marked is found: `table: mark`. */
async function found(): Promise<readonly string[]> {
  const texts = Object.entries(await dump());
  return Object.entries(marks).flatMap(([mark, value]) =>
    texts.flatMap(([table, text]) =>
      text.toLowerCase().includes(value.toLowerCase()) ? [`${table}: ${mark}`] : [],
    ),
  );
}

/** Somebody who registers, signs in, fails to, asks for codes and changes settings. */
async function live(): Promise<{ readonly id: string; readonly token: string }> {
  const traits = { email: marks.address, name: marks.name };
  const password = "correct horse battery";
  const { answer } = await caller.walk("Registration", { traits, password: { password } }, undefined, sent);
  expect(resultOf(answer)).toBe("completed");
  const id = JSON.stringify(answer.body).match(/"identity":\{"id":"([^"]+)"/)?.[1] ?? "";
  expect(id).not.toBe("");
  const login = (secret: string) =>
    caller.walk("Login", { identifier: marks.address, password: { password: secret } }, undefined, sent);
  expect((await login("not the password")).outcome).toContain("CREDENTIALS_INVALID");
  const { answer: signedIn } = await login(password);
  await caller.walk("Login", { identifier: marks.address, sendCode: {} }, undefined, sent);
  await caller.walk("Recovery", { address: marks.address, sendCode: {} }, undefined, sent);
  await caller.walk("Verification", { address: marks.address, sendCode: {} }, undefined, sent);
  const token = tokenIn(signedIn);
  const shown = { ...sent, ...bearer(token) };
  await caller.walk("Settings", { password: { password: "violet harbour 92 kettle" } }, undefined, shown);
  await attemptsWritten(app, id);
  return { id, token };
}

/** Waits until nothing waits to be sent. */
async function allSent(): Promise<void> {
  await vi.waitFor(
    async () =>
      expect(
        await administer(app.databaseUrl, (query) =>
          query("SELECT template FROM ostiary.message WHERE ended_at IS NULL"),
        ),
      ).toEqual([]),
    { timeout: 20_000 },
  );
}

describe.each([
  [
    "an operator",
    async (id: string) => {
      await app.client(IdentityService).deleteIdentity({ identityId: id });
    },
  ],
  [
    "the owner",
    async (_id: string, token: string) => {
      const { answer } = await caller.walk("Settings", { deleteAccount: {} }, undefined, {
        ...sent,
        ...bearer(token),
      });
      expect(resultOf(answer)).toBe("completed");
    },
  ],
] as const)("an identity that %s deletes", (_name, deleteIdentity) => {
  // Security rule (SR-SECRET-4): what outlives an account tells nobody who had it.
  test("leaves nothing of the person in the database, soon in what is recorded, and after their retention in flows", async () => {
    const { id, token } = await live();
    await allSent();
    // The control: it is there to be found.
    const before = await found();
    for (const place of ["event: clientIp", "event: agent", "message: address", "session: clientIp"]) {
      expect(before).toContain(`ostiary.${place}`);
    }
    await deleteIdentity(id, token);
    await allSent();
    await announceJob(app.databaseUrl, "forget_deleted");
    await vi.waitFor(
      async () =>
        // What somebody typed into a flow may be a stranger's doing, and goes with the flows.
        expect((await found()).filter((place) => !/^ostiary\.flow:|\(suppressed\)/.test(place))).toEqual([]),
      { timeout: 20_000 },
    );
    const events = await administer(app.databaseUrl, (query) =>
      query<{ type: string }>("SELECT type FROM ostiary.event WHERE identity_id = $1", [id]),
    );
    expect(events.map(({ type }) => type)).toEqual(
      expect.arrayContaining(["identity.created", "login.failed", "login.succeeded", "identity.deleted"]),
    );
    app.clock.advance(2 * dayMs);
    await announceJob(app.databaseUrl, "remove_expired");
    await vi.waitFor(async () => expect(await found()).toEqual([]), { timeout: 20_000 });
  });
});
