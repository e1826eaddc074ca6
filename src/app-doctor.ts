/**
 * What `ostiary doctor` looks at. Each part is looked at by itself, and changes nothing: no mail is sent, no migration is done, and the
 * server may run meanwhile or not.
 */
import { statfs } from "node:fs/promises";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { tryMailServer } from "./app-courier.ts";
import { prepare } from "./app-prepare.ts";
import { toTenantSettings } from "./app-settings.ts";
import type { AppOptions } from "./app-types.ts";
import { courierModeOf } from "./config/check-courier.ts";
import { isLoopbackHost } from "./domain/hosts.ts";
import { type Answer, ask, certificateEndOf } from "./outbound/front-door.ts";
import { createGuardedFetch } from "./outbound/guarded-fetch.ts";
import { type DatabaseFacts, openStorage } from "./storage/storage.ts";

/** What was found of a part. */
export interface Finding {
  readonly part: "configuration" | "database" | "clock" | "mail" | "https" | "proxies" | "origins";
  /** `good`; `look`: it works, and may not be meant; `wrong`: something does not work or is not safe. */
  readonly state: "good" | "look" | "wrong";
  /** One sentence: what is. */
  readonly text: string;
  /** One sentence: what to do. Empty if all is good. */
  readonly remedy: string;
}

type Part = Finding["part"];

/** Sessions, codes and leases are counted by both clocks. */
const mostClockDifferenceMs = 1_000;
const soonDays = 14;
const leastFreeBytes = 1024 ** 3;
const dayMs = 86_400_000;

/** Looks at all parts, one after the other. `describe` makes one line of an error. */
export async function* examine(
  options: AppOptions,
  describe: (error: unknown) => string,
): AsyncGenerator<Finding> {
  yield* configuration(options, describe);
  yield* database(options, describe);
  yield* mail(options);
  const door = await frontDoor(options);
  yield* https(door);
  yield* proxies(options, door);
  yield* origins(options, door);
}

async function* configuration(
  { config, environment }: AppOptions,
  describe: (error: unknown) => string,
): AsyncGenerator<Finding> {
  try {
    await prepare({ config, environment });
  } catch (error) {
    yield wrong("configuration", describe(error), "Correct it; `ostiary config check` names each problem.");
    return;
  }
  for (const warning of config.warnings) {
    yield look("configuration", warning, "Change the key, if that is not meant.");
  }
  if (config.warnings.length === 0) yield good("configuration", "can be used, without a warning");
}

async function* database(
  { config, logger }: AppOptions,
  describe: (error: unknown) => string,
): AsyncGenerator<Finding> {
  const { poolSize, statementTimeout, acquireTimeout, dataDirectory } = config.config.database;
  const url = config.secrets.databaseUrl()?.reveal();
  if (url === undefined) {
    yield* embeddedDatabase(dataDirectory);
    return;
  }
  let facts: DatabaseFacts;
  let pending: readonly string[];
  try {
    const storage = await openStorage({
      url,
      poolSize: 1,
      statementTimeoutMs: durationMs(statementTimeout),
      acquireTimeoutMs: durationMs(acquireTimeout),
      // What it would say is what is said here.
      logger: { ...logger, warn: () => {} },
    });
    try {
      facts = await storage.examine();
      pending = await storage.pendingMigrations();
    } finally {
      await storage.close();
    }
  } catch (error) {
    yield wrong("database", describe(error), "Correct database.url, or what it leads to.");
    yield look("clock", "was not compared, as the database does not answer", "Look again when it does.");
    return;
  }
  yield judgeDatabase(facts, pending, poolSize);
  yield judgeClock(facts.clock);
}

async function* embeddedDatabase(directory: string): AsyncGenerator<Finding> {
  const space = await statfs(directory).catch(() => undefined);
  const free = space === undefined ? undefined : space.bavail * space.bsize;
  if (free !== undefined && free < leastFreeBytes) {
    const text = `is embedded in ${directory}, where ${Math.floor(free / 1024 ** 2)} MiB are free`;
    yield wrong("database", text, "Make room, or set database.data_directory to a larger disk.");
  } else yield good("database", `is embedded in ${directory}; the server starts it`);
  yield good("clock", "is that of the database, which is on this machine");
}

function judgeDatabase(facts: DatabaseFacts, pending: readonly string[], poolSize: number): Finding {
  const { version, connectionLimit, connections } = facts;
  if (poolSize > connectionLimit) {
    const text = `allows ${connectionLimit} connections, and a process takes up to ${poolSize}`;
    return wrong(
      "database",
      text,
      "Lower database.pool_size, or raise max_connections or the limit of the role.",
    );
  }
  if (connections + poolSize > connectionLimit) {
    const text = `has ${connections} of ${connectionLimit} connections in use, and one more process takes up to ${poolSize}`;
    return look("database", text, "Lower database.pool_size or raise max_connections before one is added.");
  }
  if (pending.length > 0) {
    const text = `lacks ${pending.length} migrations, from ${pending[0]} on`;
    return look("database", text, "`ostiary migrate` does them, and so does the next start.");
  }
  return good("database", `PostgreSQL ${version} answers, can be written, and is up to date`);
}

