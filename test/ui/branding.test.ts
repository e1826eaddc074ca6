import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FlowService } from "../../gen/ostiary/flow/v1/flow_service_pb.js";
import { startTestApp, type TestApp } from "../support/app.ts";
import { appears, chromiumInstalled } from "../support/chromium.ts";
import { overflowOf, violationsOf } from "./scan.ts";
import { identifier, password, servePages, submit, Visitors } from "./visitors.ts";

const folder = mkdtempSync(join(tmpdir(), "ostiary-brand-"));
const custom = mkdtempSync(join(tmpdir(), "ostiary-custom-"));
const svg = (color: string) =>
  `<svg xmlns="http://www.w3.org/2000/svg" width="120" height="36"><rect width="120" height="36" fill="${color}"/>` +
  "<script>document.documentElement.setAttribute('data-ran', '')</script></svg>";
// One pixel.
const png = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg==",
  "base64",
);

function write(): void {
  writeFileSync(join(folder, "logo.svg"), svg("#a04000"));
  writeFileSync(join(folder, "logo-dark.svg"), svg("#ffb074"));
  writeFileSync(join(folder, "icon.png"), png);
  writeFileSync(join(custom, "style.css"), ".page { border-radius: 33px; }\n");
  writeFileSync(
    join(custom, "texts.en.json"),
    JSON.stringify({ "logout.question": "Leave already?", 4000006: "No such luck. Try <b>again</b>." }),
  );
  writeFileSync(join(custom, "texts.fr.yaml"), '9000200: "Adresse ou nom"\nnotNow: Pas maintenant\n');
}

const config = {
  tenant_defaults: {
    branding: {
      name: "Acme <Ltd>",
      logo_file: join(folder, "logo.svg"),
      logo_dark_file: join(folder, "logo-dark.svg"),
      favicon_file: join(folder, "icon.png"),
      colors: { primary: "#8a3b00", background: "#fff7e8", text: "#2a2118" },
      dark_colors: { primary: "#ffb074", on_primary: "#201000", background: "#151210", text: "#f4efe9" },
      terms_url: "https://example.com/terms",
      privacy_url: "/privacy",
      support_email: "help@example.com",
      custom_directory: custom,
    },
  },
};

let app: TestApp;
let visitors: Visitors;
beforeAll(write);
servePages(config, (served) => {
  ({ app, visitors } = served);
});
afterAll(() => {
  for (const each of [folder, custom]) rmSync(each, { recursive: true });
});

