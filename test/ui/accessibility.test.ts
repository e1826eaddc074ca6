import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { freshEmail, goodPassword, logIn, register } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { appears, chromiumInstalled } from "../support/chromium.ts";
import { createPerson, personSchemas } from "../support/person.ts";
import { overflowOf, violationsOf } from "./scan.ts";
import { another, email, identifier, password, settled, submit, Visitors } from "./visitors.ts";

describe.skipIf(!chromiumInstalled)("the self-service pages, for everyone,", () => {
  let app: TestApp;
  let visitors: Visitors;

  beforeAll(async () => {
    app = await startTestApp();
    visitors = await Visitors.of(app.publicUrl);
  });
  afterEach(() => visitors.leave());
  afterAll(async () => {
    await app.stop();
  });

  test("can be used with the keyboard alone", async () => {
    const { email: address } = await register(app);
    const page = await visitors.open("/ui/login");
    await appears(page, identifier);
    const order: unknown[] = [];
    for (let count = 0; count < 6; count++) {
      await page.keyboard.press("Tab");
      order.push(
        await page.evaluate(
          () => document.activeElement?.getAttribute("name") ?? document.activeElement?.textContent,
        ),
      );
      if (count === 1) await page.keyboard.type(address);
      if (count === 2) await page.keyboard.type(goodPassword);
      // What has the focus can be seen to have it.
      const outline = await page.evaluate(() => {
        const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement ?? document.body);
        return `${outlineStyle} ${outlineWidth}`;
      });
      expect(outline).toBe("solid 3px");
    }
    expect(order.slice(1)).toEqual([
      "identifier",
      "password.password",
      "Show",
      "Sign in",
      "Send sign-in code",
    ]);
    await page.press(password, "Enter");
    await page.waitForURL("**/ui/sessions");
    await appears(page, ".facts");
    await settled(page);
    await page.focus(".signed-in button");
    await page.keyboard.press("Enter");
    await appears(page, identifier);
  });

  // Each state by itself, in other sizes and colours: preview.test.ts, preview-looks.test.ts.
  test("have no accessibility violations and fit, one after the other, in dark at 320 pixels", async () => {
    const options = { colorScheme: "dark", viewport: { width: 320, height: 640 } } as const;
    const { page, address } = await visitors.register(options);
    await logIn(app, address);
    await page.reload();
    await appears(page, ".list > li");
    expect(await violationsOf(page)).toEqual([]);
    expect(await overflowOf(page)).toBe(0);

    // What each page has, and the one before it has not.
    for (const [path, mark] of [
      ["login", identifier],
      ["registration", email],
      ["logout", "text=Do you want to sign out"],
      ["example-login", "#identifier"],
      ["nothing-here", "text=There is no page"],
    ] as const) {
      // Within the app, since the server itself has no page for the last of them.
      await page.evaluate((to) => {
        window.history.pushState(null, "", `/ui/${to}`);
        window.dispatchEvent(new PopStateEvent("popstate"));
      }, path);
      if (path === "login" || path === "registration") {
        await appears(page, another);
        expect(await violationsOf(page), `${path} while signed in`).toEqual([]);
        expect(await overflowOf(page), `${path} while signed in`).toBe(0);
        await page.click(another);
      }
      await appears(page, mark);
      expect(await violationsOf(page), path).toEqual([]);
      expect(await overflowOf(page), path).toBe(0);
      if (path !== "login" && path !== "registration") continue;
      await page.fill("form input:not([type='hidden']) >> nth=0", "x");
      await page.click(submit);
      await appears(page, "[data-kind='error'], .ostiary-error");
      expect(await violationsOf(page), `${path} with errors`).toEqual([]);
      expect(await overflowOf(page), `${path} with errors`).toBe(0);
    }

    const { email: unclaimed } = await register(app);
    app.clock.advance(1);
    await page.context().clearCookies();
    await page.goto(`${app.publicUrl}/ui/verification`);
    await page.fill("[name='address']", unclaimed);
    await page.click(submit);
    await appears(page, "[name='code.code']");
    await page.fill("[name='code.code']", (await app.messages(unclaimed)).at(-1)?.code ?? "");
    await page.click(submit);
    await appears(page, "[data-step='disown']");
    expect(await violationsOf(page), "whose account it is").toEqual([]);
    expect(await overflowOf(page), "whose account it is").toBe(0);
  });

  test("the accessibility scan would find what is wrong", async () => {
    const page = await visitors.open("/ui/login");
    await appears(page, identifier);
    await page.evaluate(() => document.querySelector("label[for]")?.remove());
    expect((await violationsOf(page)).join()).toContain("label");
  });

  test("do not move about while they load", async () => {
    const page = await visitors.open("/ui/registration", { viewport: { width: 320, height: 480 } });
    await appears(page, email);
    const shift = await page.evaluate(
      () =>
        new Promise<number>((resolve) => {
          const observer = new PerformanceObserver(() => {});
          observer.observe({ type: "layout-shift", buffered: true });
          requestAnimationFrame(() =>
            requestAnimationFrame(() => {
              const entries = observer.takeRecords() as (PerformanceEntry & { value: number })[];
              resolve(entries.reduce((sum, { value }) => sum + value, 0));
            }),
          );
        }),
    );
    expect(shift).toBeLessThan(0.01);
  });
});

describe.skipIf(!chromiumInstalled)(
  "the self-service pages of a server that asks in steps, for everyone,",
  () => {
    let app: TestApp;
    let visitors: Visitors;

    beforeAll(async () => {
      const flows = {
        login: { style: "identifier_first" },
        registration: { style: "profile_first" },
        settings: { account_deletion: { enabled: true } },
      };
      const identity = { schemas: personSchemas };
      app = await startTestApp({ config: { tenant_defaults: { flows, identity, enumeration_safe: false } } });
      visitors = await Visitors.of(app.publicUrl);
    });
    afterEach(() => visitors.leave());
    afterAll(async () => {
      await app.stop();
    });

    test("have no accessibility violations and fit, in dark at 320 pixels", async () => {
      const options = { colorScheme: "dark", viewport: { width: 320, height: 640 } } as const;
      const { name } = await createPerson(app);
      const page = await visitors.open("/ui/registration", options);
      const look = async (what: string, selector: string) => {
        await appears(page, selector);
        expect(await violationsOf(page), what).toEqual([]);
        expect(await overflowOf(page), what).toBe(0);
      };
      await look("the profile", "[data-step='profile']");
      await page.fill(email, freshEmail());
      await page.click("[data-step='profile']");
      await look("how to sign up", password);

      await page.goto(`${app.publicUrl}/ui/recovery`);
      await page.fill("[name='address']", name);
      await page.click(submit);
      await look("the choice of an address", "[name='sendCode.addressId']");

      await page.goto(`${app.publicUrl}/ui/login`);
      await page.fill(identifier, name);
      await page.click(submit);
      await look("how to sign in", password);
      await page.fill(password, goodPassword);
      await page.click(submit);
      await page.waitForURL("**/ui/sessions");
      await page.goto(`${app.publicUrl}/ui/settings`);
      await look("the settings", "[data-step='deleteAccount']");
      await page.click("[data-step='deleteAccount']");
      await look("the question before a deletion", "dialog[open]");
    });
  },
);
