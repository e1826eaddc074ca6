import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { newMessage } from "../../src/domain/courier/message.ts";
import { openTwoTenants, type TwoTenants } from "../storage/two-tenants.ts";
import { startWorkerProcess } from "../support/courier-worker.ts";
import { type MailServer, startMailServer } from "../support/mail-server.ts";
import { testOutbox } from "../support/messages.ts";

let tenants: TwoTenants;
let mail: MailServer;
/** Called by the server with each mail, before its yes. */
let onMail: (() => void) | undefined;
beforeAll(async () => {
  tenants = await openTwoTenants();
  mail = await startMailServer({
    onMail: () => {
      onMail?.();
      return undefined;
    },
  });
});
afterAll(async () => {
  await mail.close();
  await tenants.storage.close();
});

async function enqueue(count: number): Promise<void> {
  const now = new Date();
  const content = { template: "login_code", data: { code: "123456", minutes: 10 } } as const;
  const messages = Array.from({ length: count }, (_, index) =>
    newMessage(content, now, { channel: "email", recipient: `person${index}@example.com`, language: "en" }),
  );
  await tenants.storage.messages.enqueue(
    tenants.scope,
    messages.map((message) => testOutbox.seal(message)),
  );
}

const leaseMs = 2_000;
const start = () => startWorkerProcess({ databaseUrl: tenants.storage.url, mailPort: mail.port, leaseMs });

/** How often each mail arrived, by its Message-ID. */
function arrivals(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { source } of mail.mails) {
    const id = /^Message-ID: <(.+)>/im.exec(source)?.[1] ?? "";
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  return counts;
}

// Each kill comes a little later after a mail has arrived: at the yes, at our note of it, within the next mail.
test("ten kills of a worker lose no mail and double at most one each", async () => {
  const count = 300;
  const kills = 10;
  await enqueue(count);
  for (let kill = 0; kill < kills; kill++) {
    const worker = await start();
    const moment = Promise.withResolvers<void>();
    const due = mail.mails.length + 5 + kill;
    onMail = () => {
      if (mail.mails.length >= due) setTimeout(moment.resolve, kill / 2);
    };
    await moment.promise;
    await worker.kill();
  }
  onMail = undefined;
  const last = await start();
  await vi.waitFor(
    async () => {
      const left = await tenants.rows("SELECT id FROM ostiary.message WHERE state <> 'sent'");
      expect(left).toEqual([]);
    },
    { timeout: 120_000, interval: 100 },
  );
  expect(await last.stop()).toBe(0);
  const counts = arrivals();
  expect(counts.size).toBe(count);
  expect(mail.mails.length - count).toBeLessThanOrEqual(kills);
}, 300_000);

test("a worker that is asked to stop finishes the mail under way and gives back the others at once", async () => {
  const before = mail.mails.length;
  await enqueue(60);
  const worker = await start();
  await mail.received(before + 5);
  expect(await worker.stop()).toBe(0);
  const left = await tenants.rows<{ state: string; attempts: number }>(
    "SELECT state, attempts FROM ostiary.message WHERE state <> 'sent'",
  );
  expect(left.length).toBe(60 - (mail.mails.length - before));
  expect(left.length).toBeGreaterThan(0);
  expect(new Set(left.map(({ state, attempts }) => `${state} ${attempts}`))).toEqual(new Set(["queued 0"]));
  const second = await start();
  await mail.received(before + 60);
  await second.stop();
  expect(mail.mails.length).toBe(before + 60);
}, 120_000);
