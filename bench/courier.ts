// How many mails two workers, each a process of its own, send to a local SMTP server: `node bench/courier.ts [mails]`.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { newMessage } from "../src/domain/courier/message.ts";
import { startEmbeddedPostgres } from "../src/storage/embedded-postgres.ts";
import { openStorage } from "../src/storage/storage.ts";
import { startWorkerProcess } from "../test/support/courier-worker.ts";
import { startMailServer } from "../test/support/mail-server.ts";
import { testOutbox } from "../test/support/messages.ts";
import { silentLogger } from "../test/support/postgres.ts";

const count = Number(process.argv[2] ?? 2_000);
const dataDirectory = mkdtempSync(join(tmpdir(), "ostiary-bench-"));
// Durable, as in production: each mail is noted by a commit that is on the disk.
const postgres = await startEmbeddedPostgres({ dataDirectory, logger: silentLogger });
const storage = await openStorage({
  url: postgres.url,
  poolSize: 2,
  statementTimeoutMs: 60_000,
  acquireTimeoutMs: 10_000,
  logger: silentLogger,
});
const mail = await startMailServer();
try {
  await storage.migrate();
  const now = new Date();
  const scope = { tenantId: await storage.ensureTenant("default", now) };
  const worker = { databaseUrl: postgres.url, mailPort: mail.port, leaseMs: 30_000 };
  const workers = await Promise.all([startWorkerProcess(worker), startWorkerProcess(worker)]);
  await send(20);
  const startedAt = performance.now();
  await send(count);
  const seconds = (performance.now() - startedAt) / 1_000;
  console.log(`${count} mails by two workers: ${(count / seconds).toFixed(0)} mails/s (budget 200)`);
  await Promise.all(workers.map((each) => each.stop()));

  async function send(messages: number): Promise<void> {
    const content = { template: "login_code", data: { code: "123456", minutes: 10 } } as const;
    const arrived = mail.received(mail.mails.length + messages);
    const sealed = Array.from({ length: messages }, (_, index) =>
      testOutbox.seal(
        newMessage(content, new Date(), {
          channel: "email",
          recipient: `person${index}@example.com`,
          language: "en",
        }),
      ),
    );
    await storage.messages.enqueue(scope, sealed);
    await arrived;
  }
} finally {
  await mail.close();
  await storage.close();
  await postgres.stop();
  rmSync(dataDirectory, { recursive: true });
}
