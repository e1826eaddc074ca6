import pino from "pino";
import type { Logger } from "../domain/ports.ts";
import { Secret } from "../domain/secret.ts";

/** The levels of the log, the least important first. */
export type LogLevelName = "debug" | "info" | "warn" | "error";

/**
 * The log: JSON lines, by default on standard error. `everywhere` are fields of every line.
 *
 * Security rule (SR-SECRET-1): no code logs secrets on purpose; this is the second line of defence. Fields with the name of a secret
 * read `[secret]`, of errors only the name, message, code, stack and cause are kept (a driver's other fields quote
 * rows), and texts that look like one of our tokens or the password of a URL are cut out.
 */
export function createLogger(
  level: LogLevelName,
  destination: { write(line: string): unknown } = new LogOutput(),
  everywhere?: Readonly<Record<string, number>>,
): Logger {
  return pino(
    {
      level,
      base: everywhere ?? null,
      timestamp: pino.stdTimeFunctions.isoTime,
      messageKey: "message",
      // Errors are cleaned below, with everything else; the default would join causes into the message.
      serializers: { err: (error: unknown) => error },
      formatters: {
        level: (label) => ({ level: label }),
        log: (fields) => cleaned(fields, 0) as Record<string, unknown>,
      },
      hooks: { streamWrite: withoutTokens },
    },
    destination,
  );
}

/** Where the log goes: standard error, and the listeners. */
export class LogOutput {
  readonly #written: { write(line: string): unknown };
  readonly #listeners = new Set<(line: string) => void>();

  /** Default: standard error, written synchronously, so that the last line before the end of the process is there as well. */
  constructor(written: { write(line: string): unknown } = pino.destination({ fd: 2, sync: true })) {
    this.#written = written;
  }

  /** Hands each line to the listener as well, until the returned function is called. */
  listen(listener: (line: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  write(line: string): void {
    this.#written.write(line);
    for (const listener of this.#listeners) listener(line);
  }
}

/** A text without our tokens, of which the kind and the tenant stay, and without the passwords of URLs. */
export function withoutTokens(text: string): string {
  return text
    .replace(/\b(ost_[a-z]{3}_(?:[a-z][a-z0-9-]{0,31}_)?)[0-9A-Za-z]{20,}/g, "$1[secret]")
    .replace(/(\b[a-z][a-z0-9+.-]{1,20}:\/\/[^\s:/?#@"\\]*:)[^\s/?#@"\\]+@/gi, "$1[secret]@");
}

// In lower case, without dashes and underscores: one entry for session_token, sessionToken and Session-Token.
const secretNames = new Set(
  (
    "password newpassword currentpassword passphrase pin code otp totp " +
    "token sessiontoken csrftoken formtoken accesstoken refreshtoken idtoken pagetoken " +
    "secret secrets clientsecret apikey privatekey sealing key hash digest " +
    "authorization proxyauthorization cookie cookies setcookie xapikey " +
    "flowid databaseurl connectionstring traits"
  ).split(" "),
);

const maxDepth = 6;
const maxItems = 100;

function cleaned(value: unknown, depth: number): unknown {
  if (typeof value === "bigint") return String(value);
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Secret) return value.toJSON();
  if (depth > maxDepth) return "[deep]";
  if (value instanceof Error) return cleanedError(value, depth);
  if (ArrayBuffer.isView(value)) return "[bytes]";
  if (Array.isArray(value)) return value.slice(0, maxItems).map((item) => cleaned(item, depth + 1));
  if ("toJSON" in value && typeof value.toJSON === "function") {
    const json: unknown = value.toJSON();
    return json === value ? undefined : cleaned(json, depth + 1);
  }
  const entries = Object.entries(value).slice(0, maxItems);
  return Object.fromEntries(
    entries.map(([name, part]) => [name, isSecretName(name, part) ? "[secret]" : cleaned(part, depth + 1)]),
  );
}

function cleanedError(error: Error, depth: number): object {
  const { name, message, stack, cause } = error;
  const code = "code" in error ? { code: error.code } : {};
  const reason = "reason" in error ? { reason: error.reason } : {};
  const errors = error instanceof AggregateError ? { errors: cleaned(error.errors, depth + 1) } : {};
  const because = cause === undefined ? {} : { cause: cleaned(cause, depth + 1) };
  const where = isExplained(error) ? {} : { stack };
  return { name, message, ...reason, ...code, ...where, ...errors, ...because };
}

/** Whether an error says all there is to say: a mistake of the operator, or a state of the database. A stack would only hide that. */
function isExplained(error: Error): boolean {
  if (["ConfigError", "TemplateError", "UserError"].includes(error.name)) return true;
  if ("reason" in error && error.reason === "DATABASE_UNAVAILABLE") return true;
  // Those of the database have a severity, those of a file its path.
  return "severity" in error || ("path" in error && "syscall" in error);
}

/** A number or a word like `code: "ECONNREFUSED"` is no secret: only an error's code is spelled like that. */
function isSecretName(name: string, value: unknown): boolean {
  if (value === undefined || value === null || typeof value === "boolean") return false;
  const plain = name.toLowerCase().replaceAll(/[-_]/g, "");
  if (plain === "code") return typeof value === "string" && /^\d{4,12}$/.test(value);
  return secretNames.has(plain);
}
