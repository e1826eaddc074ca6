import { DomainError } from "../errors.ts";
import type { TenantId } from "../ids.ts";
import { hasPassed, instantOf, never } from "../instant.ts";
import type { JsonObject } from "../json.ts";
import type { Clock, Logger, Sealer } from "../ports.ts";
import type { Tenant } from "../tenant/tenant.ts";
import type { KeyPair, KeyPairs } from "./key-pairs.ts";
import type { SigningKeyStore, StoredSigningKey } from "./store.ts";

interface Deps {
  readonly store: SigningKeyStore;
  readonly keyPairs: KeyPairs;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The longest time that a token is valid, which the contract says as well. */
const longestTokenMs = 3_600_000;
/** For how long anybody may keep the published keys. */
const publishedMaxAgeMs = 300_000;
/**
 * For how long a key is published before it signs: for longer than `publishedMaxAgeMs` and `keptMs` together, and than verifiers
 * that have a time of their own usually keep keys.
 */
const publishedBeforeMs = 3_600_000;
/** For how long clocks may differ. */
const clockMarginMs = 300_000;
/** For how long this process keeps the keys in memory, and so does not know of what another one has done. */
const keptMs = 10_000;
/** How often another process may be faster. */
const maxAttempts = 5;
const purpose = "signing key";

/** A key that this deployment can use. */
interface UsableKey extends StoredSigningKey {
  readonly pair: KeyPair;
}

/** What an operator sees of a key. */
export interface SigningKeyState
  extends Pick<StoredSigningKey, "keyId" | "createdAt" | "signsAt" | "endsAt"> {
  /** `unreadable`: the secret that it was sealed with is gone. */
  readonly state: "published" | "signs" | "former" | "ended" | "unreadable";
}

/** The keys as they were read, newest first. */
interface KeptKeys {
  /** Counts the reads of this process. */
  readonly number: number;
  readonly readAt: Date;
  readonly stored: readonly StoredSigningKey[];
  readonly usable: readonly UsableKey[];
}

/**
 * The keys of a tenant that sign its tokens: they are made when they are needed and take each other's place. No job does it, so that it
 * works the same with one process and with many: the process that finds the next key due makes it, and of several keys at once the store takes one.
 */
export class SigningKeys {
  /** How long anybody may keep the published keys. */
  readonly maxAgeMs = publishedMaxAgeMs;
  readonly #deps: Deps;
  readonly #kept = new Map<TenantId, KeptKeys>();
  readonly #reading = new Map<TenantId, Promise<KeptKeys>>();
  readonly #making = new Map<TenantId, Promise<void>>();
  #reads = 0;
  readonly #warnedOf = new Set<string>();

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** Signs claims for a token that is valid until `expiresAt`. Usually no round trip; one every ten seconds. */
  async sign(tenant: Tenant, typ: string, claims: JsonObject, expiresAt: Date): Promise<string> {
    const usable = await this.#ready(tenant, expiresAt);
    const key = this.#signingKey(usable, expiresAt);
    if (key === undefined) throw new Error("there is no key that signs, although one was made");
    return key.pair.sign({ typ }, JSON.stringify(claims));
  }

  /**
   * The public keys that tokens of the tenant may be signed with, now or soon, as a JWK Set (RFC 7517).
   *
   * Security rule (SR-TOKEN-4): only what this deployment has sealed is published, so that a row that somebody else has written
   * makes no key. Of a key that cannot be opened any more nothing is known for certain.
   */
  async published(tenant: Tenant): Promise<{ readonly keys: readonly JsonObject[] }> {
    const now = this.#deps.clock.now();
    const usable = await this.#ready(tenant);
    return { keys: usable.filter(({ endsAt }) => !hasPassed(endsAt, now)).map(({ pair }) => pair.publicJwk) };
  }

  /** Makes the first key if there is none, so that it is published before anybody asks. */
  async prepare(tenant: Tenant): Promise<void> {
    await this.#ready(tenant);
  }

