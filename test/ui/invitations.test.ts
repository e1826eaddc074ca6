import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { InvitationService } from "../../gen/ostiary/identity/v1/invitation_service_pb.js";
import { freshEmail, goodPassword } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { appears, chromiumInstalled } from "../support/chromium.ts";
import { email, password, submit, Visitors } from "./visitors.ts";

describe.skipIf(!chromiumInstalled)(
  "the registration page in Chromium, where an invitation is required",
  () => {
    let app: TestApp;
    let visitors: Visitors;

    beforeAll(async () => {
      app = await startTestApp({
        config: { tenant_defaults: { flows: { registration: { mode: "invitation" } } } },
      });
      visitors = await Visitors.of(app.publicUrl);
    });
    afterEach(() => visitors.leave());
    afterAll(async () => {
      await app.stop();
    });

    /** Where the link in an invitation leads, below the server's address. */
    async function invited(address: string): Promise<string> {
      app.clock.advance(1);
      await app.client(InvitationService).createInvitation({ address });
      const url = (await app.messages(address)).at(-1)?.url ?? "";
      expect(url).toContain(`${app.publicUrl}/ui/registration#invitation=`);
      return url.slice(app.publicUrl.length);
    }

    test("is filled in by the link of an invitation, survives being loaded again, and makes an account", async () => {
      const address = freshEmail();
      const page = await visitors.open(await invited(address));
      await appears(page, email);
      expect(await page.inputValue(email)).toBe(address);
      // The token leaves the address bar once there is a flow.
      await page.waitForURL("**/ui/registration#flow=*");
      await page.reload();
      await appears(page, email);
      expect(await page.inputValue(email)).toBe(address);
      await page.fill(password, goodPassword);
      await page.click(submit);
      // The address is verified by the invitation, so nothing is to be entered.
      await page.waitForURL("**/ui/sessions");
      await appears(page, `text=Signed in as ${address}.`);
    });

    test.each([
      ["en-GB", "You need an invitation to create an account here."],
      ["de-CH", "Sie brauchen eine Einladung, um hier ein Konto zu erstellen."],
    ])("says in %s that it needs an invitation", async (locale, sentence) => {
      const page = await visitors.open("/ui/registration", { locale });
      await appears(page, `[role='alert'] >> text=${sentence}`);
    });

    test("is not linked from the login page, which says why", async () => {
      const page = await visitors.open("/ui/login");
      const aside = page.locator(".aside");
      await aside.waitFor();
      expect(await aside.innerHTML()).toMatch(
        /^<span>You can create an account by invitation only\.<\/span><a [^>]+>Forgot your password\?<\/a>$/,
      );
      expect(await page.locator("main a").count()).toBe(1);
    });

    test("says that an invitation is used, and does without it when it is tried again", async () => {
      const address = freshEmail();
      const link = await invited(address);
      const first = await visitors.open(link);
      await first.fill(password, goodPassword);
      await first.click(submit);
      await first.waitForURL("**/ui/sessions");

      const second = await visitors.open(link);
      await appears(second, "[role='alert'] >> text=This invitation is no longer valid");
      expect(new URL(second.url()).hash).toBe("");
      await second.click("text=Start again");
      await appears(second, "[role='alert'] >> text=You need an invitation");
    });

    test("says so in the form if an invitation ends while it is filled in", async () => {
      const address = freshEmail();
      const page = await visitors.open(await invited(address), { locale: "de-DE" });
      await appears(page, email);
      const { invitations } = await app.client(InvitationService).listInvitations({ address });
      await app.client(InvitationService).revokeInvitation({ invitationId: invitations[0]?.id ?? "" });
      await page.fill(password, goodPassword);
      await page.click(submit);
      await appears(page, "text=Diese Einladung gilt nicht mehr.");
    });
  },
);
