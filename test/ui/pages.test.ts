import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { freshEmail, goodPassword, logIn, register } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { appears, chromiumInstalled, openChromium } from "../support/chromium.ts";
import { deletionConfig } from "../support/deletion.ts";
import { createPerson, personSchemas } from "../support/person.ts";
import { email, focused, identifier, password, settled, submit, Visitors } from "./visitors.ts";

describe.skipIf(!chromiumInstalled)("the self-service pages in Chromium", () => {
  let app: TestApp;
  let visitors: Visitors;

  beforeAll(async () => {
    app = await startTestApp({ config: deletionConfig() });
    visitors = await Visitors.of(app.publicUrl);
  });
  afterEach(() => visitors.leave());
  afterAll(async () => {
    await app.stop();
  });

  const code = "[name='code.code']";
  const recoveryAddress = "[name='address']";
  const codeOf = async (address: string, template: string) => {
    const message = (await app.messages(address)).filter((sent) => sent.template === template).at(-1);
    return message?.code ?? "";
  };

  test("lead a stranger from the door to the login, and from there to a new account", async () => {
    const page = await visitors.open("/ui/");
    await appears(page, identifier);
    await expect.poll(() => page.title()).toBe("Sign in · Ostiary");
    await page.click("text=Create one");
    await appears(page, email);
    await expect.poll(() => focused(page)).toBe("H1");

    const address = freshEmail();
    await page.fill(email, address);
    await page.fill(password, goodPassword);
    await page.click(submit);
    // The address is verified next; a person without time for that goes on.
    await page.waitForURL("**/ui/verification#flow=*");
    await page.click("text=Your devices");
    await page.waitForURL("**/ui/sessions");
    await appears(page, `text=Signed in as ${address}.`);
    // The door now leads to the sessions.
    await page.goto(`${app.publicUrl}/ui/`);
    await page.waitForURL("**/ui/sessions");
  });

  test("say that the password is wrong, keep the name, and let in with the right one", async () => {
    const { email: address } = await register(app);
    const page = await visitors.open("/ui/login");
    await page.fill(identifier, address);
    await page.fill(password, "not the password");
    await page.click(submit);
    await appears(page, "[role='alert'] [data-kind='error']");
    await expect.poll(() => focused(page)).toBe("ostiary-messages");
    expect(await page.inputValue(identifier)).toBe(address);
    expect(await page.inputValue(password)).toBe("");
    await page.fill(password, goodPassword);
    await page.click(submit);
    await page.waitForURL("**/ui/sessions");
  });

  test("put the focus on the first field that is wrong, tied to what is wrong with it", async () => {
    const page = await visitors.open("/ui/registration");
    await page.fill(email, "no address");
    await page.fill(password, "short");
    await page.click(submit);
    await appears(page, "[aria-invalid='true']");
    await expect.poll(() => focused(page)).toBe("traits.email");
    const described = await page.getAttribute(email, "aria-describedby");
    expect(await page.textContent(`#${described}`)).toContain("valid email");
    expect(await page.inputValue(email)).toBe("no address");
  });

  test("go on with a fresh flow when one has expired, and keep what was typed, except the password", async () => {
    const { email: address } = await register(app);
    const page = await visitors.open("/ui/login");
    await page.fill(identifier, address);
    await page.fill(password, goodPassword);
    const before = page.url();
    app.clock.advance(2 * 60 * 60 * 1000);
    await page.click(submit);
    await appears(page, "text=open for too long");
    expect(await page.inputValue(identifier)).toBe(address);
    expect(await page.inputValue(password)).toBe("");
    expect(page.url()).not.toBe(before);
    await page.fill(password, goodPassword);
    await page.click(submit);
    await page.waitForURL("**/ui/sessions");
  });

  test("go on with the same flow when loaded anew, and with its replacement when that is too late", async () => {
    const page = await visitors.open("/ui/login");
    await appears(page, identifier);
    const first = page.url();
    expect(first).toContain("#flow=ost_flw_");
    await page.reload();
    await appears(page, identifier);
    expect(page.url()).toBe(first);
    app.clock.advance(2 * 60 * 60 * 1000);
    await page.reload();
    await appears(page, identifier);
    expect(page.url()).toMatch(/#flow=ost_flw_/);
    expect(page.url()).not.toBe(first);
  });

  test("go on with a fresh flow when the cookie of the old one is gone", async () => {
    const { email: address } = await register(app);
    const page = await visitors.open("/ui/login");
    await page.fill(identifier, address);
    await page.fill(password, goodPassword);
    await page.context().clearCookies();
    await page.click(submit);
    await appears(page, "[role='alert'] [data-kind='error']");
    expect(await page.inputValue(identifier)).toBe(address);
    await page.fill(password, goodPassword);
    await page.click(submit);
    await page.waitForURL("**/ui/sessions");
  });

  test("say that the server cannot be reached, and keep everything that was typed", async () => {
    const page = await visitors.open("/ui/login");
    await page.fill(identifier, "ada@example.com");
    await page.fill(password, goodPassword);
    await page.context().setOffline(true);
    await page.click(submit);
    await appears(page, "text=can't be reached");
    expect(await page.inputValue(identifier)).toBe("ada@example.com");
    expect(await page.inputValue(password)).toBe(goodPassword);
  });

  test("send a form once, however often its button is pressed", async () => {
    const page = await visitors.open("/ui/registration");
    await page.fill(email, freshEmail());
    await page.fill(password, goodPassword);
    const submits: string[] = [];
    page.on("request", (request) => {
      if (request.url().includes("Submit")) submits.push(request.url());
    });
    await page.dblclick(submit);
    await page.waitForURL("**/ui/verification*");
    expect(submits).toHaveLength(1);
  });

  test("list the sessions, end one, end all others, extend, and sign out", async () => {
    const { page, address } = await visitors.register();
    for (let count = 0; count < 3; count++) await logIn(app, address);
    await page.reload();
    const others = page.locator(".list > li");
    await others.nth(2).waitFor();
    expect(await others.count()).toBe(3);

    await page.click(".small-button >> nth=0");
    await appears(page, "text=That device was signed out.");
    expect(await others.count()).toBe(2);
    await expect.poll(() => focused(page)).toBe("H1");

    await page.click("text=Sign out of all other devices");
    await appears(page, "text=You're now signed out on all other devices.");
    expect(await page.textContent(".page")).toContain("You're not signed in on any other device.");

    const ends = await page.textContent(".facts dd >> nth=2");
    app.clock.advance(60 * 60 * 1000);
    await page.click("text=Stay signed in longer");
    await appears(page, "text=You'll stay signed in for longer.");
    expect(await page.textContent(".facts dd >> nth=2")).not.toBe(ends);

    await page.click("text=Sign out");
    await appears(page, identifier);
    await page.goto(`${app.publicUrl}/ui/sessions`);
    await page.waitForURL("**/ui/login*");
  });

  test("verify an address, and recover an account whose password was forgotten", async () => {
    const page = await visitors.open("/ui/registration");
    const address = freshEmail();
    await page.fill(email, address);
    await page.fill(password, goodPassword);
    await page.click(submit);
    await page.waitForURL("**/ui/verification*");
    await page.fill(code, await codeOf(address, "verification_code"));
    await page.click(submit);
    await page.waitForURL("**/ui/sessions");

    await page.click("text=Sign out");
    await page.click("text=Forgot your password?");
    await page.fill(recoveryAddress, address);
    await page.click(submit);
    await appears(page, code);
    await page.fill(code, "000000");
    await page.click(submit);
    await appears(page, "text=wrong or no longer valid");
    await page.fill(code, await codeOf(address, "recovery_code"));
    await page.click(submit);
    await page.waitForURL("**/ui/settings*");
    await page.fill(password, `${goodPassword}, but another`);
    await page.click("[data-step='password']");
    await page.waitForURL("**/ui/sessions");
    await appears(page, `text=Signed in as ${address}.`);
  });

  test("ask whose account it is, also when loaded anew, and keep it for the person who signs in", async () => {
    const { email: address } = await register(app);
    const page = await visitors.open("/ui/verification");
    const prove = async () => {
      app.clock.advance(1);
      await page.fill(recoveryAddress, address);
      await page.click(submit);
      await appears(page, code);
      await page.fill(code, await codeOf(address, "verification_code"));
      await page.click(submit);
    };
    await prove();
    await appears(page, "text=Did you set it up?");
    await page.reload();
    await page.click("[data-step='resume']");
    await appears(page, password);
    // The page of the question comes back, not a dead login.
    await page.reload();
    await page.click("[data-step='resume']");
    await page.fill(password, goodPassword);
    await page.click("[data-step='password']");
    await page.waitForURL("**/ui/sessions");
    await appears(page, `text=Signed in as ${address}.`);
  });

  test("end an account that somebody else has set up, in German, and lead on to a new password", async () => {
    const { email: address } = await register(app);
    app.clock.advance(1);
    const page = await visitors.open("/ui/recovery", { locale: "de-CH" });
    await page.fill(recoveryAddress, address);
    await page.click(submit);
    await appears(page, code);
    await page.fill(code, await codeOf(address, "recovery_code"));
    await page.click(submit);
    await appears(page, "text=Haben Sie es eingerichtet?");
    await page.click("text=Das war ich nicht");
    await page.waitForURL("**/ui/settings*");
    await page.fill(password, `${goodPassword}, but another`);
    await page.click("[data-step='password']");
    await page.waitForURL("**/ui/sessions");
    expect((await logIn(app, address)).case).toBe("rejected");
  });

  test("say that a link is worth nothing any more, and begin afresh without it", async () => {
    const page = await visitors.open("/ui/recovery#link=ost_lnk_default_nothing");
    await appears(page, "text=This link has expired");
    await page.click("button:has-text('Start again')");
    await appears(page, recoveryAddress);
    expect(page.url()).not.toContain("link=");
  });

  test("change an address after a fresh login", async () => {
    const { page } = await visitors.register();
    app.clock.advance(30 * 60 * 1000);
    await page.goto(`${app.publicUrl}/ui/settings`);
    const address = freshEmail();
    await page.fill(email, address);
    await page.click("[data-step='profile']");
    // The settings ask for a password as well: it is the login's that is filled in.
    await appears(page, "text=confirm it's you");
    await page.fill(password, goodPassword);
    await page.click("[data-step='password']");
    await appears(page, code);
    await page.fill(code, await codeOf(address, "verification_code"));
    await page.click(submit);
    await appears(page, `text=${address} is verified and saved.`);
    expect(await page.inputValue(email)).toBe(address);
  });

  test("keep the settings that wait for a login, also when that was refused and the page is loaded anew", async () => {
    const { page } = await visitors.register();
    app.clock.advance(30 * 60 * 1000);
    await page.goto(`${app.publicUrl}/ui/settings`);
    const address = freshEmail();
    await page.fill(email, address);
    await page.click("[data-step='profile']");
    await appears(page, "text=confirm it's you");
    await page.fill(password, "not the password");
    await page.click("[data-step='password']");
    await appears(page, "[role='alert'] [data-kind='error']");
    await page.reload();
    await page.click("[data-step='resume']");
    expect(new URL(page.url()).pathname).toBe("/ui/settings");
    await appears(page, "text=confirm it's you");
    expect(await page.isVisible("text=open for too long")).toBe(false);
    await page.fill(password, goodPassword);
    await page.click("[data-step='password']");
    await appears(page, code);
    await page.fill(code, await codeOf(address, "verification_code"));
    await page.click(submit);
    await appears(page, `text=${address} is verified and saved.`);
    expect(await page.inputValue(email)).toBe(address);
  });

  test("lead to the page of a flow that the address of another one names, and do not call it expired", async () => {
    const page = await visitors.open("/ui/login");
    await appears(page, identifier);
    const { hash } = new URL(page.url());
    await page.goto(`${app.publicUrl}/ui/registration${hash}`);
    await page.waitForURL("**/ui/login#flow=*");
    await appears(page, identifier);
    expect(new URL(page.url()).hash).toBe(hash);
    expect(await page.isVisible("text=open for too long")).toBe(false);
  });

  test("delete an account after they have asked once more, say when, and let its owner keep it", async () => {
    const { page, address } = await visitors.register();
    await page.goto(`${app.publicUrl}/ui/settings`);
    const button = "[data-step='deleteAccount']";
    await appears(page, button);
    const described = await page.getAttribute(button, "aria-describedby");
    expect(await page.textContent(`#${described}`)).toContain("You have 30 days to change your mind");
    const submits: string[] = [];
    page.on("request", (request) => {
      if (request.url().includes("Submit")) submits.push(request.url());
    });
    await page.click(button);
    await appears(page, "dialog >> text=Delete your account?");
    await expect.poll(() => page.evaluate(() => document.activeElement?.textContent)).toBe("Cancel");
    await page.keyboard.press("Escape");
    await page.waitForSelector("dialog", { state: "detached" });
    expect(submits).toEqual([]);
    await page.click(button);
    await page.click("dialog >> text=Yes, continue");
    await appears(page, "text=/Your account will be deleted on 2\\d December 2026/");
    await page.click(".aside a");
    await page.fill(identifier, address);
    await page.fill(password, goodPassword);
    await page.click(submit);
    await page.click("text=Delete it as planned");
    await page.waitForURL("**/ui/sessions");

    await page.goto(`${app.publicUrl}/ui/settings`);
    await appears(page, "[role='alert'] >> text=/This account will be deleted on 2\\d December 2026/");
    // Enter in a field saves the fields: it is not the first button that is meant.
    await page.press(email, "Enter");
    await appears(page, "text=Your changes have been saved.");
    await page.click("[data-step='keepAccount']");
    await appears(page, button);
    expect(await page.textContent("[role='alert']")).not.toContain("will be deleted");
  });

  test("show a password and hide it again, take a pasted one, and name it to password managers", async () => {
    const page = await visitors.open("/ui/registration");
    await appears(page, password);
    expect(await page.getAttribute(password, "autocomplete")).toBe("new-password");
    expect(await page.getAttribute(email, "autocomplete")).toBe("email");
    expect(await page.getAttribute(password, "type")).toBe("password");
    await page.click("button:has-text('Show')");
    await expect.poll(() => page.getAttribute(password, "type")).toBe("text");
    await page.click("button:has-text('Hide')");
    await expect.poll(() => page.getAttribute(password, "type")).toBe("password");
    const long = `${"a long pass phrase, pasted whole ".repeat(8)}`.slice(0, 250);
    await page.fill(email, long);
    await page.press(email, "Control+A");
    await page.press(email, "Control+X");
    await expect.poll(() => page.inputValue(email)).toBe("");
    await page.press(password, "Control+V");
    await expect.poll(() => page.inputValue(password)).toBe(long);
  });

  test("speak German to a German browser, and whatever is chosen from then on", async () => {
    const page = await visitors.open("/ui/login", { locale: "de-CH" });
    await appears(page, identifier);
    expect(await page.getAttribute("html", "lang")).toBe("de");
    expect(await page.textContent("h1")).toBe("Anmelden");
    await page.fill(identifier, "niemand@example.com");
    await page.click(submit);
    await appears(page, ".ostiary-error");
    expect(await page.textContent(".ostiary-error")).toBe("Bitte ausfüllen.");
    await page.selectOption("header select", "en");
    // What is on the page is translated where it stands, and what was typed stays.
    await expect.poll(() => page.textContent(".ostiary-error")).toBe("Please fill in this field.");
    expect(await page.inputValue(identifier)).toBe("niemand@example.com");
    await page.reload();
    await appears(page, identifier);
    expect(await page.getAttribute("html", "lang")).toBe("en");
  });

  test("ask before they sign out, and let a person stay", async () => {
    const { page, address } = await visitors.register();
    await page.goto(`${app.publicUrl}/ui/logout`);
    await page.getByRole("button", { name: "Stay signed in" }).click();
    await page.waitForURL("**/ui/sessions");
    await appears(page, `text=Signed in as ${address}.`);
  });

  test("have a login form written by hand beside the general one", async () => {
    const { email: address } = await register(app);
    const page = await visitors.open("/ui/example-login");
    await page.fill("#identifier", address);
    await page.fill("#password", "not the password");
    await page.click(submit);
    await appears(page, "text=Those sign-in details aren't right.");
    await page.fill("#password", goodPassword);
    await page.click(submit);
    await page.waitForURL("**/ui/sessions");
  });
});

describe.skipIf(!chromiumInstalled)("the self-service pages where the profile comes first", () => {
  let app: TestApp;
  let visitors: Visitors;
  beforeAll(async () => {
    const registration = { style: "profile_first" };
    app = await startTestApp({
      config: { tenant_defaults: { link: { enabled: true }, flows: { registration } } },
    });
    visitors = await Visitors.of(app.publicUrl);
  });
  afterEach(() => visitors.leave());
  afterAll(async () => {
    await app.stop();
  });

  test("ask for it, go back to it with what was filled in, and make the account by a link", async () => {
    const page = await visitors.open("/ui/registration");
    const address = freshEmail();
    await page.fill(email, address);
    expect(await page.isVisible(password)).toBe(false);
    await page.click("[data-step='profile']");
    await appears(page, password);
    await page.click("[data-step='back']");
    await appears(page, "[data-step='profile']");
    expect(await page.inputValue(email)).toBe(address);
    await page.click("[data-step='profile']");
    await page.click("[data-step='sendLink']");
    await appears(page, "text=We've sent a link to ");

    const { url = "" } = (await app.messages(address)).at(-1) ?? {};
    const elsewhere = await visitors.open(url.slice(app.publicUrl.length), { locale: "de-CH" });
    await appears(elsewhere, "text=Mit „Weiter“ erstellen Sie");
    expect(elsewhere.url()).not.toContain("link=");
    await elsewhere.click("[data-step='confirmLink']");
    await elsewhere.waitForURL("**/ui/sessions");
    await appears(elsewhere, `text=Angemeldet als ${address}.`);
  });

  test("go on with the first form when the second one was open too long, with what it held", async () => {
    const page = await visitors.open("/ui/registration");
    const address = freshEmail();
    await page.fill(email, address);
    await page.click("[data-step='profile']");
    await page.fill(password, goodPassword);
    app.clock.advance(2 * 60 * 60 * 1000);
    await page.click("[data-step='password']");
    await appears(page, "text=open for too long");
    expect(await page.inputValue(email)).toBe(address);
    await page.click("[data-step='profile']");
    await page.fill(password, goodPassword);
    await page.click("[data-step='password']");
    await page.waitForURL("**/ui/verification#flow=*");
  });
});

describe.skipIf(!chromiumInstalled)("the self-service pages of a server that asks step by step", () => {
  let app: TestApp;
  let visitors: Visitors;

  beforeAll(async () => {
    const flows = { login: { style: "identifier_first" } };
    const identity = { schemas: personSchemas };
    app = await startTestApp({ config: { tenant_defaults: { flows, identity, enumeration_safe: false } } });
    visitors = await Visitors.of(app.publicUrl);
  });
  afterEach(() => visitors.leave());
  afterAll(async () => {
    await app.stop();
  });

  test("ask who signs in, then for the password, and go back with the name filled in", async () => {
    const { name, email: address } = await createPerson(app);
    const page = await visitors.open("/ui/login");
    await page.fill(identifier, "nobody-at-all");
    await page.click(submit);
    await appears(page, "text=This account doesn't exist");
    await settled(page);
    await page.fill(identifier, name);
    await page.press(identifier, "Enter");
    await appears(page, `text=Signing in as ${name}.`);
    // Whoever uses the keyboard types on.
    await expect.poll(() => focused(page)).toBe("password.password");
    // Where programs that keep passwords look for it, out of everybody else's sight.
    expect(await page.getAttribute(identifier, "type")).toBe("text");
    expect(await page.getAttribute(identifier, "autocomplete")).toBe("username");
    expect([await page.inputValue(identifier), await page.isVisible(identifier)]).toEqual([name, false]);
    await page.click("[data-step='back']");
    await appears(page, "[data-step='identify']");
    expect([await page.inputValue(identifier), await page.isVisible(identifier)]).toEqual([name, true]);
    await page.fill(identifier, address);
    await page.click(submit);
    await appears(page, `text=Signing in as ${address}.`);
    await page.reload();
    await page.fill(password, "not the password");
    await page.press(password, "Enter");
    await appears(page, "[role='alert'] [data-kind='error']");
    await page.fill(password, goodPassword);
    await page.click(submit);
    await page.waitForURL("**/ui/sessions");
  });

  test("ask where to send the code of a recovery, without showing the addresses", async () => {
    const { name, spare } = await createPerson(app);
    const page = await visitors.open("/ui/recovery");
    await page.fill("[name='address']", name);
    await page.click(submit);
    const choice = "[name='sendCode.addressId']";
    await appears(page, choice);
    const offered = await page.locator(`${choice} option`).allTextContents();
    expect(offered.slice(1)).toEqual(["p****@example.com", "s****@example.com"]);
    await page.selectOption(choice, { label: "s****@example.com" });
    await page.click("[data-step='sendCode']");
    await appears(page, "[name='code.code']");
    await page.fill("[name='code.code']", (await app.messages(spare)).at(-1)?.code ?? "");
    await page.click(submit);
    await page.waitForURL("**/ui/settings*");
  });
});

describe.skipIf(!chromiumInstalled)("the self-service pages of a server that is closed to new people", () => {
  test("say so, and a page of another site that they are sent to must be on the list", async () => {
    const closed = await startTestApp({
      config: {
        tenant_defaults: {
          branding: { name: "Acme" },
          flows: { registration: { mode: "closed" }, recovery: { enabled: false } },
          allowed_return_urls: ["https://app.example.com/welcome"],
        },
      },
    });
    const context = await (await openChromium()).newContext({ locale: "en-GB" });
    try {
      const page = await context.newPage();
      await page.goto(`${closed.publicUrl}/ui/registration`);
      await appears(page, "text=Sign-up is currently closed.");
      // Security rule (SR-FLOW-9): the server's list decides where anybody is sent, not the link.
      await page.goto(`${closed.publicUrl}/ui/login?return_to=https://evil.example/`);
      await appears(page, "text=isn't set up to return to that address");
      await page.goto(`${closed.publicUrl}/ui/login?return_to=https://app.example.com/welcome`);
      await appears(page, identifier);
      // What nobody can do is not offered.
      await appears(page, "text=Acme");
      await expect.poll(() => page.title()).toBe("Sign in · Acme");
      expect(await page.locator("main a").count()).toBe(0);
    } finally {
      await context.close();
      await closed.stop();
    }
  });
});
