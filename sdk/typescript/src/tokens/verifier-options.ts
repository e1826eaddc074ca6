// SPDX-License-Identifier: Apache-2.0
import { type OptionNames, refuseUnknownOptions } from "../options.ts";
import { type Span, spanMs } from "../server/span.ts";

/** Which tokens a service takes. */
export interface TokenVerifierOptions {
  /** The claim `iss`, compared exactly: the server's `public_url`, or its `session.tokens.issuer`. */
  readonly issuer: string;
  /** The claim `aud`, compared exactly: the name of this service in `session.tokens.audiences`. */
  readonly audience: string;
  /** Where the keys are: https, or http on this machine. Default: `/.well-known/jwks.json` at the issuer. */
  readonly keysUrl?: string | URL | undefined;
  /** The signatures that are taken. Default: both. */
  readonly algorithms?: readonly ("ES256" | "EdDSA")[] | undefined;
  /** How far the clocks of the server and of this service may differ: at most a minute. Default: 5 seconds. */
  readonly clockTolerance?: Span | undefined;
  /** The least assurance level that will do, the claim `acr`. Default: any. */
  readonly assuranceLevel?: "aal1" | "aal2" | undefined;
  /**
   * The longest time since the person last proved who they are, the claim `auth_time`: from a second to 10,000 years. Default: no limit.
   */
  readonly maxAge?: Span | undefined;
  /**
   * Whether a session has ended, for services that follow the feed of sessions. Without it a token is good until its end, also if its session was
   * revoked. Anything but `false` refuses the token.
   */
  readonly isEnded?: ((sessionId: string) => boolean) | undefined;
  /** The fetch for the keys. Default: that of the runtime. */
  readonly fetch?: typeof globalThis.fetch | undefined;
  /** How long reading the keys may take: from a millisecond to a minute. Default: 5 seconds. */
  readonly keysTimeout?: Span | undefined;
  /** The time. Default: that of the runtime. */
  readonly now?: (() => Date) | undefined;
}

/** The options as the verifier uses them. */
export interface VerifierSettings {
  readonly issuer: string;
  readonly audience: string;
  readonly keysUrl: URL;
  readonly algorithms: readonly string[];
  readonly toleranceMs: number;
  readonly assuranceLevel: "aal1" | "aal2" | undefined;
  readonly maxAgeMs: number | undefined;
  readonly isEnded: (sessionId: string) => boolean;
  readonly fetch: typeof globalThis.fetch;
  readonly keysTimeoutMs: number;
  readonly now: () => Date;
}

const optionNames: OptionNames<TokenVerifierOptions> = {
  issuer: true,
  audience: true,
  keysUrl: true,
  algorithms: true,
  clockTolerance: true,
  assuranceLevel: true,
  maxAge: true,
  isEnded: true,
  fetch: true,
  keysTimeout: true,
  now: true,
};

const contractNames = { iss: "issuer", aud: "audience", acr: "assuranceLevel", jwksUri: "keysUrl" } as const;

/** 10,000 years, as a guard's `maxAge`. */
const longestAgeMs = 315_576_000_000_000;

/**
 * Reads the options of a verifier. Throws a TypeError for those that cannot be meant.
 *
 * Security rule (SR-SDK-4): a misspelt demand from untyped code, name or value, must not become no demand.
 */
export function readVerifierOptions(options: TokenVerifierOptions): VerifierSettings {
  refuseUnknownOptions("createTokenVerifier", options, optionNames, contractNames);
  const { issuer, audience, assuranceLevel, maxAge, clockTolerance = "5s", keysTimeout = "5s" } = options;
  // An empty one would be none.
  for (const [name, value] of Object.entries({ issuer, audience })) {
    if (typeof value !== "string" || value === "") throw new TypeError(`${name} must be a text`);
  }
  if (assuranceLevel !== undefined && !["aal1", "aal2"].includes(assuranceLevel)) {
    throw new TypeError(`assuranceLevel must be "aal1" or "aal2": ${String(assuranceLevel)}`);
  }
  return {
    issuer,
    audience,
    keysUrl: readKeysUrl(options.keysUrl ?? `${issuer.replace(/\/+$/, "")}/.well-known/jwks.json`),
    algorithms: readAlgorithms(options.algorithms),
    toleranceMs: spanMs("clockTolerance", clockTolerance, 0, 60_000),
    assuranceLevel,
    maxAgeMs: maxAge === undefined ? undefined : spanMs("maxAge", maxAge, 1000, longestAgeMs),
    isEnded: readFunction("isEnded", options.isEnded) ?? (() => false),
    fetch: readFunction("fetch", options.fetch) ?? ((...values) => globalThis.fetch(...values)),
    keysTimeoutMs: spanMs("keysTimeout", keysTimeout, 1, 60_000),
    now: readFunction("now", options.now) ?? (() => new Date()),
  };
}

/** Over plain http an attacker in the place of the server could publish a key of their own. */
function readKeysUrl(given: string | URL): URL {
  const text = String(given);
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isLocal =
    url !== undefined && /^(localhost|.+\.localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname);
  if (url?.protocol === "https:" || (url?.protocol === "http:" && isLocal)) return url;
  throw new TypeError(`keysUrl must begin with https://, on this machine with http://: ${text}`);
}

function readAlgorithms(given: TokenVerifierOptions["algorithms"]): readonly string[] {
  const known = ["ES256", "EdDSA"];
  if (given === undefined) return known;
  if (!Array.isArray(given) || given.length === 0 || !given.every((each) => known.includes(each))) {
    throw new TypeError(`algorithms must be a list of ${known.join(" and ")}: ${String(given)}`);
  }
  return [...given];
}

function readFunction<Given>(option: string, given: Given | undefined): Given | undefined {
  if (given !== undefined && typeof given !== "function") throw new TypeError(`${option} must be a function`);
  return given;
}
