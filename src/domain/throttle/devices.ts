import { isSameBytes } from "../bytes.ts";
import type { Clock, Tokens } from "../ports.ts";
import { Secret } from "../secret.ts";
import type { SessionCredential } from "../session/credential.ts";
import type { Tenant } from "../tenant/tenant.ts";
import type { DeviceRecord } from "./store.ts";

/** Several people may sign in on one browser; its cookie holds a token for each, the latest first. */
const mostTokens = 4;
const separator = ".";

/** A device token that was shown; whether it is known, and to whom, is for the store to say. */
export interface ShownDevice {
  readonly token: string;
  readonly digest: Uint8Array;
}

/** The device to know after a success, and what the client has to keep. */
export interface KeptDevice {
  readonly record: DeviceRecord;
  /** A native client's device token, or the value of a browser's cookie. */
  readonly kept: Secret;
}

interface Deps {
  readonly tokens: Tokens;
  readonly clock: Clock;
}

/**
 * Tokens of known devices. A token is bound to one identity and signs in to nothing: it only gives the device a bucket of
 * guesses of its own.
 * A client never chooses one: what is not known is replaced by a fresh one, so none can be planted.
 */
export class Devices {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** Reads a device token or a device cookie. What is malformed or another tenant's counts as not shown. */
  read(tenant: Tenant, text: string | undefined): readonly ShownDevice[] {
    if (text === undefined || text === "") return [];
    // Each once: a counter cannot be counted twice in one statement.
    return [...new Set(text.split(separator, mostTokens))].flatMap((token): ShownDevice[] => {
      const parsed = this.#deps.tokens.parse("known_device", token);
      const ours = parsed.kind === "valid" && parsed.tenantName === tenant.name;
      return ours ? [{ token, digest: parsed.digest }] : [];
    });
  }

  /**
   * The digest of a session's secret that was shown; whether it is live, and whose, is for the store to say. Undefined if it
   * is malformed or another tenant's.
   */
  readSession(tenant: Tenant, credential: SessionCredential | undefined): Uint8Array | undefined {
    if (credential === undefined) return undefined;
    const parsed = this.#deps.tokens.parse(credential.kind, credential.text);
    return parsed.kind === "valid" && parsed.tenantName === tenant.name ? parsed.digest : undefined;
  }

  /** The known device again, for longer; or a new one, beside the others that a browser has shown. */
  keep(
    tenant: Tenant,
    client: "browser" | "native",
    shown: readonly ShownDevice[],
    known: Uint8Array | undefined,
  ): KeptDevice {
    const { deviceLifetimeMs } = tenant.settings.throttle;
    const expiresAt = new Date(this.#deps.clock.now().getTime() + deviceLifetimeMs);
    const same = shown.find(({ digest }) => known !== undefined && isSameBytes(digest, known));
    if (same !== undefined) {
      const kept = client === "browser" ? shown.map(({ token }) => token).join(separator) : same.token;
      return { record: { digest: same.digest, expiresAt }, kept: new Secret(kept) };
    }
    const issued = this.#deps.tokens.issue("known_device", tenant.name);
    const others = client === "browser" ? shown.map(({ token }) => token) : [];
    const all = [issued.token.reveal(), ...others].slice(0, mostTokens);
    return { record: { digest: issued.digest, expiresAt }, kept: new Secret(all.join(separator)) };
  }
}