describe.skipIf(!chromiumInstalled)("a brand, on the pages in Chromium,", () => {
  const colorOf = (page: Page, selector: string, property: string) =>
    page.$eval(selector, (element, name) => getComputedStyle(element).getPropertyValue(name), property);

  test.each([
    ["light", "rgb(138, 59, 0)", "rgb(255, 247, 232)", "/branding/logo"],
    ["dark", "rgb(255, 176, 116)", "rgb(21, 18, 16)", "/branding/logo-dark"],
  ] as const)("is seen in %s: logo, colours, title and links", async (colorScheme, accent, paper, logo) => {
    const page = await visitors.open("/ui/login", { colorScheme, viewport: { width: 320, height: 640 } });
    await appears(page, identifier);
    await expect.poll(() => page.title()).toBe("Sign in · Acme <Ltd>");
    expect(await colorOf(page, submit, "background-color")).toBe(accent);
    expect(await colorOf(page, "body", "background-color")).toBe(paper);
    const image = page.locator(".brand img");
    expect(await image.getAttribute("alt")).toBe("Acme <Ltd>");
    await expect
      .poll(() => image.evaluate((element: HTMLImageElement) => new URL(element.currentSrc).pathname))
      .toBe(logo);
    await expect.poll(() => image.evaluate((element: HTMLImageElement) => element.naturalWidth)).toBe(120);
    const links = page.locator("footer a");
    expect(await links.evaluateAll((all) => all.map((each) => each.getAttribute("href")))).toEqual([
      "https://example.com/terms",
      `${app.publicUrl}/privacy`,
      "mailto:help@example.com",
    ]);
    expect(await violationsOf(page)).toEqual([]);
    expect(await overflowOf(page)).toBe(0);
  });

  test("has a style sheet of its own, which counts after that of the pages", async () => {
    const page = await visitors.open("/ui/login");
    await appears(page, identifier);
    expect(await colorOf(page, ".page", "border-top-left-radius")).toBe("33px");
  });

  // Security rule (SR-PAGES-6): markup in a text is text.
  test("has texts of its own, by number and by key, which are never markup", async () => {
    const page = await visitors.open("/ui/login");
    await page.fill(identifier, "nobody@example.com");
    await page.fill(password, "not the password");
    await page.click(submit);
    await appears(page, "text=No such luck. Try <b>again</b>.");
    await page.goto(`${app.publicUrl}/ui/logout`);
    await appears(page, "text=Leave already?");
  });

  test("adds a language by a file; what that lacks is in English", async () => {
    const page = await visitors.open("/ui/login", { locale: "fr-CA" });
    await appears(page, "text=Adresse ou nom");
    await appears(page, "text=Create one");
    expect(await page.getAttribute("html", "lang")).toBe("fr");
    expect(await page.locator("select option:checked").textContent()).toBe("français");
  });

  // Security rule (SR-PAGES-5)
  test("has a logo whose script does not run, also when it is opened by itself", async () => {
    const page = await visitors.open("/ui/login");
    await page.goto(`${app.publicUrl}/branding/logo`);
    expect(await page.evaluate(() => document.documentElement.hasAttribute("data-ran"))).toBe(false);
    // Control: the very same picture runs it elsewhere.
    await page.goto(`data:image/svg+xml,${encodeURIComponent(svg("#a04000"))}`);
    expect(await page.evaluate(() => document.documentElement.hasAttribute("data-ran"))).toBe(true);
    await page.goto(`${app.publicUrl}/ui/login`);
    visitors.forgive(/sandboxed/);
  });

  test("says in development where messages are, and in the favicon what it is", async () => {
    const page = await visitors.open("/ui/login");
    await appears(page, ".development");
    expect(await page.getAttribute(".development a", "href")).toBe(`${app.publicUrl}/mailbox`);
    expect(await page.getAttribute("link[rel=icon]", "href")).toBe(`${app.publicUrl}/branding/favicon`);
  });
});

