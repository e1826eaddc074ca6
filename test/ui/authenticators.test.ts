import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { MethodKind } from "../../gen/ostiary/common/v1/method_kind_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { AssuranceLevel } from "../../gen/ostiary/option/v1/demand_pb.js";
import { SessionAdminService } from "../../gen/ostiary/session/v1/session_admin_service_pb.js";
import { goodPassword } from "../support/accounts.ts";
import type { TestApp } from "../support/app.ts";
import { appears, chromiumInstalled } from "../support/chromium.ts";
import { startLocalhostApp } from "../support/passkeys.ts";
import { administer } from "../support/postgres.ts";
import { type AuthenticatorOptions, VirtualAuthenticator } from "../support/virtual-authenticator.ts";
import { identifier, password, Visitors } from "./visitors.ts";

const passkey = "[data-step='passkey']";
const saved = "[data-kind='success']";
const failed = "[role='alert'] [data-kind='error']";

const laptop = { transport: "internal" } as const;
const phone = { transport: "internal", defaultBackupEligibility: true, defaultBackupState: true } as const;
const nearby = { ...phone, transport: "cable" } as const;
const unlocked = { transport: "internal", hasUserVerification: false, isUserVerified: false } as const;
/** Chromium makes no passkey on a key that has no PIN. */
const key = { transport: "usb" } as const;
const oldKey = { ...key, hasResidentKey: false } as const;

