import { Client } from "pg";
import { isLoopbackHost } from "../domain/hosts.ts";
import { closest } from "../domain/suggest.ts";
import { checkKeyPair, describeAuthorities } from "./certificates.ts";
import { credentialMistake } from "./url-credentials.ts";

/** A URL that the driver understands, or what is wrong with it. Messages never quote the URL. */
export type DatabaseUrlResult =
  | {
      readonly kind: "url";
      /** The URL for the driver: the same database, in the driver's own parameters. */
      readonly url: string;
      /** Whether passwords and traits are safe on their way: on this machine, or encrypted to a server that was checked. */
      readonly isProtected: boolean;
    }
  | { readonly kind: "wrong"; readonly message: string };

/**
 * Reads the URL of a PostgreSQL and tries it on the driver, files included, without connecting. Parameters that the
 * driver would pass over are refused: a misspelt `sslmode` would otherwise connect in plain text.
 */
export function readDatabaseUrl(text: string): DatabaseUrlResult {
  const wrong = (message: string): DatabaseUrlResult => ({ kind: "wrong", message });
  const [, authority, path = "", query = "", fragment] =
    /^postgres(?:ql)?:\/\/([^/?#]*)([^?#]*)(?:\?([^#]*))?(#.*)?$/s.exec(text) ?? [];
  if (authority === undefined) return wrong(form);
  const parameters = [...new URLSearchParams(query)];
  const mistake = mistakeOf({ text, authority, path, fragment }, parameters);
  if (mistake !== undefined) return wrong(mistake);
  const named = new Map(parameters);
  const tlsMistake = tlsMistakeOf(named);
  if (tlsMistake !== undefined) return wrong(tlsMistake);
  const url = writeUrl(text, parameters, tlsModeOf(named));
  try {
    // The driver's own reading, also of the PG… variables, so that what is judged is what is used.
    const { host, ssl } = new Client({ connectionString: url }) as { host: string; ssl: unknown };
    const isLocal = host.startsWith("/") || isLoopbackHost(host);
    if (named.get("channel_binding") === "require" && !isVerified(ssl) && !host.startsWith("/")) {
      return wrong("has channel_binding=require without TLS: add sslmode=verify-full");
    }
    return { kind: "url", url, isProtected: isLocal || isVerified(ssl) };
  } catch {
    // The files were looked at before. The driver's words may quote the URL.
    return wrong(named.has("sslnegotiation") ? negotiation : form);
  }
}

const negotiation = "has an sslnegotiation that is neither postgres nor direct, or direct without TLS";
const form = "must be a URL such as postgresql://user:password@host:5432/database";

/** The driver's parameters that this server has a use for. */
const knownParameters = (
  "host port user password options application_name fallback_application_name ssl sslmode " +
  "sslrootcert sslcert sslkey sslnegotiation channel_binding statement_timeout lock_timeout " +
  "idle_in_transaction_session_timeout query_timeout"
).split(" ");

/** Those of them that may hold any character. */
const freeTexts = ["user", "password", "options", "application_name", "fallback_application_name"];

/** Advice for parameters that other drivers have. */
const remedies: Readonly<Record<string, string>> = {
  connect_timeout: "set database.acquire_timeout instead",
  pool_timeout: "set database.acquire_timeout instead",
  connection_limit: "set database.pool_size instead",
  max: "set database.pool_size instead",
  pool_size: "set database.pool_size instead",
  pool_max: "set database.pool_size instead",
  pgbouncer: "leave it out: a pooler needs no mention",
  target_session_attrs: "leave it out, and name the primary server",
  dbname: "write the database's name after the host: postgresql://host/database",
  schema: "leave it out: the schema is always ostiary",
  uselibpqcompat: "leave it out: sslmode means the same here at all times",
};

interface Parts {
  readonly text: string;
  readonly authority: string;
  readonly path: string;
  readonly fragment: string | undefined;
}

function mistakeOf(parts: Parts, parameters: readonly [string, string][]): string | undefined {
  const { text, authority, path, fragment } = parts;
  const unknown = parameters.map(([name]) => name).find((name) => !knownParameters.includes(name));
  // An @ beyond the host is that of a user or password which was cut, unless a parameter can hold it.
  const isCutInQuery = parameters.some(
    ([name, value]) => name.includes("@") || (value.includes("@") && !freeTexts.includes(name)),
  );
  const isCut = isCutInQuery || path.includes("@") || fragment?.includes("@");
  const end = isCut ? text.lastIndexOf("@") : text.indexOf(authority) + authority.lastIndexOf("@");
  const userInfo = isCut || authority.includes("@") ? text.slice(text.indexOf("://") + 3, end) : "";
  const mistake = credentialMistake(userInfo);
  if (mistake !== undefined) return mistake;
  if (fragment !== undefined) return "must have no fragment: write # as %23";
  if (authority.slice(authority.lastIndexOf("@") + 1).includes(",")) {
    return "names several hosts; only one is supported: name the primary, or an address that follows it";
  }
  if (unknown !== undefined) return unknownParameter(unknown);
  const names = parameters.map(([name]) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) return `has the parameter ${twice} twice`;
  // The driver also takes a URL with a user and without a host.
  if (!URL.canParse(text.replace("@/", "@localhost/"))) return form;
  try {
    decodeURIComponent(path);
  } catch {
    return "has a percent sign in the database's name that must be written as %25";
  }
  return undefined;
}

function unknownParameter(name: string): string {
  // Only what can be a name: anything else may be the rest of a password.
  if (!/^[A-Za-z][A-Za-z0-9_.-]{0,39}$/.test(name)) {
    return "has a parameter that is not known; a ? in the user or password is written as %3F";
  }
  const meant = closest(name, knownParameters);
  const hint =
    remedies[name.toLowerCase()] ??
    (meant === undefined ? `known are ${knownParameters.join(", ")}` : `did you mean ${meant}?`);
  return `has the parameter ${name}, which is not known; ${hint}`;
}

/** Encryption of the connection, in values of `sslmode`; undefined: not set. */
type TlsMode = "disable" | "no-verify" | "verify-full" | undefined;

/** Every mode but two means the strictest: a server that may do without TLS or without its certificate protects nothing. */
const modes: Readonly<Record<string, TlsMode>> = {
  disable: "disable",
  "no-verify": "no-verify",
  allow: "verify-full",
  prefer: "verify-full",
  require: "verify-full",
  "verify-ca": "verify-full",
  "verify-full": "verify-full",
};

function tlsMistakeOf(named: ReadonlyMap<string, string>): string | undefined {
  const [mode, ssl, authorities] = [named.get("sslmode"), named.get("ssl"), named.get("sslrootcert")];
  if (mode !== undefined && !Object.hasOwn(modes, mode)) {
    const meant = closest(mode, Object.keys(modes));
    return `has an sslmode that is not known; ${meant === undefined ? `there is ${Object.keys(modes).join(", ")}` : `did you mean ${meant}?`}`;
  }
  if (mode !== undefined && ssl !== undefined) return "must not have both ssl and sslmode";
  if (ssl !== undefined && !["true", "1", "false", "0"].includes(ssl)) {
    return "has an ssl that is neither true nor false; write sslmode=verify-full or sslmode=disable";
  }
  const binding = named.get("channel_binding");
  if (binding !== undefined && !["disable", "prefer", "require"].includes(binding)) {
    return "has a channel_binding that is not known; there is disable, prefer, require";
  }
  for (const name of ["port", "statement_timeout", "lock_timeout", "query_timeout"]) {
    if (!/^\d{0,9}$/.test(named.get(name) ?? "")) return `has a ${name} that is no whole number`;
  }
  if (authorities === "system") {
    if (mode !== undefined && modes[mode] !== "verify-full")
      return "needs sslmode=verify-full with sslrootcert=system";
  } else if (authorities !== undefined) {
    const message = describeAuthorities(authorities);
    if (message !== undefined) return `has an sslrootcert that cannot be used: ${message}`;
  }
  return checkKeyPair(named.get("sslcert"), named.get("sslkey"));
}

function tlsModeOf(named: ReadonlyMap<string, string>): TlsMode {
  const [mode, ssl] = [named.get("sslmode"), named.get("ssl")];
  if (ssl !== undefined) return ssl === "true" || ssl === "1" ? "verify-full" : "disable";
  if (mode !== undefined) return modes[mode];
  const isTls = ["sslrootcert", "sslcert", "sslkey"].some((name) => named.has(name));
  return isTls || named.get("sslnegotiation") === "direct" ? "verify-full" : undefined;
}

/** The same URL with the one word for its encryption that the driver reads without a warning. */
function writeUrl(text: string, parameters: readonly [string, string][], tls: TlsMode): string {
  if (parameters.length === 0) return text;
  const kept = parameters.filter(([name, value]) => {
    if (name === "ssl" || name === "sslmode" || name === "channel_binding") return false;
    return name !== "sslrootcert" || value !== "system";
  });
  if (tls !== undefined) kept.push(["sslmode", tls]);
  const base = text.slice(0, text.indexOf("?")).replaceAll(" ", "%20");
  const query = kept.map((pair) => pair.map(encodeURIComponent).join("=")).join("&");
  return query === "" ? base : `${base}?${query}`;
}

function isVerified(ssl: unknown): boolean {
  if (typeof ssl !== "object" || ssl === null) return ssl === true;
  return !("rejectUnauthorized" in ssl) || ssl.rejectUnauthorized !== false;
}