  /**
   * Makes the next key now, unless there is one that does not sign yet. It signs an hour later; with `withdraws` at once, and all others end
   * at once: for a private key that somebody else may know. Other processes follow within ten seconds. Returns the keys as they are then.
   *
   * Security rule (SR-TOKEN-5): a withdrawn key is published no longer, so that what it has signed, and what others sign with it, is refused
   * by all verifiers that ask for the keys again.
   */
  async rotate(tenant: Tenant, how: { readonly withdraws: boolean }): Promise<readonly SigningKeyState[]> {
    const { withdraws } = how;
    for (let attempt = 0; attempt < maxAttempts; attempt++) {
      const { stored, usable } = await this.#readAgain(tenant);
      const now = this.#deps.clock.now();
      const hasNext = !withdraws && usable.some(({ signsAt }) => signsAt > now);
      const isDone = hasNext || (await this.#add(tenant, stored, withdraws ? "at_once" : "later", withdraws));
      if (isDone) return this.list(tenant);
    }
    throw othersWereFaster();
  }

  /** All keys that are kept, newest first. */
  async list(tenant: Tenant): Promise<readonly SigningKeyState[]> {
    const now = this.#deps.clock.now();
    const { stored, usable } = await this.#readAgain(tenant);
    const signing = this.#signingKey(usable, now);
    const stateOf = ({ ordinal, signsAt, endsAt }: StoredSigningKey): SigningKeyState["state"] => {
      if (hasPassed(endsAt, now)) return "ended";
      if (!usable.some((key) => key.ordinal === ordinal)) return "unreadable";
      if (signsAt > now) return "published";
      return ordinal === signing?.ordinal ? "signs" : "former";
    };
    return stored.map((key) => {
      const { keyId, createdAt, signsAt, endsAt } = key;
      return { keyId, createdAt, signsAt, endsAt, state: stateOf(key) };
    });
  }

  /**
   * The keys that can be used, after what is due was done: among them is one for a token that is valid so long. While the database is
   * away, those that were read last, if they are good enough.
   */
  async #ready(tenant: Tenant, expiresAt = this.#usualEnd(tenant)): Promise<readonly UsableKey[]> {
    try {
      for (let attempt = 0; attempt < maxAttempts; attempt++) {
        const { usable } = await this.#current(tenant);
        if (this.#due(tenant, usable, expiresAt) === undefined) return usable;
        await this.#makeDue(tenant, expiresAt);
      }
      throw othersWereFaster();
    } catch (error) {
      // Anything else is our own mistake, which must be seen.
      if (!(error instanceof DomainError && error.reason === "DATABASE_UNAVAILABLE")) throw error;
      const usable = this.#kept.get(tenant.tenantId)?.usable ?? [];
      if (this.#signingKey(usable, expiresAt) === undefined) throw error;
      return usable;
    }
  }

  #usualEnd({ settings }: Tenant): Date {
    return new Date(this.#deps.clock.now().getTime() + settings.signedTokens.lifetimeMs);
  }

  /** Makes the key that is due, unless another process was faster. Calls at the same moment make one. */
  #makeDue(tenant: Tenant, expiresAt: Date): Promise<void> {
    return once(this.#making, tenant.tenantId, async () => {
      // What is kept in memory may be older than a key of another process.
      const { stored, usable } = await this.#readAgain(tenant);
      const when = this.#due(tenant, usable, expiresAt);
      if (when === undefined) return;
      await this.#add(tenant, stored, when, false);
      await this.#readAgain(tenant);
    });
  }

  /** Whether another key is needed. */
  #due({ settings }: Tenant, usable: readonly UsableKey[], expiresAt: Date): "at_once" | "later" | undefined {
    const { algorithm, keyRotationMs } = settings.signedTokens;
    const now = this.#deps.clock.now();
    const signing = this.#signingKey(usable, expiresAt);
    if (signing === undefined) return "at_once";
    if (usable.some(({ signsAt }) => signsAt > now)) return undefined;
    const isOld = now.getTime() + publishedBeforeMs - signing.signsAt.getTime() >= keyRotationMs;
    return isOld || signing.pair.algorithm !== algorithm ? "later" : undefined;
  }