// The authenticators are those of Chromium, so that their answers are not made by code of ours.
describe.skipIf(!chromiumInstalled)("authenticators of all kinds, in Chromium", () => {
  let app: TestApp;
  let visitors: Visitors;
  beforeAll(async () => {
    app = await startLocalhostApp({ passkey: { offer_after_login: false } });
    visitors = await Visitors.of(app.publicUrl);
  });
  afterEach(() => visitors.leave());
  afterAll(() => app.stop());

  async function add(page: Page): Promise<void> {
    await page.goto(`${app.publicUrl}/ui/settings`);
    await page.click(passkey);
    await appears(page, "[data-step='back']");
    await page.click(passkey);
  }

  /** Somebody with a password, and a passkey on such a device. */
  async function person(options: AuthenticatorOptions) {
    const { page, address } = await visitors.register();
    // What the field of the name offers would be answered at once.
    await page.addInitScript(() => {
      PublicKeyCredential.isConditionalMediationAvailable = async () => false;
    });
    const device = await VirtualAuthenticator.for(page, options);
    await add(page);
    await appears(page, saved);
    return { page, address, device };
  }

  async function signOut(page: Page): Promise<void> {
    await page.goto(`${app.publicUrl}/ui/sessions`);
    await page.click("text=Sign out");
    await page.waitForURL("**/ui/login*");
  }

  /** Signs out, and in again by the button. */
  async function show(page: Page): Promise<void> {
    await signOut(page);
    await page.click(passkey);
  }

  async function identityOf(address: string): Promise<string> {
    const { identity } = await app
      .client(IdentityService)
      .lookUpIdentity({ by: { case: "identifier", value: address } });
    return identity?.id ?? "";
  }

  /** What the sessions of an account show that began with a passkey, or asked for one. */
  async function shownBy(address: string) {
    const { sessions } = await app
      .client(SessionAdminService)
      .listSessions({ identityId: await identityOf(address) });
    const shown = sessions.filter(({ authenticationMethods }) =>
      authenticationMethods.some(({ kind }) => kind === MethodKind.PASSKEY),
    );
    return shown.map(({ assuranceLevel, authenticationMethods }) => [
      AssuranceLevel[assuranceLevel],
      authenticationMethods.map(({ kind, userVerified }) => [MethodKind[kind], userVerified]),
    ]);
  }

  async function factsOf(address: string) {
    const { credentials } = await app
      .client(IdentityService)
      .listCredentials({ identityId: await identityOf(address) });
    const details = credentials.map((credential) => credential.details);
    return details.flatMap((each) => (each.case === "passkey" ? [each.value] : []))[0];
  }

  test.each<[string, AuthenticatorOptions]>([
    ["a laptop", laptop],
    ["a phone that syncs", phone],
    ["a phone beside the laptop", nearby],
    ["a security key", key],
  ])("%s signs in alone, and is worth two factors where it knows its user", async (_name, options) => {
    const { page, address } = await person(options);
    await show(page);
    await page.waitForURL("**/ui/sessions");
    await appears(page, `text=Signed in as ${address}.`);
    expect(await shownBy(address)).toEqual([["AAL2", [["PASSKEY", true]]]]);
    expect((await factsOf(address))?.synced).toBe(options.defaultBackupState === true);
  });

  test("a security key that keeps no passkeys makes none, and the page says what to do", async () => {
    const { page } = await visitors.register();
    await VirtualAuthenticator.for(page, oldKey);
    await add(page);
    await appears(page, failed);
    expect(await page.locator("[data-step='manageCredential']").count()).toBe(0);
  });

  test("the passkeys of several devices sign in alike, each by itself", async () => {
    const { page, address, device } = await person(laptop);
    await device.setPresence(false);
    const other = await VirtualAuthenticator.for(page, {
      ...key,
      isUserVerified: true,
      hasUserVerification: true,
    });
    await add(page);
    await appears(page, saved);
    expect(await other.names()).toEqual([address]);
    await show(page);
    await page.waitForURL("**/ui/sessions");
    await device.setPresence(true);
    await other.remove();
    await show(page);
    await page.waitForURL("**/ui/sessions");
    await appears(page, `text=Signed in as ${address}.`);
  });

  test.each<[string, AuthenticatorOptions, boolean]>([
    ["a security key", key, true],
    // Chromium asks such a one where passkeys are listed, and not for a login without a name.
    ["a laptop that does not know its user", unlocked, false],
  ])("%s is shown after the password, where its owner asks for it", async (_name, options, isVerified) => {
    const { page, address } = await person(options);
    await page.click("[data-step='manageCredential']");
    await page.click("[data-step='secondFactor']");
    await appears(page, saved);
    await signOut(page);
    await page.fill(identifier, address);
    await page.fill(password, goodPassword);
    await page.click("[data-step='password']");
    await appears(page, "[data-step='back']");
    await page.click(passkey);
    await page.waitForURL("**/ui/sessions");
    const proofs = [
      ["PASSWORD", false],
      ["PASSKEY", isVerified],
    ];
    expect(await shownBy(address)).toEqual([["AAL2", proofs]]);
  });

  test.each<[string, (device: VirtualAuthenticator) => Promise<void>]>([
    ["with a wrong signature", (device) => device.lie({ isBogusSignature: true })],
    ["without its user", (device) => device.lie({ isBadUP: true })],
    [
      "that says it can be backed up, and could not before",
      (device) => device.setProperties({ backupEligibility: true }),
    ],
  ])("an answer %s is refused, and a right one afterwards is not", async (_name, spoil) => {
    const { page, address, device } = await person(laptop);
    await spoil(device);
    await show(page);
    await appears(page, failed);
    await device.lie({});
    await device.setProperties({ backupEligibility: false });
    await page.click(passkey);
    await page.waitForURL("**/ui/sessions");
    await appears(page, `text=Signed in as ${address}.`);
  });

  test("an answer that hides that its user was verified is one factor", async () => {
    const { page, address, device } = await person(laptop);
    await device.lie({ isBadUV: true });
    await show(page);
    await page.waitForURL("**/ui/sessions");
    expect(await shownBy(address)).toEqual([["AAL1", [["PASSKEY", false]]]]);
  });

  test("what is backed up later is seen at the next login", async () => {
    const { page, address, device } = await person({ ...phone, defaultBackupState: false });
    expect((await factsOf(address))?.synced).toBe(false);
    await device.setProperties({ backupState: true });
    await show(page);
    await page.waitForURL("**/ui/sessions");
    expect((await factsOf(address))?.synced).toBe(true);
  });

  test("a copy, whose counter goes back, is refused and recorded", async () => {
    const { page, address, device } = await person(laptop);
    await device.setProperties({ signCount: 40 });
    await show(page);
    await page.waitForURL("**/ui/sessions");
    await device.setProperties({ signCount: 3 });
    await show(page);
    await appears(page, failed);
    const events = await administer(app.databaseUrl, async (query) =>
      query("SELECT type FROM ostiary.event WHERE identity_id = $1 AND type LIKE 'credential.counter%'", [
        await identityOf(address),
      ]),
    );
    expect(events).toEqual([{ type: "credential.counter_regressed" }]);
  });
});