function judgeClock({ aheadMs, uncertaintyMs }: DatabaseFacts["clock"]): Finding {
  const difference = Math.abs(aheadMs);
  if (difference - uncertaintyMs <= mostClockDifferenceMs) return good("clock", "agrees with the database's");
  const seconds = (difference / 1000).toFixed(1);
  const text = `is ${seconds} s ${aheadMs > 0 ? "behind" : "ahead of"} the database's`;
  return wrong("clock", text, "Synchronise both machines by NTP (chrony, systemd-timesyncd).");
}

async function* mail({ config, clock = { now: () => new Date() } }: AppOptions): AsyncGenerator<Finding> {
  const mode = courierModeOf(config.config);
  if (mode === "mailbox") {
    yield look(
      "mail",
      "is kept in the development mailbox, and nothing is sent",
      "Configure tenant_defaults.courier before others use it.",
    );
    return;
  }
  if (mode === "none") {
    const text = "cannot be sent, so verification, recovery and codes are off";
    yield look("mail", text, "Configure tenant_defaults.courier.email.");
    return;
  }
  const { allowedPrivateHosts, extraPorts } = config.config.server.outbound;
  const http = createGuardedFetch({ allowedPrivateHosts, extraPorts });
  try {
    const result = await tryMailServer(config, { http, clock });
    yield result === undefined
      ? good("mail", "goes to an HTTP endpoint, which is not tried: it would be a message")
      : good("mail", "the mail server was reached as a delivery reaches it; nothing was sent");
  } catch (error) {
    yield wrong("mail", `the mail server refuses: ${oneLine(error)}`, mailRemedy(error));
  } finally {
    await http.close();
  }
}

/** What the server or the network said; nodemailer puts no password into it. */
function oneLine(error: unknown): string {
  const text = error instanceof Error ? error.message || error.name : String(error);
  return text
    .replace(/[\p{Cc}\u2028\u2029]+/gu, " ")
    .trim()
    .slice(0, 300);
}

function mailRemedy(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const key = "tenant_defaults.courier.email.smtp";
  switch (code) {
    case "EAUTH":
      return `Correct user and password of ${key}.url; some providers want a password for applications.`;
    case "ETLS":
      return `Use a server with STARTTLS or smtps:// in ${key}.url; its own authority goes into ${key}.ca_file.`;
    case "EDNS":
    case "ENOTFOUND":
      return `Correct the host of ${key}.url.`;
    default:
      return `Correct host and port of ${key}.url (mostly 587, or 465 with smtps://), and let the firewall through.`;
  }
}

/** What answers at the public URL. */
interface Door {
  readonly url: URL;
  readonly answer: Answer;
  readonly isOurs: boolean;
}

async function frontDoor({ config }: AppOptions): Promise<Door> {
  const { publicUrl } = toTenantSettings(config, config.config.server.public.port);
  const url = new URL(publicUrl);
  const answer = await ask(`${url.origin}/version`);
  return { url, answer, isOurs: isOurs(answer) };
}

function isOurs(answer: Answer): boolean {
  if (answer.kind !== "answered" || answer.status !== 200 || !answer.headers.has("x-request-id"))
    return false;
  try {
    const body: unknown = JSON.parse(answer.body);
    return typeof body === "object" && body !== null && "version" in body;
  } catch {
    return false;
  }
}

async function* https({ url, answer, isOurs }: Door): AsyncGenerator<Finding> {
  const isLocal = isLoopbackHost(url.hostname);
  if (url.protocol !== "https:" && !isLocal) {
    const remedy = "Set server.public.tls or put a proxy with TLS in front, and write https in public_url.";
    yield wrong("https", `${url.origin} is plain text beyond this machine`, remedy);
    return;
  }
  if (answer.kind === "failed") {
    const isCertificate = /CERT|SIGNATURE|ALTNAME|ISSUER/.test(answer.code);
    yield isCertificate
      ? wrong(
          "https",
          `${url.origin} has a certificate that is refused: ${answer.reason}`,
          "Renew it, for this name and with its whole chain.",
        )
      : wrong(
          "https",
          `nothing answers at ${url.origin}: ${answer.reason}`,
          "Start the server, or correct public_url, DNS, firewall or proxy.",
        );
    return;
  }
  if (!isOurs) {
    const text = `something else answers at ${url.origin} (status ${answer.status})`;
    yield wrong("https", text, "Correct public_url, or let the proxy pass all paths on to server.public.");
    return;
  }
  if (url.protocol !== "https:") {
    yield good("https", `${url.origin} answers, and is on this machine`);
    return;
  }
  const end = await certificateEndOf(url);
  const days = end === undefined ? undefined : Math.floor((end.getTime() - Date.now()) / dayMs);
  yield days !== undefined && days < soonDays
    ? wrong(
        "https",
        `the certificate of ${url.origin} ends in ${days} days`,
        "Renew it, and find out why that did not happen by itself.",
      )
    : good(
        "https",
        `${url.origin} answers with a valid certificate${days === undefined ? "" : `, for ${days} more days`}`,
      );
}

