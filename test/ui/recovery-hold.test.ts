import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { freshEmail, goodPassword } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { appears, chromiumInstalled } from "../support/chromium.ts";
import { submit, Visitors } from "./visitors.ts";

const address = "[name='address']";
const code = "[name='code.code']";

describe.skipIf(!chromiumInstalled)("a recovery that waits, on the self-service pages, in Chromium", () => {
  let app: TestApp;
  let visitors: Visitors;
  beforeAll(async () => {
    app = await startTestApp({
      config: { tenant_defaults: { code: { login: false }, flows: { recovery: { hold: "72h" } } } },
    });
    visitors = await Visitors.of(app.publicUrl);
  });
  afterEach(() => visitors.leave());
  afterAll(() => app.stop());

  async function prove(email: string, locale: string) {
    app.clock.advance(1000);
    const page = await visitors.open("/ui/recovery", { locale });
    await page.fill(address, email);
    await page.click(submit);
    await appears(page, code);
    const sent = (await app.messages(email)).findLast(({ template }) => template === "recovery_code");
    await page.fill(code, sent?.code ?? "");
    await page.click(submit);
    return page;
  }

  test("says when to come back, and is stopped by the link of the notice", async () => {
    const email = freshEmail();
    await app.client(IdentityService).createIdentity({
      traits: { email },
      verifiedAddresses: [{ value: email }],
      credentials: { password: { value: { case: "password", value: goodPassword } } },
    });
    const page = await prove(email, "de-CH");
    await appears(page, "text=Kommen Sie später wieder");
    await page.click("[data-step='back']");
    await appears(page, address);
    expect(await page.inputValue(address)).toBe(email);

    const notice = (await app.messages(email)).findLast(({ template }) => template === "recovery_held");
    expect(notice?.url).toContain("/ui/recovery#link=ost_lnk_");
    const { hash } = new URL(notice?.url ?? "");
    const other = await visitors.open(`/ui/recovery${hash}`, { locale: "en-GB" });
    await appears(other, "text=Stop the recovery");
    await other.click("[data-step='stopRecovery']");
    await other.waitForURL("**/ui/login*");
    const told = (await app.messages(email)).map(({ template }) => template);
    expect(told).toContain("recovery_stopped");
  });
});
