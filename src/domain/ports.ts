/**
 * What the rules need of the outside that is not a store: time, chance, cryptography, a log. Each is implemented
 * in the room that its comment names and passed in by src/app-domain.ts.
 */
import type { TenantId } from "./ids.ts";
import type { Secret } from "./secret.ts";

/** Tells the time. Tests pass one that they can move. */
export interface Clock {
  now(): Date;
}

/** The tenant that a call is for. Every store method takes it first. A `Tenant` is one, and so is a transaction. */
export interface TenantScope {
  readonly tenantId: TenantId;
}

declare const transactionBrand: unique symbol;

/** An open database transaction of one tenant. Passing it where a TenantScope is asked for joins the transaction. */
export interface Transaction extends TenantScope {
  readonly [transactionBrand]: true;
}

/** Opens transactions. Implemented in src/storage. */
export interface Transactions {
  /**
   * Runs the work in a transaction and commits; rolls back if it throws. Called with a transaction as scope, it
   * makes a savepoint instead. Deadlocks (40P01) and serialization failures are retried from the start, so the
   * work must change nothing outside the database.
   */
  transaction<T>(scope: TenantScope, work: (tx: Transaction) => Promise<T>): Promise<T>;
}

/** The kinds of tokens, by the prefix that each carries. A token of one kind is never accepted as another. */
export type TokenKind =
  | "session"
  | "session_cookie"
  | "api_key"
  | "flow"
  | "browser"
  | "link"
  /** Tells the throttle that the account has been signed in to on this device before. It allows nothing else. */
  | "known_device"
  /** Reserved: the permission to skip the second factor on a device. Nothing issues or takes one yet. */
  | "trusted_device"
  | "invitation";

/** A token just made. Only the digest is stored. */
export interface IssuedToken {
  readonly token: Secret;
  /** SHA-256 of the whole token, 32 bytes. */
  readonly digest: Uint8Array;
}

/** A string that was read as a token. */
export type ParsedToken =
  | { readonly kind: "valid"; readonly digest: Uint8Array; readonly tenantName: string }
  | { readonly kind: "malformed" }
  | { readonly kind: "other_kind"; readonly actual: TokenKind };

/** Makes and reads tokens. Implemented in src/crypto. */
export interface Tokens {
  issue(kind: TokenKind, tenantName: string): IssuedToken;
  /** The token of the same kind that is derived from a valid one: the same each time, and known only to holders of that one. */
  following(kind: TokenKind, token: string, tenantName: string): IssuedToken;
  /** Checks form and checksum without any I/O; does not know whether the token was ever issued. */
  parse(expected: TokenKind, text: string): ParsedToken;
}

/** Makes the token of a browser flow's form. Implemented in src/crypto. */
export interface FormTokens {
  /** The token that only this browser and this flow have; the same each time. */
  make(browserToken: string, flowId: string): Secret;
  /** Whether it is that token; compares in constant time. */
  matches(candidate: string, browserToken: string, flowId: string): boolean;
}

/** Makes and compares the codes that people type in. Implemented in src/crypto. */
export interface OneTimeCodes {
  /** So many random digits. */
  make(length: number): Secret;
  /** So many random digits and capital letters that nobody confuses (Crockford's Base32): five bits each. */
  makeText(length: number): Secret;
  /**
   * What is stored of a code: a digest under a key of the server's, since so few digits could all be tried. What the
   * code is bound to is digested with it.
   */
  digest(context: readonly (string | Uint8Array)[], code: string): Uint8Array;
  /** Whether a digest is that of the code, made with any of the keys; compares in constant time. */
  matches(digest: Uint8Array, context: readonly (string | Uint8Array)[], code: string): boolean;
}

/**
 * Makes challenges that are not stored: they follow from what they are bound to, and only this deployment can make them.
 * Implemented in src/crypto.
 */
export interface BoundChallenges {
  /** 32 bytes, the same each time. */
  make(context: readonly (string | Uint8Array)[]): Uint8Array;
  /** Whether it is that challenge, made with any of the keys; compares in constant time. */
  matches(challenge: Uint8Array, context: readonly (string | Uint8Array)[]): boolean;
}

/** What the answer of an authenticator must be for. */
export interface PasskeyExpectation {
  readonly isChallenge: (challenge: Uint8Array) => boolean;
  readonly rpId: string;
  /** Compared exactly. */
  readonly origins: readonly string[];
  readonly mustVerifyUser: boolean;
  /** Whether the browser may have made it by itself, without its user there (WebAuthn level 3, section 7.1, step 14). */
  readonly isConditional?: boolean;
}

/** The answer of an authenticator that shows a passkey. Bytes are base64url. */
export interface PasskeyAssertion {
  readonly id: string;
  readonly clientDataJson: string;
  readonly authenticatorData: string;
  readonly signature: string;
}

/** The answer of an authenticator that has made a passkey. Bytes are base64url. */
export interface PasskeyAttestation {
  readonly id: string;
  readonly clientDataJson: string;
  readonly attestationObject: string;
}

/** What an assertion shows. */
export interface ShownPasskey {
  readonly userVerified: boolean;
  /** Whether it can be backed up, which never changes. */
  readonly isSyncable: boolean;
  /** Whether it is backed up, on other devices or elsewhere. */
  readonly isSynced: boolean;
  readonly counter: number;
}

/** A passkey that was made. */
export interface MadePasskey extends ShownPasskey {
  /** COSE_Key (RFC 9052), as base64url. */
  readonly publicKey: string;
  /** As a UUID. */
  readonly aaguid: string;
}

/**
 * Verifies the answers of authenticators (WebAuthn level 3, sections 7.1 and 7.2): the user is present, the answer is for this
 * server and this challenge, and of a page that is not embedded elsewhere. Whether the counter went on is for the caller.
 * Implemented in src/crypto.
 */
