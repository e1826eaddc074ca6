// SPDX-License-Identifier: Apache-2.0
import type { OptionNames } from "./options.ts";
import type { Reach, TokenSource } from "./transport.ts";

/** The options of Reach, for the lists of those who take more. */
export const reachNames: OptionNames<Reach> = {
  baseUrl: true,
  transport: true,
  fetch: true,
  credentials: true,
  timeoutMs: true,
};

/** The longest time that timers can take: about 24 days. A longer one would end at once. */
export const longestTimerMs = 2 ** 31 - 1;

const credentialsModes: readonly unknown[] = ["include", "omit", "same-origin"];

/**
 * Throws a TypeError that names the option unless a listener can be reached so. `paths`: whether a path will do as the
 * address, as on a web page.
 */
export function checkReach(reach: Reach, { paths }: { readonly paths: boolean }): void {
  const { baseUrl, fetch, credentials, timeoutMs, transport }: Loose = reach;
  if (isGiven(transport)) {
    // Ignored, a limit of time or a choice of cookies would be none.
    for (const [name, value] of Object.entries({ baseUrl, fetch, credentials, timeoutMs })) {
      if (isGiven(value))
        throw new TypeError(`${name} has no effect beside transport: leave one of them out`);
    }
    if (!hasFunction(transport, "unary")) throw new TypeError("transport must be a transport of Connect");
    return;
  }
  checkAddress(baseUrl, paths);
  if (isGiven(fetch) && typeof fetch !== "function") throw new TypeError("fetch must be a function");
  if (isGiven(credentials) && !credentialsModes.includes(credentials)) {
    throw new TypeError(`credentials must be "include", "omit" or "same-origin": ${String(credentials)}`);
  }
  if (
    isGiven(timeoutMs) &&
    !(typeof timeoutMs === "number" && timeoutMs >= 1 && timeoutMs <= longestTimerMs)
  ) {
    throw new TypeError(`timeoutMs must be a number from 1 to ${longestTimerMs}: ${String(timeoutMs)}`);
  }
}

/** Throws a TypeError unless this is a secret, or a function that finds one. */
export function checkToken(option: string, source: TokenSource | undefined): void {
  if (isGiven(source) && typeof source !== "string" && typeof source !== "function") {
    throw new TypeError(`${option} must be a text or a function`);
  }
}

/** Whether untyped code has given something that can be called so. */
export function hasFunction(value: unknown, name: string): boolean {
  return typeof value === "object" && value !== null && typeof Reflect.get(value, name) === "function";
}

/** Untyped code may have given anything. */
type Loose = { readonly [Name in keyof typeof reachNames]?: unknown };

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function checkAddress(baseUrl: unknown, paths: boolean): void {
  const wanted = 'baseUrl must be the address of the listener, such as "https://auth.example.com"';
  if (typeof baseUrl !== "string") throw new TypeError(`${wanted}, not ${String(baseUrl)}`);
  if (paths && baseUrl.startsWith("/")) return;
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : undefined;
  const plain = url?.username === "" && /^https?:\/\/[^\s/?#\\][^\s?#\\]*$/i.test(baseUrl);
  // Without repeating it: an address can hold a password.
  if (!plain || url.password !== "") throw new TypeError(`${wanted}, without a user name, a query or blanks`);
}
