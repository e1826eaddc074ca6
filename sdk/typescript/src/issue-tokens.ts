// SPDX-License-Identifier: Apache-2.0
import { durationFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Ostiary } from "./client.ts";
import { type OptionNames, refuseUnknownOptions } from "./options.ts";
import { type Span, spanMs } from "./server/span.ts";

/** Which tokens to ask for. */
export interface IssueTokensOptions {
  /** The service that they are for. Default: the first of the server's `session.tokens.audiences`. */
  readonly audience?: string | undefined;
  /** The set of claims. Default: `default`, if the server has one. */
  readonly template?: string | undefined;
  /** How long each is valid: from a second to an hour. Default: the server's `session.tokens.lifetime`. */
  readonly lifetime?: Span | undefined;
}

const optionNames: OptionNames<IssueTokensOptions> = { audience: true, template: true, lifetime: true };

/** The share of its time after which a token is renewed. */
const freshShare = 0.8;
/** The share after which it is handed out no more: it must reach its service before its end. */
const usableShare = 0.95;
/** After how long a renewal that failed is tried again, while the former token is still usable. */
const retryMs = 1_000;

interface Issued {
  readonly token: string;
  /** By the clock of `performance`, which nobody sets. */
  readonly freshUntil: number;
  readonly usableUntil: number;
}

/**
 * Makes a function that gives signed tokens of the session that `ostiary` calls with, for the `token` of a service's client. It keeps a token. A call
 * in the last fifth of the token's time has the next one asked for, without waiting for it. Calls at the same moment share one. Rejects
 * with the server's error where there is no token to give. No timer runs.
 *
 * A token outlives its session by its lifetime at most. Make another function for another session.
 */
export function issueTokens(
  ostiary: Pick<Ostiary, "sessions">,
  options: IssueTokensOptions = {},
): () => Promise<string> {
  refuseUnknownOptions("issueTokens", options, optionNames);
  const { audience = "", template = "", lifetime } = options;
  const request = {
    audience,
    template,
    ...(lifetime !== undefined && {
      lifetime: durationFromMs(spanMs("lifetime", lifetime, 1000, 3_600_000)),
    }),
  };
  let kept: Issued | undefined;
  let asking: Promise<Issued> | undefined;
  let retryAt = 0;

  async function ask(): Promise<Issued> {
    const askedAt = performance.now();
    try {
      const { token, expireTime } = await ostiary.sessions.issueToken(request);
      const issuedAt = issueTimeOf(token);
      if (expireTime === undefined || issuedAt === undefined) throw new Error("IssueToken gave no token");
      // By the server's own times: the clock of this machine may say something else.
      const lifetimeMs = timestampMs(expireTime) - issuedAt;
      const after = (share: number) => askedAt + lifetimeMs * share;
      kept = { token, freshUntil: after(freshShare), usableUntil: after(usableShare) };
      return kept;
    } catch (error) {
      retryAt = performance.now() + retryMs;
      // The session has ended, or gets no such tokens.
      if (!isTemporary(error)) kept = undefined;
      throw error;
    } finally {
      asking = undefined;
    }
  }

  return async () => {
    const now = performance.now();
    if (kept !== undefined && now < kept.freshUntil) return kept.token;
    const usable = kept !== undefined && now < kept.usableUntil ? kept : undefined;
    if (usable !== undefined && now < retryAt) return usable.token;
    asking ??= ask();
    if (usable === undefined) return (await asking).token;
    // What came of it, the next call learns.
    asking.catch(() => {});
    return usable.token;
  };
}

/** Whether another attempt may succeed. */
function isTemporary(error: unknown): boolean {
  const { Unavailable, DeadlineExceeded, ResourceExhausted, Unknown, Internal, Canceled, Aborted } = Code;
  const temporary = [Unavailable, DeadlineExceeded, ResourceExhausted, Unknown, Internal, Canceled, Aborted];
  return temporary.includes(ConnectError.from(error).code);
}

/** The claim `iat` in milliseconds; undefined if this is no token. */
function issueTimeOf(token: string): number | undefined {
  try {
    const payload = (token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/");
    const { iat } = JSON.parse(atob(payload)) as { readonly iat?: unknown };
    return typeof iat === "number" ? iat * 1000 : undefined;
  } catch {
    // An answer that is no token is the caller's error, which says so.
    return undefined;
  }
}
