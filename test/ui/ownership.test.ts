import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { ClientKind } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { LoginService } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { RecoveryService } from "../../gen/ostiary/flow/v1/recovery_service_pb.js";
import { RegistrationService } from "../../gen/ostiary/flow/v1/registration_service_pb.js";
import { VerificationService } from "../../gen/ostiary/flow/v1/verification_service_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { freshEmail, goodPassword } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { appears, chromiumInstalled } from "../support/chromium.ts";
import { verifiedAccount } from "../support/deletion.ts";
import { administer } from "../support/postgres.ts";
import { email, identifier, password, submit, Visitors } from "./visitors.ts";

const name = "[name='traits.name']";
const code = "[name='code.code']";
const error = "[role='alert'] [data-kind='error']";

describe.skipIf(!chromiumInstalled)("the self-service pages and flows of somebody else, in Chromium", () => {
  let app: TestApp;
  let visitors: Visitors;

  beforeAll(async () => {
    const flows = { registration: { address_proof: "before_session" } };
    app = await startTestApp({ config: { tenant_defaults: { flows } } });
    visitors = await Visitors.of(app.publicUrl);
  });
  afterEach(() => visitors.leave());
  afterAll(async () => {
    await app.stop();
  });

  const codeFor = async (address: string) =>
    (await app.messages(address)).filter((sent) => sent.code !== "").at(-1)?.code ?? "";
  const flowIdOf = (page: Page) => new URLSearchParams(new URL(page.url()).hash.slice(1)).get("flow");

  /** Makes an account in a browser, and signs in with it there. */
  async function signUp(page: Page): Promise<string> {
    await page.goto(`${app.publicUrl}/ui/registration`);
    const address = freshEmail();
    await page.fill(email, address);
    await page.fill(password, goodPassword);
    await page.click(submit);
    await appears(page, code);
    await page.fill(code, await codeFor(address));
    await page.click("[data-step='code']");
    await page.waitForURL("**/ui/sessions");
    await appears(page, `text=Signed in as ${address}.`);
    return address;
  }

  async function signOut(page: Page): Promise<void> {
    await page.goto(`${app.publicUrl}/ui/sessions`);
    await page.click("text=Sign out");
    await page.waitForURL("**/ui/login*");
  }

  /** A native flow that an attacker has begun for an address, and which waits for the code of its owner. */
  const begun = {
    registration: async (address: string) => {
      const client = app.client(RegistrationService);
      const { flow } = await client.createRegistrationFlow({ client: ClientKind.NATIVE });
      const flowId = flow?.id ?? "";
      const step = { case: "password", value: { password: "the attacker's own" } } as const;
      await client.submitRegistrationFlow({ flowId, traits: { email: address }, step });
      return flowId;
    },
    login: async (address: string) => {
      const client = app.client(LoginService);
      const { flow } = await client.createLoginFlow({ client: ClientKind.NATIVE });
      const flowId = flow?.id ?? "";
      await client.submitLoginFlow({ flowId, identifier: address, step: { case: "sendCode", value: {} } });
      return flowId;
    },
    recovery: async (address: string) => {
      const client = app.client(RecoveryService);
      const { flow } = await client.createRecoveryFlow({ client: ClientKind.NATIVE });
      const flowId = flow?.id ?? "";
      await client.submitRecoveryFlow({ flowId, address, step: { case: "sendCode", value: {} } });
      return flowId;
    },
    verification: async (address: string) => {
      const client = app.client(VerificationService);
      const { flow } = await client.createVerificationFlow({ client: ClientKind.NATIVE });
      const flowId = flow?.id ?? "";
      await client.submitVerificationFlow({ flowId, address, step: { case: "sendCode", value: {} } });
      return flowId;
    },
  };

  /** Another tab, that is not told of what happens in the first one: it finds out by itself. */
  async function unawareTab(page: Page): Promise<Page> {
    const tab = await page.context().newPage();
    await tab.addInitScript(() => Reflect.deleteProperty(window, "BroadcastChannel"));
    return tab;
  }

  // Security rule (SR-FLOW-3): a page goes on with browser flows alone.
  test.each(Object.entries(begun))("never go on with a %s that a link brought along", async (kind, begin) => {
    const flowId = await begin(freshEmail());
    for (const address of [`/ui/${kind}#flow=${flowId}`, `/ui/${kind}?flow=${flowId}`]) {
      const page = await visitors.open(address);
      await appears(page, "form input:not([type='hidden'])");
      expect(await page.isVisible(code)).toBe(false);
      expect(flowIdOf(page)).toMatch(/^ost_flw_/);
      expect(flowIdOf(page)).not.toBe(flowId);
    }
  });

  test("make no account with an attacker's password by the code of its address", async () => {
    const victim = freshEmail();
    const flowId = await begun.registration(victim);
    const page = await visitors.open(`/ui/registration#flow=${flowId}`);
    await appears(page, email);
    // Whatever is filled in there makes an account with the password that is typed there.
    await page.fill(email, victim);
    await page.fill(password, goodPassword);
    // Messages are told apart by their time, which stands still otherwise.
    app.clock.advance(1);
    await page.click(submit);
    // The page says whose code is awaited.
    await appears(page, `text=We've sent a code to ${victim}.`);
    await page.fill(code, await codeFor(victim));
    await page.click("[data-step='code']");
    await page.waitForURL("**/ui/sessions");
    const login = app.client(LoginService);
    const { flow } = await login.createLoginFlow({ client: ClientKind.NATIVE });
    const tried = await login.submitLoginFlow({
      flowId: flow?.id ?? "",
      identifier: victim,
      step: { case: "password", value: { password: "the attacker's own" } },
    });
    expect(tried.outcome.case).toBe("rejected");
  });

  test("say whose account the settings are of, and fill nothing of one person into another one's", async () => {
    const page = await visitors.open("/ui/login");
    const first = await signUp(page);
    const tab = await unawareTab(page);
    await tab.goto(`${app.publicUrl}/ui/settings`);
    await appears(tab, `text=Account of ${first}`);
    await tab.fill(email, `new-${first}`);
    await tab.fill(name, "First Person");
    await signOut(page);
    const second = await signUp(page);

    await tab.click("button[data-step='profile']");
    await appears(tab, `text=This is the account of ${second}.`);
    await appears(tab, `text=Account of ${second}`);
    expect([await tab.inputValue(email), await tab.inputValue(name)]).toEqual([second, ""]);
    expect(await tab.content()).not.toContain(first);
    // Pressed again it is the second person's own form, with what they have.
    await tab.click("button[data-step='profile']");
    await appears(tab, "text=Your changes have been saved.");
    expect(await app.messages(`new-${first}`)).toEqual([]);
    const { identity } = await app.client(IdentityService).lookUpIdentity({
      by: { case: "identifier", value: second },
    });
    expect(identity?.traits).toEqual({ email: second });
  });

  test.each(["expired", "completed", "gone"])(
    "fill nothing into another one's settings from a form whose flow is %s either",
    async (state) => {
      const page = await visitors.open("/ui/login");
      const first = await signUp(page);
      const tab = await unawareTab(page);
      await tab.goto(`${app.publicUrl}/ui/settings`);
      await appears(tab, `text=Account of ${first}`);
      await tab.fill(name, "First Person");
      await signOut(page);
      const second = await signUp(page);
      const change = {
        expired: "UPDATE ostiary.flow SET expires_at = created_at WHERE kind = 'settings'",
        completed: "UPDATE ostiary.flow SET state = 'completed' WHERE kind = 'settings'",
        gone: "DELETE FROM ostiary.flow WHERE kind = 'settings'",
      }[state];
      await administer(app.databaseUrl, (query) => query(change ?? ""));
      await tab.click("button[data-step='profile']");
      await appears(tab, `text=This is the account of ${second}.`);
      expect([await tab.inputValue(email), await tab.inputValue(name)]).toEqual([second, ""]);
    },
  );

  test("keep what was typed where it is the same person's still", async () => {
    const page = await visitors.open("/ui/login");
    const own = await signUp(page);
    await page.goto(`${app.publicUrl}/ui/settings`);
    await appears(page, `text=Account of ${own}`);
    await page.fill(name, "Same Person");
    await administer(app.databaseUrl, (query) => query("DELETE FROM ostiary.flow WHERE kind = 'settings'"));
    await page.click("button[data-step='profile']");
    await appears(page, error);
    expect([await page.inputValue(email), await page.inputValue(name)]).toEqual([own, "Same Person"]);
    expect(await page.isVisible("text=This is the account of")).toBe(false);
  });

  test("lead to the login once somebody has signed out in another tab", async () => {
    const page = await visitors.open("/ui/login");
    await signUp(page);
    const tab = await unawareTab(page);
    await tab.goto(`${app.publicUrl}/ui/settings`);
    await appears(tab, name);
    await signOut(page);
    await tab.click("button[data-step='profile']");
    await tab.waitForURL("**/ui/login*");
    await appears(tab, identifier);
  });

  test.each(["submitted", "opened anew"])(
    "lead from the settings after a recovery that have expired to another recovery, when %s",
    async (how) => {
      const { email: owner } = await verifiedAccount(app);
      const page = await visitors.open("/ui/recovery");
      await page.fill("[name='address']", owner);
      // Messages are told apart by their time, which stands still otherwise.
      app.clock.advance(1);
      await page.click(submit);
      await appears(page, code);
      await page.fill(code, await codeFor(owner));
      await page.click("[data-step='code']");
      await page.waitForURL("**/ui/settings*");
      await page.fill(password, "another harbour lantern");
      await administer(app.databaseUrl, (query) =>
        query("UPDATE ostiary.flow SET expires_at = created_at WHERE kind = 'settings'"),
      );
      if (how === "submitted") await page.click(submit);
      else await page.reload();
      await page.waitForURL("**/ui/recovery*");
      await appears(page, "text=This form was open for too long.");
      await page.fill("[name='address']", owner);
      await page.click(submit);
      await appears(page, code);
    },
  );
});