export interface PasskeyVerifier {
  /**
   * What the assertion shows; undefined if it is not right. Without a public key it does the same work for a key that nobody has,
   * and gives undefined.
   */
  verifyAssertion(
    assertion: PasskeyAssertion,
    expected: PasskeyExpectation,
    publicKey: string | undefined,
  ): Promise<ShownPasskey | undefined>;
  /** The passkey that was made; undefined if the answer is not right. Nobody vouches for the authenticator. */
  verifyAttestation(
    attestation: PasskeyAttestation,
    expected: PasskeyExpectation,
  ): Promise<MadePasskey | undefined>;
  /** Why a COSE_Key (RFC 9052) can be no public key of a passkey, in a few words; undefined if it can. */
  publicKeyProblem(publicKey: Uint8Array): Promise<string | undefined>;
}

/** The parameters of argon2id. */
export interface Argon2Parameters {
  readonly memoryKib: number;
  readonly iterations: number;
  readonly parallelism: number;
}

/** For whom a hash is computed: the queue is fair among them, and drops what nobody waits for. */
export interface HashAsker {
  /** `operator`: what operators have hashed, which waits apart from people who sign in or up. */
  readonly lane: "sign_in" | "operator";
  readonly tenantId: TenantId;
  /** The client IP as limits count it, or the operator's key. Undefined where it is not known, or is that of many. */
  readonly source: string | undefined;
  /** The account whose password it is, as it was named, whether or not it exists. Undefined if it is only being made. */
  readonly account: string | undefined;
  /** Aborts when nobody waits any more. Undefined: somebody always does. */
  readonly signal: AbortSignal | undefined;
}

/**
 * Hashes and checks passwords off the event loop. Implemented in src/crypto. `hash`, `compare` and `verifyDecoy`
 * wait in a bounded, fair queue, throw SERVER_OVERLOADED (with retryAfterMs) at once when it is full for the asker, and the reason of
 * the asker's signal when that aborts before their turn comes.
 */
export interface PasswordHasher {
  /** The argon2id hash of a password in PHC form. */
  hash(password: Secret, parameters: Argon2Parameters, asker: HashAsker): Promise<string>;
  /**
   * Whether the password has this hash, of any supported format; false for a format that is not. `needsRehash` where it
   * has, and the hash is not what `hash` would make of it today: other parameters, another algorithm, another form of the text.
   */
  compare(
    password: Secret,
    hash: string,
    parameters: Argon2Parameters,
    asker: HashAsker,
  ): Promise<{ readonly matches: boolean; readonly needsRehash: boolean }>;
  /** Does the work of verifying against a hash with these parameters, for accounts that do not exist. */
  verifyDecoy(password: Secret, parameters: Argon2Parameters, asker: HashAsker): Promise<void>;
  /** The form in which a foreign hash is stored; undefined if the format or its cost is not supported. */
  importable(hash: string): { readonly hash: string; readonly algorithm: string } | undefined;
}

/** Seals bytes so that only this deployment can read and make them. Implemented in src/crypto. */
export interface Sealer {
  /** Encrypts and authenticates; the purpose is bound in, so one kind of sealed text is never taken for another. */
  seal(purpose: string, plain: Uint8Array): string;
  /** The plain bytes; undefined if the text was changed, is for another purpose, or its key is gone. */
  open(purpose: string, sealed: string): Uint8Array | undefined;
}

/** Makes digests that only this deployment can make. Implemented in src/crypto. */
export interface KeyedDigests {
  /**
   * 16 bytes, the same for the same purpose and text for as long as the first sealing secret is the same. After a
   * rotation all are others, so nothing that lasts may be found by them alone.
   */
  make(purpose: string, text: string): Uint8Array;
}

/** Writes the structured log. Fields never hold secrets. Implemented with pino in src/app.ts. */
export interface Logger {
  /** Whether lines of a level are written, so that those of calls are not even put together where they are not. Unset: all are. */
  isLevelEnabled?(level: "debug" | "info"): boolean;
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Why no text message goes to a number: its country is not served, or the messages of the day there are used up. */
export type TextMessageRefusal = "country" | "budget";

/** A request to another server. */
export interface OutgoingRequest {
  /** Default GET. Only GET and HEAD follow redirects; another method gets the redirect itself as its answer. */
  readonly method?: string;
  /** Of these, only `accept` goes along to another origin that a redirect leads to. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array<ArrayBuffer>;
  /** Time limit of name resolution, connections, redirects and the whole body. Default 10 s. */
  readonly timeoutMs?: number;
  /** The largest body that is read, counted after decompression. Default 1 MiB. */
  readonly maxResponseBytes?: number;
  /** Whether GET and HEAD follow redirects. Default true; otherwise the redirect itself is the answer. */
  readonly followsRedirects?: boolean;
  /** Gives up early. */
  readonly signal?: AbortSignal;
}

/**
 * Calls servers elsewhere by HTTP, and never one of a private network. Implemented in src/outbound. Every outgoing HTTP
 * request goes through it.
 */
export interface OutgoingHttp {
  /** The answer, with any status. Throws OutgoingHttpError; reading the body may throw it as well. */
  fetch(url: URL | string, request?: OutgoingRequest): Promise<Response>;
}

/** A page to read of a keyset-ordered list. */
export interface PageRequest {
  readonly size: number;
  /** The position that the page before ended at. */
  readonly after?: readonly string[] | undefined;
}

/** A page of a list. */
export interface Page<T> {
  readonly items: readonly T[];
  /** The position to go on from; undefined on the last page. */
  readonly next?: readonly string[] | undefined;
  /** The position of an item, from which the next page goes on if a page is cut short. */
  readonly positionOf: (item: T) => readonly string[];
}
