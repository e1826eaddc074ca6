import type { CDPSession, Page } from "playwright-core";

/** What an authenticator of a page is like; the defaults are those of a phone or laptop that keeps passkeys. */
export interface AuthenticatorOptions {
  readonly transport?: "internal" | "usb";
  readonly hasResidentKey?: boolean;
  readonly hasUserVerification?: boolean;
  readonly isUserVerified?: boolean;
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

  /** The names of the passkeys on it. */
  async names(): Promise<readonly string[]> {
    const { credentials } = await this.#session.send("WebAuthn.getCredentials", {
      authenticatorId: this.#id,
    });
    return credentials.map(({ userName = "" }) => userName);
  }

  /** Forgets all passkeys. */
  async clear(): Promise<void> {
    await this.#session.send("WebAuthn.clearCredentials", { authenticatorId: this.#id });
  }
}