describe("the files of a brand", () => {
  const get = (path: string, headers: Record<string, string> = {}) =>
    fetch(app.localUrl + path, { headers, redirect: "manual" });

  test.each([
    ["/branding/logo", "image/svg+xml"],
    ["/branding/logo-dark", "image/svg+xml"],
    ["/branding/favicon", "image/png"],
  ])("%s is %s in a sandbox, for pages of any site, kept for five minutes", async (path, type) => {
    const answer = await get(path);
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toBe(type);
    expect(answer.headers.get("content-security-policy")).toBe(
      "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    );
    expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
    expect(answer.headers.get("cross-origin-resource-policy")).toBe("cross-origin");
    expect(answer.headers.get("cache-control")).toBe("public, max-age=300");
    const etag = answer.headers.get("etag") ?? "";
    expect((await get(path, { "if-none-match": etag })).status).toBe(304);
    const head = await fetch(app.localUrl + path, { method: "HEAD" });
    expect([head.status, head.headers.get("etag"), await head.text()]).toEqual([200, etag, ""]);
  });

  test("are named by the pages with their version, and kept for ever by it", async () => {
    const html = await (await get("/ui/login")).text();
    expect(html).toContain("<title>Acme &lt;Ltd&gt;</title>");
    const sheets = [...html.matchAll(/<link rel="stylesheet"[^>]* href="([^"]+)"/g)].map(
      ([, href = ""]) => href,
    );
    expect(sheets.map((href) => href.replace(/\?.*/, "")).slice(-2)).toEqual([
      "/ui/branding.css",
      "/ui/custom.css",
    ]);
    for (const href of sheets.slice(-2)) {
      const answer = await get(href);
      expect(answer.headers.get("content-type")).toBe("text/css; charset=utf-8");
      expect(answer.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
      expect((await get(href.replace(/v=.*/, "v=old"))).headers.get("cache-control")).toBe("no-cache");
    }
  });

  test("leave the policy of the pages as strict as it is (SR-PAGES-1)", async () => {
    const policy = (await get("/ui/login")).headers.get("content-security-policy");
    expect(policy).toContain("; style-src 'self'; img-src 'self' data:; connect-src 'self';");
    expect(await (await get("/ui/login")).text()).not.toMatch(/<style|style=|<script>/);
  });

  test("are in the profile that everybody gets", async () => {
    const { profile } = await app.client(FlowService).getTenantProfile({});
    expect(profile?.branding).toMatchObject({
      logoUrl: `${app.publicUrl}/branding/logo`,
      logoDarkUrl: `${app.publicUrl}/branding/logo-dark`,
      faviconUrl: `${app.publicUrl}/branding/favicon`,
    });
    expect(profile?.mailboxUrl).toBe(`${app.publicUrl}/mailbox`);
  });

  test.each(["constructor", "../../etc/passwd", "", "de"])("have no texts in %j", async (language) => {
    const answer = await get(`/ui/texts.json?${new URLSearchParams({ language })}`);
    expect([answer.status, await answer.text()]).toEqual([200, "{}"]);
  });

  test("are read again by a reload; with a broken one everything stays as it was", async () => {
    const logo = async () => (await get("/branding/logo")).text();
    const style = async () => (await get("/ui/custom.css")).text();
    writeFileSync(join(folder, "logo.svg"), "no picture");
    writeFileSync(join(custom, "style.css"), ".page { color: red; }");
    await expect(app.reload()).rejects.toThrow(
      /branding.logo_file \(.*:\d+\): the file .*logo.svg is no SVG or PNG/,
    );
    expect(await logo()).toContain("#a04000");
    expect(await style()).toContain("33px");
    writeFileSync(join(folder, "logo.svg"), svg("#123456"));
    writeFileSync(join(custom, "texts.de.json"), '{"login.title": "Willkommen"}');
    await app.reload();
    expect(await logo()).toContain("#123456");
    expect(await style()).toContain("red");
    const html = await (await get("/ui/login")).text();
    expect(/<meta name="ostiary-texts" content="([^"]*)"/.exec(html)?.[1]).toMatch(/^de=\S+ en=\S+ fr=\S+$/);
    rmSync(join(custom, "texts.de.json"));
    write();
    await app.reload();
  });
});

describe.skipIf(!chromiumInstalled)("the door", () => {
  test.each([
    ["Ostiary", '""'],
    ["Acme", "none"],
  ])("stands beside the name of %s: %s", async (name, content) => {
    const other = await startTestApp({
      config: { tenant_defaults: { branding: { name } } },
      databaseUrl: app.databaseUrl,
    });
    const visitors = await Visitors.of(other.publicUrl);
    const page = await visitors.open("/ui/login");
    await appears(page, `.brand:text-is("${name}")`);
    expect(await page.$eval(".brand", (brand) => getComputedStyle(brand, "::before").content)).toBe(content);
    await visitors.leave();
    await other.stop();
  });
});

test("a picture from elsewhere is the only one that the pages may load from there (SR-PAGES-1)", async () => {
  const branding = { logo_url: "https://cdn.example.com/a;b,c/logo.svg?x=1", logo_dark_url: "/own.svg" };
  const other = await startTestApp({ config: { tenant_defaults: { branding } } });
  try {
    const policy = (await fetch(`${other.localUrl}/ui/login`)).headers.get("content-security-policy");
    expect(policy).toContain(
      "img-src 'self' data: https://cdn.example.com/a%3Bb%2Cc/logo.svg; connect-src 'self'",
    );
  } finally {
    await other.stop();
  }
});
