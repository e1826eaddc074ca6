import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { RequiredActionKind, RequiredActionTiming } from "../../gen/ostiary/identity/v1/identity_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import type { JsonObject } from "../../src/domain/json.ts";
import { freshEmail, goodPassword } from "../support/accounts.ts";
import type { TestApp } from "../support/app.ts";
import { appears, chromiumInstalled } from "../support/chromium.ts";
import { startLocalhostApp } from "../support/passkeys.ts";
import { SoftwareAuthenticator } from "../support/software-authenticator.ts";
import { VirtualAuthenticator } from "../support/virtual-authenticator.ts";
import { email, identifier, password, settled, Visitors } from "./visitors.ts";

const passkey = "[data-step='passkey']";
const saved = "[data-kind='success']";
const failed = "[role='alert'] [data-kind='error']";

describe.skipIf(!chromiumInstalled)("passkeys on the self-service pages, in Chromium", () => {
  let app: TestApp;
  let visitors: Visitors;
  beforeAll(async () => {
    app = await startLocalhostApp();
    visitors = await Visitors.of(app.publicUrl);
  });
  afterEach(() => visitors.leave());
  afterAll(() => app.stop());

  /** Makes an account with a passkey and nothing else. */
  async function signUp(page: Page): Promise<string> {
    const address = freshEmail();
    await page.goto(`${app.publicUrl}/ui/registration`);
    await page.fill(email, address);
    await page.click(passkey);
    await appears(page, "[data-step='back']");
    await page.click(passkey);
    await page.waitForURL("**/ui/verification*");
    return address;
  }

  async function signOut(page: Page, label = "Sign out"): Promise<void> {
    await page.goto(`${app.publicUrl}/ui/sessions`);
    await page.click(`text=${label}`);
    await page.waitForURL("**/ui/login*");
  }

  test("make an account, and sign in to it from the field of the name, without typing", async () => {
    const page = await visitors.open("/ui/login");
    const device = await VirtualAuthenticator.for(page);
    const address = await signUp(page);
    expect(await device.names()).toEqual([address]);
    // The authenticator answers what the browser offers in the field.
    await signOut(page);
    await page.waitForURL("**/ui/sessions");
    await appears(page, `text=Signed in as ${address}.`);
  });

  test("sign in by the button, and say so where there is none, in the language of the page", async () => {
    const page = await visitors.open("/ui/login", { locale: "de-CH" });
    const device = await VirtualAuthenticator.for(page);
    // What is offered in the field of the name would be answered before the button is found.
    await page.addInitScript(() => {
      PublicKeyCredential.isConditionalMediationAvailable = async () => false;
    });
    const address = await signUp(page);
    await page.goto(`${app.publicUrl}/ui/sessions`);
    await page.click("text=Abmelden");
    await page.waitForURL("**/ui/login*");
    await device.setUserVerified(false);
    await page.click(passkey);
    await appears(page, failed);
    expect(await page.textContent(failed)).toContain("Es wurde kein Passkey verwendet");
    await device.setUserVerified(true);
    await page.click(passkey);
    await page.waitForURL("**/ui/sessions");
    await appears(page, `text=${address}`);
  });

  test("are added in the settings, named, refused twice on one device, and removed", async () => {
    const { page } = await visitors.register();
    await VirtualAuthenticator.for(page);
    const add = async (label: string) => {
      await page.goto(`${app.publicUrl}/ui/settings`);
      await page.click(passkey);
      await appears(page, "[data-step='back']");
      await page.fill("[name='passkey.label']", label);
      await page.click(passkey);
    };
    await add("Laptop");
    await appears(page, saved);
    await appears(page, "text=Change or remove: Laptop");
    await add("Again");
    await appears(page, failed);
    expect(await page.textContent(failed)).toContain("already has a passkey for your account");
    await page.goto(`${app.publicUrl}/ui/settings`);
    await page.click("[data-step='manageCredential']");
    await page.click("[data-step='removeCredential']");
    await page.click("dialog >> text=Yes, continue");
    await appears(page, saved);
    expect(await page.locator("[data-step='manageCredential']").count()).toBe(0);
  });

  /** Records what the browser is told of passkeys. */
  async function listen(page: Page): Promise<readonly (readonly [string, JsonObject])[]> {
    const told: (readonly [string, JsonObject])[] = [];
    await page.exposeFunction("told", (method: string, what: JsonObject) => told.push([method, what]));
    await page.addInitScript(() => {
      for (const method of ["UnknownCredential", "AllAcceptedCredentials", "CurrentUserDetails"]) {
        const tell = async (what: object) => Reflect.get(window, "told")(method, what);
        Object.defineProperty(PublicKeyCredential, `signal${method}`, { value: tell });
      }
    });
    return told;
  }

  test("are told to the browser: all of an account in its settings, and one that nobody has after a login", async () => {
    const { page, address } = await visitors.register();
    const device = await VirtualAuthenticator.for(page);
    const told = await listen(page);
    await page.goto(`${app.publicUrl}/ui/settings`);
    await page.click(passkey);
    await appears(page, "[data-step='back']");
    expect(told).toEqual([]);
    await page.click(passkey);
    await appears(page, saved);
    const all = (count: number) => [
      "AllAcceptedCredentials",
      expect.objectContaining({
        rpId: "localhost",
        allAcceptedCredentialIds: Array(count).fill(expect.any(String)),
      }),
    ];
    const details = ["CurrentUserDetails", expect.objectContaining({ name: address, displayName: address })];
    await expect.poll(() => told).toEqual([all(1), details]);
    await page.click("[data-step='manageCredential']");
    await page.click("[data-step='removeCredential']");
    await page.click("dialog >> text=Yes, continue");
    await appears(page, saved);
    await expect.poll(() => told).toEqual([all(1), details, all(0), details]);
    // Offered in the field of the name, it is of nobody now.
    await signOut(page);
    // The authenticator answers as often as it is asked.
    const unknown = ["UnknownCredential", { rpId: "localhost", credentialId: expect.any(String) }];
    await expect.poll(() => told[4]).toEqual(unknown);
    await device.setPresence(false);
    expect(await device.names()).toEqual([address]);
  });

  describe("after a login by password", () => {
    const offer = "text=Not now";
    const made = "conditional";

    /** Signs out, and signs in by password again. */
    async function signInAgain(page: Page, address: string, label?: string): Promise<void> {
      await signOut(page, label);
      await page.fill(identifier, address);
      await page.fill(password, goodPassword);
      await page.click("[data-step='password']");
    }

    /** Stubs what the browser can do, and its call for a new passkey, which a device of the tests' own answers. */
    async function stub(page: Page, { conditionalCreate = true, fails = false } = {}) {
      const device = new SoftwareAuthenticator({
        ...{ origin: new URL(app.publicUrl).origin, userPresent: false, userVerified: false },
      });
      const mediations: string[] = [];
      await page.exposeFunction("makePasskey", (mediation: string, options: JsonObject) => {
        mediations.push(mediation);
        return fails ? undefined : device.create(options);
      });
      await page.addInitScript((capable) => {
        const bytes = (text: string) =>
          Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (each) => each.charCodeAt(0))
            .buffer;
        const text = (buffer: BufferSource) =>
          btoa(String.fromCharCode(...new Uint8Array(buffer as ArrayBuffer)))
            .replaceAll("+", "-")
            .replaceAll("/", "_")
            .replaceAll("=", "");
        PublicKeyCredential.getClientCapabilities = async () => ({ conditionalCreate: capable });
        navigator.credentials.create = async (given) => {
          const { mediation = "", publicKey } = given as {
            mediation?: string;
            publicKey: PublicKeyCredentialCreationOptions;
          };
          const answer = await Reflect.get(window, "makePasskey")(mediation, {
            challenge: text(publicKey.challenge),
            rp: publicKey.rp,
            user: { ...publicKey.user, id: text(publicKey.user.id) },
          });
          if (answer === undefined) throw new DOMException("no", "NotAllowedError");
          const { clientDataJSON, attestationObject, transports } = answer.response;
          return {
            ...{
              id: answer.id,
              rawId: bytes(answer.id),
              type: "public-key",
              authenticatorAttachment: "platform",
            },
            getClientExtensionResults: () => ({ credProps: { rk: true } }),
            response: {
              clientDataJSON: bytes(clientDataJSON),
              attestationObject: bytes(attestationObject),
              getTransports: () => transports,
            },
          } as never;
        };
      }, conditionalCreate);
      return { device, mediations };
    }

    test("the browser makes one by itself, quietly, where it can", async () => {
      const { page, address } = await visitors.register();
      const { device, mediations } = await stub(page);
      await signInAgain(page, address);
      await page.waitForURL("**/ui/sessions");
      expect(mediations).toEqual([made]);
      expect(device.passkeys).toHaveLength(1);
      await page.goto(`${app.publicUrl}/ui/settings`);
      await appears(page, "text=Change or remove: Passkey");
      // Nothing is offered any more.
      await signInAgain(page, address);
      await page.waitForURL("**/ui/sessions");
      expect(device.passkeys).toHaveLength(1);
    });

    test("says nothing where the browser makes none, and it can be made by the button", async () => {
      const { page, address } = await visitors.register();
      const { mediations } = await stub(page, { fails: true });
      await signInAgain(page, address);
      await appears(page, offer);
      await expect.poll(() => mediations).toEqual([made]);
      await settled(page);
      expect(await page.locator(failed).count()).toBe(0);
      // Asked for by its user it is no quiet matter, and the browser does not try by itself after a no.
      await page.click(passkey);
      await appears(page, failed);
      expect(mediations).toEqual([made, ""]);
    });

    test("one is offered where the browser makes none by itself, and made by the button", async () => {
      const { page, address } = await visitors.register({ locale: "de-CH" });
      const device = await VirtualAuthenticator.for(page);
      await page.addInitScript(() => {
        PublicKeyCredential.getClientCapabilities = async () => ({ conditionalCreate: false });
      });
      await signInAgain(page, address, "Abmelden");
      await appears(page, "text=Jetzt nicht");
      await page.click(passkey);
      await page.waitForURL("**/ui/sessions");
      expect(await device.names()).toEqual([address]);
    });

    test("one is not offered again to a person who wants none now, who is led to what is asked of them", async () => {
      const { page, address } = await visitors.register();
      await page.addInitScript(() => {
        PublicKeyCredential.getClientCapabilities = async () => ({ conditionalCreate: false });
      });
      await signInAgain(page, address);
      await page.click(offer);
      await page.waitForURL("**/ui/sessions");
      await signInAgain(page, address);
      await page.waitForURL("**/ui/sessions");
      await appears(page, `text=Signed in as ${address}.`);
      const identities = app.client(IdentityService);
      const { identity } = await identities.lookUpIdentity({ by: { case: "identifier", value: address } });
      await identities.setRequiredActions({
        identityId: identity?.id ?? "",
        requiredActions: [
          {
            action: { case: "kind", value: RequiredActionKind.SET_PASSWORD },
            timing: RequiredActionTiming.WHEN_CONVENIENT,
          },
        ],
      });
      await signInAgain(page, address);
      await page.waitForURL("**/ui/settings*");
      await appears(page, "text=Please choose a new password.");
    });
  });
});
