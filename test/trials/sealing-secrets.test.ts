// operations/rot and rot2: other sealing secrets for two processes on one database, while messages wait. That the database's
// URL is read again as well is asked by test/storage/outage.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { freshEmail } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { Caller, resultOf } from "../support/caller.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { type MailServer, startMailServer } from "../support/mail-server.ts";

const former = "the former sealing secret, 32 characters or more";
const next = "the next sealing secret, 32 characters or more";

let folder: string;
let database: TestDatabase;
let mail: MailServer;
/** People ask the one, which sends nothing itself; the other one sends, and makes messages as well. */
let asked: TestApp;
let sending: TestApp;

const configure = async (name: string, secrets: readonly [first: string, second: string]) => {
  for (const [index, secret] of secrets.entries())
    await writeFile(join(folder, `${name}-${index}`), secret, { mode: 0o600 });
};

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "ostiary-sealing-"));
  database = await createTestDatabase();
  mail = await startMailServer();
  const email = { smtp: { url: `smtp://127.0.0.1:${mail.port}` } };
  const start = async (name: string, workers: number) => {
    await configure(name, [former, former]);
    return startTestApp({
      databaseUrl: database.url,
      config: {
        server: { courier: { workers } },
        secrets: { sealing: [0, 1].map((index) => ({ file: join(folder, `${name}-${index}`) })) },
        tenant_defaults: { courier: { from_address: "no-reply@example.com", email } },
      },
    });
  };
  asked = await start("asked", 0);
  sending = await start("sending", 1);
});
afterEach(async () => {
  await sending.stop();
  await asked.stop();
  await mail.close();
  await database.drop();
  await rm(folder, { recursive: true });
});

const callerOf = (app: TestApp) => new Caller(app);

/** Registers people at a server, and gives their addresses. */
async function register(app: TestApp): Promise<string[]> {
  const addresses = Array.from({ length: 5 }, freshEmail);
  for (const address of addresses) expect(resultOf(await callerOf(app).register(address))).toBe("completed");
  return addresses;
}

/** All messages, as an operator sees them. */
async function messages(): Promise<readonly { readonly state: string; readonly lastError: string }[]> {
  const { body } = await operator().admin("courier.v1.CourierService/ListMessages", { pageSize: 100 });
  return (body.messages ?? []).map(({ state, lastError = "" }: { state: string; lastError?: string }) => ({
    state: state.replace("COURIER_MESSAGE_STATE_", ""),
    lastError,
  }));
}

/** The first key is made by the server that starts first. */
function operator(): Caller {
  return new Caller({ publicUrl: sending.localUrl, adminUrl: sending.adminUrl, apiKey: asked.apiKey });
}

async function rotate(name: string, app: TestApp, secrets: readonly [string, string]): Promise<void> {
  await configure(name, secrets);
  await app.reload();
}

const patience = { timeout: 20_000, interval: 50 };

test("appended everywhere, then put first, then alone: every message goes out, once", async () => {
  const steps: readonly [name: "asked" | "sending", secrets: readonly [string, string]][] = [
    ["asked", [former, next]],
    ["sending", [former, next]],
    ["sending", [next, former]],
    ["asked", [next, former]],
    ["asked", [next, next]],
    ["sending", [next, next]],
  ];
  const expected = [...(await register(asked)), ...(await register(sending))];
  for (const [name, secrets] of steps) {
    await rotate(name, name === "asked" ? asked : sending, secrets);
    expected.push(...(await register(asked)), ...(await register(sending)));
    await vi.waitFor(() => expect(mail.mails).toHaveLength(expected.length), patience);
  }
  expect(mail.mails.flatMap(({ to }) => to).sort()).toEqual(expected.sort());
  await vi.waitFor(
    async () => expect(new Set((await messages()).map(({ state }) => state))).toEqual(new Set(["SENT"])),
    patience,
  );
});

test("put first where the other one does not know it: nothing is given up, and it goes out, once, when it does", async () => {
  await rotate("asked", asked, [next, former]);
  const addresses = await register(asked);
  await vi.waitFor(async () => {
    const found = await messages();
    expect(found).toHaveLength(addresses.length);
    for (const { state, lastError } of found) {
      expect(state).toBe("QUEUED");
      expect(lastError).toContain("cannot be opened");
    }
  }, patience);
  expect(mail.mails).toEqual([]);
  await rotate("sending", sending, [next, former]);
  sending.clock.advance(8_000);
  await vi.waitFor(async () => {
    expect(new Set((await messages()).map(({ state }) => state))).toEqual(new Set(["SENT"]));
  }, patience);
  expect(mail.mails.flatMap(({ to }) => to).sort()).toEqual([...addresses].sort());
});
