import { ConfigError } from "../config/problems.ts";
import { withoutTokens } from "./logger.ts";

/** Something that the user can put right; its message is all there is to say. */
export class UserError extends Error {
  override readonly name = "UserError";
}

/** Configured ports, so that a port in use is named by its key. */
export interface ListenerPorts {
  readonly publicPort: number;
  readonly adminPort: number;
}

/** The failure for people: a line for each problem, without secrets and without a stack. */
export function describeFailure(error: unknown, ports?: ListenerPorts): string[] {
  if (error instanceof ConfigError) return [...error.problems];
  if (error instanceof UserError) return [oneLine(error.message)];
  return [withoutTokens(oneLine(sentenceFor(error, ports)))];
}

function sentenceFor(error: unknown, ports: ListenerPorts | undefined): string {
  for (const cause of chainOf(error)) {
    const sentence = listenSentence(cause, ports) ?? databaseSentence(cause);
    if (sentence !== undefined) return sentence;
  }
  // Not of a cause: the error around the system's error says already what the file is for.
  const sentence = error instanceof Error ? fileSentence(error) : undefined;
  if (sentence !== undefined) return sentence;
  return error instanceof Error ? error.message || error.name : String(error);
}

/** An error and its causes; of an AggregateError (one failure for each address of a name) the first of each. */
function chainOf(error: unknown): Error[] {
  const chain: Error[] = [];
  for (let current = error; current instanceof Error && chain.length < 10; ) {
    chain.push(current);
    const [first] = current instanceof AggregateError ? (current.errors as unknown[]) : [];
    current = first ?? current.cause;
  }
  return chain;
}

interface SystemDetails {
  readonly code?: unknown;
  readonly syscall?: unknown;
  readonly port?: unknown;
  readonly address?: unknown;
  readonly hostname?: unknown;
  readonly path?: unknown;
}

function listenSentence(error: Error & SystemDetails, ports: ListenerPorts | undefined): string | undefined {
  // A worker's sockets are bound by its parent, and a conflict then shows at that.
  if (error.syscall !== "listen" && error.syscall !== "bind") return undefined;
  const key =
    error.port === ports?.publicPort
      ? " (server.public.port, --public-port)"
      : error.port === ports?.adminPort
        ? " (server.admin.port, --admin-port)"
        : "";
  const where = `port ${error.port} on ${error.address}${key}`;
  switch (error.code) {
    case "EADDRINUSE":
      return `${where} is already in use: stop what listens there, or choose another port`;
    case "EACCES":
      return `${where} may not be used by this account: ports below 1024 need a privilege`;
    case "EADDRNOTAVAIL":
      return `${where} cannot be used: this machine does not have that address`;
    default:
      return `${where} cannot be used (${error.code})`;
  }
}

// https://www.postgresql.org/docs/current/errcodes-appendix.html
const databaseStates: Partial<Record<string, string>> = {
  "28P01": "the database refused the password: check database.url",
  "28000": "the database refused the account: check database.url and pg_hba.conf",
  "3D000": "there is no database of that name: create it, or check database.url",
  "42501": "the database account lacks a privilege: it must own the database or its schema",
  "25006": "the database is read-only: is it a standby? Point database.url at the primary",
  "53100": "the database's disk is full: make room there (database.url)",
  "53200": "the database is out of memory (database.url)",
  "53300": "the database has no free connection: lower database.pool_size or raise max_connections",
  "55P03": "somebody else holds a lock in the database: see pg_stat_activity there, and try again",
  "57014": "the database took too long or was told to stop the statement (database.statement_timeout)",
  "57P03": "the database is starting up or shutting down: try again",
};

function databaseSentence(error: Error & SystemDetails): string | undefined {
  if (typeof error.code !== "string") return undefined;
  const known = databaseStates[error.code];
  if (known !== undefined) return known;
  const where =
    error.port === undefined ? (error.address ?? error.hostname) : `${error.address}:${error.port}`;
  switch (error.code) {
    case "ECONNREFUSED":
      return `the database at ${where} refuses connections: is it running? (database.url)`;
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `the database's host ${where} is not known: check database.url`;
    case "ETIMEDOUT":
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return `the database at ${where} cannot be reached: check database.url`;
    default:
      return undefined;
  }
}

function fileSentence(error: Error & SystemDetails): string | undefined {
  if (typeof error.path !== "string") return undefined;
  if (error.code === "EACCES" || error.code === "EPERM") return `${error.path}: permission denied`;
  if (error.code === "ENOSPC") return `${error.path}: the disk is full`;
  if (error.code === "EROFS") return `${error.path}: the file system is read-only`;
  return undefined;
}

function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]+/gu, " ").trim();
}
