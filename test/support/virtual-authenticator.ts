import type { CDPSession, Page } from "playwright-core";

/** What an authenticator of a page is like; the defaults are those of a phone or laptop that keeps passkeys. */
export interface AuthenticatorOptions {
  readonly transport?: "internal" | "usb" | "cable";
  readonly hasResidentKey?: boolean;
  readonly hasUserVerification?: boolean;
  readonly isUserVerified?: boolean;
  readonly defaultBackupEligibility?: boolean;
  readonly defaultBackupState?: boolean;
}

/** What a passkey on it says from now on. */
interface PasskeyProperties {
  readonly backupEligibility?: boolean;
  readonly backupState?: boolean;
  readonly signCount?: number;
}

/** An authenticator of Chromium's own for a page, by the DevTools protocol. It answers at once. */
export class VirtualAuthenticator {
  readonly #session: CDPSession;
  readonly #id: string;

  private constructor(session: CDPSession, id: string) {
    this.#session = session;
    this.#id = id;
  }

  static async for(page: Page, options: AuthenticatorOptions = {}): Promise<VirtualAuthenticator> {
    const session = await page.context().newCDPSession(page);
    await session.send("WebAuthn.enable");
    const { authenticatorId } = await session.send("WebAuthn.addVirtualAuthenticator", {
      options: {
        protocol: "ctap2",
        transport: "internal",
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: true,
        automaticPresenceSimulation: true,
        ...options,
      },
    });
    return new VirtualAuthenticator(session, authenticatorId);
  }

  /** Whether it finds, from now on, that it is used by its owner. */
  async setUserVerified(isUserVerified: boolean): Promise<void> {
    await this.#session.send("WebAuthn.setUserVerified", { authenticatorId: this.#id, isUserVerified });
  }

  /** Whether somebody touches it, from now on, when it is asked. */
  async setPresence(enabled: boolean): Promise<void> {
    await this.#session.send("WebAuthn.setAutomaticPresenceSimulation", {
      authenticatorId: this.#id,
      enabled,
    });
  }

  /** What it says wrongly, from now on, whatever it finds. */
  async lie(about: {
    readonly isBogusSignature?: boolean;
    readonly isBadUV?: boolean;
    readonly isBadUP?: boolean;
  }): Promise<void> {
    const truth = { isBogusSignature: false, isBadUV: false, isBadUP: false };
    await this.#session.send("WebAuthn.setResponseOverrideBits", {
      ...{ authenticatorId: this.#id, ...truth, ...about },
    });
  }

  /** Changes what all passkeys on it say. */
  async setProperties(properties: PasskeyProperties): Promise<void> {
    for (const { credentialId } of await this.#credentials()) {
      await this.#session.send("WebAuthn.setCredentialProperties", {
        ...{ authenticatorId: this.#id, credentialId, ...properties },
      });
    }
  }

  /** The names of the passkeys on it. */
  async names(): Promise<readonly string[]> {
    return (await this.#credentials()).map(({ userName = "" }) => userName);
  }

  /** Takes it out of the browser. */
  async remove(): Promise<void> {
    await this.#session.send("WebAuthn.removeVirtualAuthenticator", { authenticatorId: this.#id });
  }

  async #credentials() {
    const { credentials } = await this.#session.send("WebAuthn.getCredentials", {
      authenticatorId: this.#id,
    });
    return credentials;
  }

  /** Forgets all passkeys. */
  async clear(): Promise<void> {
    await this.#session.send("WebAuthn.clearCredentials", { authenticatorId: this.#id });
  }
}
