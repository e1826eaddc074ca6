// SPDX-License-Identifier: Apache-2.0
import { createRemoteJWKSet, customFetch, errors, type JWTVerifyGetKey } from "jose";
import { boundedFetch } from "../bounded-fetch.ts";

/** The largest answer that is read. A server has a few keys of about 200 bytes each. */
const mostBytes = 64 * 1024;
/** For how long keys are used without asking again: as long as the server lets them be kept. */
const maxAgeMs = 300_000;
/** After how long an unknown key is asked for again. */
const cooldownMs = 10_000;
/** For how long nobody asks after an attempt that failed. */
const failureMs = 1_000;

/** How the published keys are read. */
export interface KeysReach {
  readonly url: URL;
  readonly fetch: typeof globalThis.fetch;
  readonly timeoutMs: number;
}

/**
 * The published keys, read when they are needed.
 *
 * Security rule (SR-TOKEN-9): whatever strangers send, the keys are asked for at most every ten seconds, once a second while that fails, and once at a
 * time; the answer is bounded, and no redirect is followed.
 */
export function publishedKeys({ url, fetch, timeoutMs }: KeysReach): JWTVerifyGetKey {
  const bounded = boundedFetch((input, init) => fetch(input, init), mostBytes);
  let failedAt: number | undefined;
  const keys = createRemoteJWKSet(url, {
    timeoutDuration: timeoutMs,
    cooldownDuration: cooldownMs,
    cacheMaxAge: maxAgeMs,
    [customFetch]: async (address, init) => {
      if (failedAt !== undefined && performance.now() - failedAt < failureMs) {
        throw new Error("the keys could not be read a moment ago");
      }
      try {
        const response = await bounded(address, init);
        failedAt = response.ok ? undefined : performance.now();
        return response;
      } catch (error) {
        failedAt = performance.now();
        throw error;
      }
    },
  });
  return (header, token) => keys(header, token);
}

/** Whether an error of jose is about the token, and not about the way to its key. */
export function isAboutToken(error: unknown): boolean {
  const { JOSEError, JWKInvalid, JWKSInvalid, JWKSTimeout, JWKSMultipleMatchingKeys } = errors;
  if (!(error instanceof JOSEError) || error.code === JOSEError.code) return false;
  return ![JWKInvalid, JWKSInvalid, JWKSTimeout, JWKSMultipleMatchingKeys].some(
    (kind) => error instanceof kind,
  );
}
