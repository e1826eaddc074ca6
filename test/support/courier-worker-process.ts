/**
 * A worker in a process of its own, for tests that kill it. Arguments: the database's URL, the mail server's port, the
 * length of a lease in milliseconds. Prints `ready`; ends gracefully at SIGTERM, and at once with its input.
 */
import { MessageSender } from "../../src/domain/courier/message-sender.ts";
import { startCourierWorkers } from "../../src/outbound/courier-worker.ts";
import { createSmtpTransport } from "../../src/outbound/smtp-transport.ts";
import { LiquidRenderer } from "../../src/outbound/templates/liquid-renderer.ts";
import { readTemplateFiles } from "../../src/outbound/templates/template-files.ts";
import { openStorage } from "../../src/storage/storage.ts";
import { testOutbox } from "./messages.ts";
import { silentLogger } from "./postgres.ts";

process.stdin.on("end", () => process.exit(1)).resume();
process.stdin.unref();
const [url = "", port = "", leaseMs = ""] = process.argv.slice(2);
const storage = await openStorage({
  url,
  poolSize: 4,
  statementTimeoutMs: 10_000,
  acquireTimeoutMs: 10_000,
  logger: silentLogger,
});
const { files } = readTemplateFiles(undefined);
const smtp = createSmtpTransport({
  server: { host: "127.0.0.1", port: Number(port), implicitTls: false, login: undefined },
  allowPlainText: false,
  authorities: undefined,
  timeouts: { connectMs: 5_000 },
  from: { address: "no-reply@example.com", name: "Acme" },
});
const sender = new MessageSender({
  store: storage.messages,
  outbox: testOutbox,
  renderer: new LiquidRenderer({
    files,
    defaultLanguage: "en",
    serviceName: "Acme",
    pageDomain: "id.example.com",
    support: "",
  }),
  transports: { email: smtp },
  takeTextMessage: async () => undefined,
  noteAddressGone: async () => {},
  retry: { maxAttempts: 50, firstDelayMs: 100, maxDelayMs: 1_000 },
  clock: { now: () => new Date() },
  logger: silentLogger,
  leaseMs: Number(leaseMs),
});
const workers = startCourierWorkers({ sender, workers: 1, logger: silentLogger, pollMs: 100 });
const channel = storage.openMessageChannel(() => workers.wake());
process.on("SIGTERM", async () => {
  await Promise.all([workers.stop(10_000), channel.stop()]);
  smtp.close();
  await storage.close();
});
process.stdout.write("ready\n");
