import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SecureContextOptions } from "node:tls";
import type { DescService } from "@bufbuild/protobuf";
import { type Client, createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { stringify } from "yaml";
import { bootstrapAdminKey, startApp } from "../../src/app.ts";
import { loadConfig } from "../../src/config/load-config.ts";
import { createSealer } from "../../src/crypto/sealer.ts";
import type { MessageContent, MessageTemplate } from "../../src/domain/courier/message.ts";
import { Outbox } from "../../src/domain/courier/outbox.ts";
import type { EventFeed } from "../../src/domain/event/feed.ts";
import type { MessageId } from "../../src/domain/ids.ts";
import type { Logger } from "../../src/domain/ports.ts";
import { Secret } from "../../src/domain/secret.ts";
import { TestClock } from "./clock.ts";
import { createServerDatabase } from "./database.ts";
import { administer } from "./postgres.ts";
import { wideThrottleConfig } from "./throttle.ts";

/** One line of the server's log. */
export interface LogLine {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly fields: object;
  readonly message: string;
}

/** A whole server on a database of its own, with two free ports. */
export interface TestApp {
  /** Where the server believes to be reached. */
  readonly publicUrl: string;
  /** Where the public listener is reached in fact. */
  readonly localUrl: string;
  readonly adminUrl: string;
  /** The bootstrap key: it may do everything. */
  readonly apiKey: string;
  readonly databaseUrl: string;
  readonly dataDirectory: string;
  readonly clock: TestClock;
  readonly log: readonly LogLine[];
  /** The statements of calls that were sent since it was last emptied; not what the server does by itself. */
  readonly statements: string[];
  /** Those in which it is noted when sessions and keys were used, in batches. */
  readonly uses: readonly string[];
  /** What was sent, oldest first; to one recipient if one is given. */
  messages(recipient?: string): Promise<readonly SentMessage[]>;
  /** A client of a service of the contract, over one of the protocols. */
  client<Service extends DescService>(
    service: Service,
    options?: { readonly protocol?: Protocol; readonly bearer?: string; readonly headers?: HeadersInit },
  ): Client<Service>;
  /** The event log, as the server follows it. */
  readonly eventFeed: EventFeed;
  reload(): Promise<void>;
  stop(): Promise<void>;
}

/** A message on its way out. */
export interface SentMessage {
  readonly recipient: string;
  readonly template: string;
  /** Whether it is only there so that sending and not sending are alike. */
  readonly suppressed: boolean;
  /** What it says; empty where the template has no data of that name. */
  readonly code: string;
  readonly url: string;
  /** The content, as the sender opens it. */
  readonly content: MessageContent | undefined;
}

/** The ways to call the same method. */
export type Protocol = "Connect JSON" | "Connect binary" | "gRPC" | "gRPC-Web";

/** All of them, for `describe.each`. */
export const protocols: readonly Protocol[] = ["Connect JSON", "Connect binary", "gRPC", "gRPC-Web"];

/**
 * Starts a server for a test. Its passwords are hashed with cheap parameters, which only development mode allows;
 * `config` is merged into the configuration file, as in YAML. Limits are too wide to be met, unless `defaultThrottle`.
 * With `databaseUrl` it is one more server on the database of another one, which removes it.
 */
export async function startTestApp(
  options: {
    readonly config?: object;
    readonly defaultThrottle?: boolean;
    readonly databaseUrl?: string;
    readonly clock?: TestClock;
    /** Environment variables that are no keys of the configuration. */
    readonly environment?: Readonly<Record<string, string>>;
    /** Where its log goes, for what it says before it has started. */
    readonly log?: LogLine[];
  } = {},
): Promise<TestApp> {
  const database =
    options.databaseUrl === undefined
      ? await createServerDatabase()
      : { url: options.databaseUrl, drop: async () => {}, adminKey: undefined };
  const directory = await mkdtemp(join(tmpdir(), "ostiary-test-"));
  const file = join(directory, "ostiary.yaml");
  const secret = randomBytes(32).toString("hex");
  const defaults = {
    dev: true,
    server: { public: { port: 0 }, admin: { port: 0 } },
    database: { url: database.url, data_directory: directory },
    secrets: { sealing: [secret] },
    tenant_defaults: {
      password: { argon2: { memory_kib: 64, iterations: 1 } },
      throttle: options.defaultThrottle ? {} : wideThrottleConfig,
    },
  };
  await writeFile(file, stringify(merge(defaults, options.config ?? {})), { mode: 0o600 });
  const log = options.log ?? [];
  const statements: string[] = [];
  const uses: string[] = [];
  const clock = options.clock ?? new TestClock();
  const appOptions = {
    config: loadConfig({ file, environment: {}, flags: {} }),
    logger: memoryLogger(log),
    version: "0.0.0-test",
    clock,
    environment: options.environment,
    onStatement: (text: string) => {
      if (isUse(text)) uses.push(text);
      else if (!isOfNoCall(text)) statements.push(text);
    },
  };
  const app = await startApp(appOptions);
  const key = database.adminKey ?? (await bootstrapAdminKey(appOptions))?.reveal();
  const { publicUrl, adminUrl, publicPort } = app;
  const localUrl = `http://127.0.0.1:${publicPort}`;
  return {
    publicUrl,
    localUrl,
    adminUrl,
    apiKey: key ?? "",
    databaseUrl: database.url,
    dataDirectory: directory,
    clock,
    log,
    statements,
    uses,
    messages: (recipient) => readMessages(database.url, secret, recipient),
    client: (service, { protocol = "Connect JSON", bearer, headers } = {}) => {
      const isAdmin = /ApiKey|Identity|Invitation|Admin|Courier|Throttle/.test(service.typeName);
      const baseUrl = isAdmin ? adminUrl : localUrl;
      const token = bearer ?? (isAdmin ? key : undefined);
      return createClient(service, transportOf(protocol, baseUrl, token, headers));
    },
    eventFeed: app.eventFeed,
    reload: () => app.reload(),
    stop: async () => {
      await app.stop();
      await database.drop();
      await rm(directory, { recursive: true });
    },
  };
}

/** Whether it is a statement of the courier's workers, of a job, which may run at any time, or of the check of the database. */
function isOfNoCall(text: string): boolean {
  return (
    text === "SELECT 1" ||
    text.startsWith("WITH gathered AS") ||
    /ostiary\.event_|UPDATE ostiary\.event SET ip_address|relispartition/.test(text) ||
    text.includes("graphile_worker.") ||
    /(FROM|UPDATE) ostiary\.message\b/.test(text) ||
    /^DELETE FROM ostiary\.\w+ WHERE \w+ < \$1 AND \(tenant_id, |WHERE purge_at <= \$1 ORDER BY/.test(text)
  );
}

function isUse(text: string): boolean {
  return /^UPDATE ostiary\.\w+ target SET last_used_at/.test(text);
}

/** A transport of a protocol, with headers for each call, and what Node's TLS takes for its connections. */
export function transportOf(
  protocol: Protocol,
  baseUrl: string,
  bearer: string | undefined,
  headers: HeadersInit = {},
  nodeOptions: SecureContextOptions = {},
): Transport {
  const interceptor: Interceptor = (next) => (request) => {
    if (bearer !== undefined) request.header.set("authorization", `Bearer ${bearer}`);
    new Headers(headers).forEach((value, name) => {
      request.header.set(name, value);
    });
    return next(request);
  };
  const options = { baseUrl, interceptors: [interceptor], nodeOptions };
  switch (protocol) {
    case "Connect JSON":
      return createConnectTransport({ ...options, httpVersion: "1.1", useBinaryFormat: false });
    case "Connect binary":
      return createConnectTransport({ ...options, httpVersion: "1.1", useBinaryFormat: true });
    case "gRPC":
      return createGrpcTransport(options);
    case "gRPC-Web":
      return createGrpcWebTransport({ ...options, httpVersion: "1.1" });
    default: {
      const unreachable: never = protocol;
      return unreachable;
    }
  }
}

/** The messages of a database, oldest first; to one recipient if one is given. `secret` is what they are sealed with. */
export async function readMessages(
  databaseUrl: string,
  secret: string,
  recipient: string | undefined,
): Promise<readonly SentMessage[]> {
  const outbox = new Outbox({ sealer: createSealer(() => [new Secret(secret)]) });
  const rows = await administer(databaseUrl, (query) =>
    query<{ id: MessageId; template: MessageTemplate; recipient: string; state: string; sealedData: string }>(
      `SELECT id, template, recipient, state, sealed_data AS "sealedData" FROM ostiary.message
        WHERE $1::text IS NULL OR recipient = $1 ORDER BY created_at, id`,
      [recipient],
    ),
  );
  return rows.map((row) => {
    const content = outbox.open(row);
    const data = { code: "", url: "", ...content?.data };
    return { ...row, suppressed: row.state === "suppressed", code: data.code, url: data.url, content };
  });
}

export function memoryLogger(lines: LogLine[]): Logger {
  const write = (level: LogLine["level"]) => (fields: object, message: string) => {
    lines.push({ level, fields, message });
  };
  return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
}

function merge(base: object, over: object): object {
  const merged: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const own = merged[key];
    const both = isPlainObject(own) && isPlainObject(value);
    merged[key] = both ? merge(own, value) : value;
  }
  return merged;
}

function isPlainObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