  /** The newest key that signs now, and is published for as long as the token is valid. */
  #signingKey(usable: readonly UsableKey[], expiresAt: Date): UsableKey | undefined {
    const now = this.#deps.clock.now();
    return usable.find(
      ({ signsAt, endsAt }) => signsAt <= now && (endsAt === never || (endsAt > now && endsAt >= expiresAt)),
    );
  }

  async #add(
    tenant: Tenant,
    stored: readonly StoredSigningKey[],
    when: "at_once" | "later",
    withdraws: boolean,
  ): Promise<boolean> {
    const { keyPairs, sealer, clock, store, logger } = this.#deps;
    const { tenantId } = tenant;
    const now = clock.now();
    const pair = keyPairs.make(tenant.settings.signedTokens.algorithm);
    // At once also for processes whose clock is a little behind.
    const signsInMs = when === "at_once" ? -clockMarginMs : publishedBeforeMs;
    const signsAt = instantOf(new Date(now.getTime() + signsInMs));
    const lastSignsAt = Math.max(now.getTime(), signsAt.getTime());
    const lastEndsAt = new Date(lastSignsAt + longestTokenMs + clockMarginMs);
    const privateKey = Buffer.from(pair.privateKey()).toString("base64");
    const key: StoredSigningKey = {
      ordinal: (stored[0]?.ordinal ?? 0) + 1,
      keyId: pair.keyId,
      // With its tenant, so that a key is none of another tenant's.
      sealedKey: sealer.seal(purpose, Buffer.from(JSON.stringify({ tenantId, privateKey }))),
      createdAt: now,
      signsAt,
      endsAt: never,
    };
    const isAdded = await store.add(tenant, key, withdraws ? instantOf(now) : instantOf(lastEndsAt));
    if (isAdded) logger.info({ keyId: key.keyId, signsAt, withdraws }, "made a key that signs tokens");
    return isAdded;
  }

  /** The keys as they are kept in memory, or read. Calls at the same moment share one statement. */
  async #current(tenant: Tenant): Promise<KeptKeys> {
    const kept = this.#kept.get(tenant.tenantId);
    const age = kept && this.#deps.clock.now().getTime() - kept.readAt.getTime();
    if (kept !== undefined && age !== undefined && age >= 0 && age < keptMs) return kept;
    return once(this.#reading, tenant.tenantId, () => this.#readAgain(tenant));
  }

  /** Reads the keys in a statement of its own, which sees all that was written before. */
  async #readAgain(tenant: Tenant): Promise<KeptKeys> {
    const number = ++this.#reads;
    const readAt = this.#deps.clock.now();
    const stored = await this.#deps.store.list(tenant);
    const usable = stored.flatMap((key) => {
      const pair = this.#open(tenant, key);
      return pair === undefined ? [] : [{ ...key, pair }];
    });
    const keys = { number, readAt, stored, usable };
    // One that began earlier may be answered later.
    if (number > (this.#kept.get(tenant.tenantId)?.number ?? 0)) this.#kept.set(tenant.tenantId, keys);
    return keys;
  }

  #open({ tenantId }: Tenant, { keyId, sealedKey }: StoredSigningKey): KeyPair | undefined {
    const known = this.#kept
      .get(tenantId)
      ?.usable.find((key) => key.sealedKey === sealedKey && key.keyId === keyId);
    if (known !== undefined) return known.pair;
    const { sealer, keyPairs, logger } = this.#deps;
    const plain = sealer.open(purpose, sealedKey);
    const content = plain && (JSON.parse(Buffer.from(plain).toString()) as SealedKey);
    const pair =
      content?.tenantId === tenantId ? keyPairs.read(Buffer.from(content.privateKey, "base64")) : undefined;
    if (pair === undefined || pair.keyId !== keyId) {
      if (!this.#warnedOf.has(sealedKey)) {
        this.#warnedOf.add(sealedKey);
        logger.warn(
          { keyId },
          "a key that signs tokens cannot be opened and is not used: the secret that sealed it is no longer in secrets.sealing",
        );
      }
      return undefined;
    }
    return pair;
  }
}

function othersWereFaster(): Error {
  return new Error("other processes kept making keys while one was being made");
}

interface SealedKey {
  readonly tenantId: string;
  readonly privateKey: string;
}

/** Does something, or waits for the same that is under way. */
function once<T>(running: Map<TenantId, Promise<T>>, tenantId: TenantId, work: () => Promise<T>): Promise<T> {
  const found = running.get(tenantId);
  if (found !== undefined) return found;
  const begun = work().finally(() => running.delete(tenantId));
  running.set(tenantId, begun);
  return begun;
}