/** Headers that this server does not send, and proxies do. */
const headersOfProxies = [
  "via",
  "server",
  "x-served-by",
  "cf-ray",
  "x-cache",
  "x-envoy-upstream-service-time",
];

function* proxies({ config }: AppOptions, { url, answer, isOurs }: Door): Generator<Finding> {
  const { trustedProxies, public: listener } = config.config.server;
  const wide = trustedProxies.find((range) => /\/[0-7]$/.test(range));
  if (wide !== undefined) {
    const text = `server.trusted_proxies has ${wide}, so nearly anybody may say whose client IP address they have`;
    yield wrong("proxies", text, "List the addresses of your own proxies alone.");
    return;
  }
  const endsTlsElsewhere = url.protocol === "https:" && listener.tls === undefined;
  const shown =
    isOurs && answer.kind === "answered"
      ? headersOfProxies.find((name) => answer.headers.has(name))
      : undefined;
  const isBehindOne = endsTlsElsewhere || shown !== undefined;
  if (isBehindOne && trustedProxies.length === 0) {
    const sign = shown === undefined ? "TLS ends before this server" : `answers have the header ${shown}`;
    const text = `there is a proxy in front (${sign}), and server.trusted_proxies is empty: all clients have one IP address`;
    yield wrong("proxies", text, "List the proxy's address in server.trusted_proxies.");
    return;
  }
  if (!isBehindOne && trustedProxies.length > 0) {
    const text = "server.trusted_proxies lists some, and none is to be seen in front";
    yield look(
      "proxies",
      text,
      "Empty the list if there is none: whoever has such an address may name any client IP address.",
    );
    return;
  }
  yield good("proxies", isBehindOne ? "those in front are listed" : "none is in front, and none is listed");
}

/** An origin that nobody allows; `.invalid` is nobody's (RFC 2606). */
const strange = "https://doctor.invalid";

async function* origins({ config }: AppOptions, { url, isOurs }: Door): AsyncGenerator<Finding> {
  if (!isOurs) {
    yield look(
      "origins",
      "were not tried, as the server does not answer at public_url",
      "Look again when it does.",
    );
    return;
  }
  const { allowedOrigins } = toTenantSettings(config, config.config.server.public.port);
  const endpoint = `${url.origin}/ostiary.session.v1.SessionService/GetCurrentSession`;
  const allows = async (origin: string) => {
    const headers = {
      origin,
      "access-control-request-method": "POST",
      "access-control-request-headers": "content-type",
    };
    const answer = await ask(endpoint, { method: "OPTIONS", headers });
    return answer.kind === "answered" ? answer.headers.get("access-control-allow-origin") : null;
  };
  if ((await allows(strange)) !== null) {
    const text = "pages of every origin are allowed to call, though the configuration does not say so";
    yield wrong("origins", text, "Take the CORS headers out of the proxy: the server sends its own.");
    return;
  }
  for (const origin of allowedOrigins) {
    if ((await allows(origin)) === origin) continue;
    const text = `${origin} is configured, and is refused at ${url.origin}`;
    yield wrong(
      "origins",
      text,
      "Restart the server with this configuration, and let the proxy pass OPTIONS and its headers on.",
    );
    return;
  }
  const local = [...allowedOrigins].find(
    (origin) => isLoopbackHost(new URL(origin).hostname) && !isLoopbackHost(url.hostname),
  );
  yield local === undefined
    ? good("origins", `each of the ${allowedOrigins.size} is allowed, and no other`)
    : look(
        "origins",
        `${local} is allowed at ${url.origin}: any program on a visitor's machine may have it`,
        "Leave it out beyond development.",
      );
}

function good(part: Part, text: string): Finding {
  return { part, state: "good", text, remedy: "" };
}

function look(part: Part, text: string, remedy: string): Finding {
  return { part, state: "look", text, remedy };
}

function wrong(part: Part, text: string, remedy: string): Finding {
  return { part, state: "wrong", text, remedy };
}
