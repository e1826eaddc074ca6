import { DomainError, domainError } from "../domain/errors.ts";

/** How long callers are asked to wait while the database is away. */
const retryAfterMs = 1_000;

/** Failures of the connection as Node names them. */
const networkCodes =
  /^(ECONNREFUSED|ECONNRESET|ECONNABORTED|EPIPE|ETIMEDOUT|ENOENT|EACCES|EHOSTUNREACH|ENETUNREACH|ENETDOWN|EHOSTDOWN|ENOTFOUND|EAI_AGAIN|ENOTCONN|EADDRNOTAVAIL)$/;

/** Failures of the connection that `pg` and its pool report without a code. */
const driverSentences =
  /^(Connection terminated|timeout exceeded when trying to connect|Query read timeout|Client has encountered a connection error|Client was closed|Cannot use a pool after calling end)/;

/** The SQLSTATE of an error of the database; undefined for any other error. */
export function sqlState(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error) || !("severity" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/** The same of an error that a store has thrown as well. */
export function sqlStateOf(error: unknown): string | undefined {
  return sqlState(originalOf(error));
}

/** Whether the statement broke a unique index. Which one is found out by looking, never by its name. */
export function isDuplicate(error: unknown): boolean {
  return sqlStateOf(error) === "23505";
}

/** Whether the statement refers to a row that is not there, for example because it was deleted at the same moment. */
export function isForeignKeyViolation(error: unknown): boolean {
  return sqlStateOf(error) === "23503";
}

/** Whether running the same again can succeed: a deadlock, or a serialization failure. */
export function isRetryable(error: unknown): boolean {
  const state = sqlStateOf(error);
  return state === "40P01" || state === "40001";
}

/** Whether the connection that reported this must not be used again. */
export function isConnectionLost(error: unknown): boolean {
  const state = sqlState(error);
  if (state === undefined) return true;
  // A server that went read-only is a replica now (a failover): the next connection finds the new primary.
  return state.startsWith("08") || state.startsWith("57P") || state === "25006" || timedOutTransaction(state);
}

/** idle_in_transaction_session_timeout and transaction_timeout: the server ended the session. */
function timedOutTransaction(state: string): boolean {
  return state === "25P03" || state === "25P04";
}

/**
 * What a store throws for an error of the driver. The driver's text names tables, columns and values, so it stays
 * in `cause`, for the log. Errors that are not the driver's pass unchanged.
 */
export function translate(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof DomainError || error instanceof StatementError)
    return error;
  const state = sqlState(error);
  if (state !== undefined) return translateState(state, error);
  return isNetworkFailure(error) ? unavailable(error) : error;
}

/** Whether a failure tells of the state of the database, and not of the statement. */
export function tellsOfDatabase(error: unknown): boolean {
  return sqlState(error) !== undefined || (error instanceof Error && isNetworkFailure(error));
}

/** Any failure of getting a connection that is not the database's own answer means that it is away. */
export function translateConnectFailure(error: unknown): unknown {
  const state = sqlState(error);
  return state === undefined ? unavailable(error) : translateState(state, error);
}

/** A statement that the database refused and that we cannot explain to the caller. */
export class StatementError extends Error {
  override readonly name = "StatementError";
  readonly state: string;

  constructor(state: string, cause: unknown) {
    super(`The database refused a statement (SQLSTATE ${state})`, { cause });
    this.state = state;
  }
}

function translateState(state: string, cause: unknown): Error {
  const away =
    state.startsWith("08") || // connection exceptions
    state.startsWith("53") || // out of connections, memory or disk
    state.startsWith("57P") || // shutting down, crashed, starting up
    state === "57014" || // statement_timeout
    state === "25006" || // a replica
    timedOutTransaction(state) ||
    state === "55P03"; // lock_timeout
  if (away) return unavailable(cause);
  // Class 22: a value that PostgreSQL cannot hold, such as U+0000 in a text.
  if (state.startsWith("22")) {
    return domainError(
      "REQUEST_INVALID",
      {},
      {
        cause,
        message: "A value of the request cannot be stored: U+0000, half a surrogate pair, or out of range.",
      },
    );
  }
  return new StatementError(state, cause);
}

function unavailable(cause: unknown): DomainError {
  return domainError("DATABASE_UNAVAILABLE", {}, { cause, retryAfterMs });
}

function isNetworkFailure(error: Error): boolean {
  if ("code" in error && typeof error.code === "string" && networkCodes.test(error.code)) return true;
  return driverSentences.test(error.message);
}

function originalOf(error: unknown): unknown {
  return error instanceof StatementError ? error.cause : error;
}
