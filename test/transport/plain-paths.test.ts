import { type IncomingHttpHeaders, request } from "node:http";
import { connect } from "node:http2";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestApp, type TestApp } from "../support/app.ts";
import { appears, chromiumInstalled, openChromium } from "../support/chromium.ts";
import { violationsOf } from "../ui/scan.ts";

const browser = { accept: "text/html,application/xhtml+xml,*/*;q=0.8", "accept-language": "de-CH,en;q=0.5" };

let served: TestApp;
let headless: TestApp;
beforeAll(async () => {
  served = await startTestApp({ config: { tenant_defaults: { branding: { name: "Acme & Co" } } } });
  headless = await startTestApp({
    config: {
      server: { ui: { enabled: false } },
      tenant_defaults: {
        branding: {
          name: "Acme <b>",
          favicon_url: "https://cdn.example.com/icon.png",
          terms_url: "https://example.com/terms?a=1&b=2",
          support_email: "help@example.com",
        },
        flows: {
          login: { ui_url: "https://app.example.com/sign-in" },
          settings: { ui_url: "https://app.example.com/me?tab=password" },
        },
      },
    },
    databaseUrl: served.databaseUrl,
  });
});
afterAll(async () => {
  await headless.stop();
  await served.stop();
});

interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Asks with exactly this path, which `fetch` would make another one of. */
function ask(
  app: TestApp,
  path: string,
  headers: Record<string, string> = {},
  method = "GET",
): Promise<Answer> {
  const { port, host } = new URL(app.publicUrl);
  return new Promise((resolve, reject) => {
    request({ host: "127.0.0.1", port, path, method, headers: { host, ...headers } }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        body += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, body }));
    })
      .on("error", reject)
      .end();
  });
}

const typedError = {
  status: 404,
  headers: expect.objectContaining({ "content-type": "application/json" }),
  body: expect.stringContaining('"reason":"METHOD_UNKNOWN"'),
};

describe("a browser", () => {
  test.each([
    ["/", "/ui/"],
    ["/ui/login/", "/ui/login"],
    ["/ui/login//", "/ui/login"],
    [
      "/ui/login/?return_to=https%3A%2F%2Fapp.example.com&x=1",
      "/ui/login?return_to=https%3A%2F%2Fapp.example.com&x=1",
    ],
    ["/mailbox/", "/mailbox"],
  ])("at %s is led to %s", async (path, location) => {
    for (const method of ["GET", "HEAD"]) {
      const answer = await ask(served, path, browser, method);
      expect([answer.status, answer.headers.location]).toEqual([307, location]);
    }
  });

  // Security rule (SR-PAGES-7): `//host` is another host to a browser.
  test.each([
    "//evil.example/",
    "//evil.example//",
    "/\\evil.example/",
    "//evil.example/ui/login/",
    "/ui/login/%2F%2Fevil.example/",
    "/ui/%0d%0aset-cookie:a=b/",
    "//",
    "/ui//login/",
  ])("at %s is led nowhere, and told nothing of its address", async (path) => {
    for (const app of [served, headless]) {
      const answer = await ask(app, path, browser);
      expect(answer.status).toBe(404);
      expect(answer.headers).not.toHaveProperty("location");
      expect(answer.headers).not.toHaveProperty("set-cookie");
      expect(answer.body).not.toContain("evil");
    }
  });

  test.each(["/ui/nothing", "/ui/login/nothing", "/ui/not-found"])(
    "at %s gets the page that says so, with 404",
    async (path) => {
      const answer = await ask(served, `${path}?secret=1`, browser);
      expect(answer.status).toBe(404);
      expect(answer.headers["content-type"]).toBe("text/html; charset=utf-8");
      expect(answer.headers["content-security-policy"]).toContain("script-src 'self'");
      expect(answer.body).toContain('<div id="app">');
      expect(answer.body).not.toContain("secret");
      // Nothing keeps it: the page may be there in the next release.
      expect(answer.headers["cache-control"]).toBe("no-store");
      const known = await ask(served, path, { ...browser, "if-none-match": String(answer.headers.etag) });
      expect(known.status).toBe(404);
      expect((await ask(served, path, browser, "HEAD")).body).toBe("");
    },
  );

  test.each([
    ["/nothing", 404, "Seite nicht gefunden"],
    ["/ui/login", 404, "Seite nicht gefunden"],
    ["/", 200, "Anmeldeserver von Acme &lt;b&gt;"],
  ])(
    "at %s of a server without pages gets a small one (%d), in its language",
    async (path, status, heading) => {
      const answer = await ask(headless, path, browser);
      expect(answer.status).toBe(status);
      expect(answer.headers["content-language"]).toBe("de");
      expect(answer.headers["content-security-policy"]).toMatch(
        /^default-src 'none'; style-src 'sha256-\S+'; base-uri/,
      );
      expect(answer.body).toContain(`<h1>${heading}</h1>`);
      expect(answer.body).toContain('href="https://example.com/terms?a=1&amp;b=2"');
      expect(answer.body).toContain('href="mailto:help@example.com"');
      const { body } = await ask(headless, path, { accept: "text/html" });
      expect(body).toContain('<html lang="en">');
      expect((await ask(headless, path, browser, "HEAD")).status).toBe(status);
    },
  );

  test("at / of a server without pages is led on to the login that is configured", async () => {
    expect((await ask(headless, "/", browser)).body).toContain(
      '<a href="https://app.example.com/sign-in">Anmelden</a>',
    );
  });
});

describe("a client", () => {
  test.each(["/", "/nothing", "/ui/nothing", "/ui/login/", "/ui/assets/none.js", "//evil.example/"])(
    "at %s gets the typed error",
    async (path) => {
      for (const accept of [undefined, "*/*", "application/json"]) {
        const headers: Record<string, string> = accept === undefined ? {} : { accept };
        expect(await ask(served, path, headers)).toEqual(typedError);
      }
    },
  );

  test.each(["POST", "PUT", "DELETE"])("gets it for %s, whatever it accepts", async (method) => {
    expect(await ask(served, "/nothing", { ...browser, "content-length": "0" }, method)).toEqual(typedError);
  });

  test("gets it from the admin listener, whatever it accepts", async () => {
    const answer = await fetch(`${served.adminUrl}/`, { headers: browser });
    expect([answer.status, answer.headers.get("content-type")]).toEqual([404, "application/json"]);
  });

  test("and a browser get the same over HTTP/2", async () => {
    const session = connect(served.localUrl);
    const statusOf = (headers: Record<string, string>) =>
      new Promise((resolve, reject) => {
        const stream = session.request({ ":path": "/ui/nothing", ...headers });
        stream.on("response", (answer) => resolve([answer[":status"], answer["content-type"]]));
        stream.on("error", reject).resume();
      });
    const { host } = new URL(served.publicUrl);
    expect(await statusOf({ ...browser, ":authority": host })).toEqual([404, "text/html; charset=utf-8"]);
    expect(await statusOf({})).toEqual([404, "application/json"]);
    session.close();
  });
});

describe("paths that browsers ask for by themselves", () => {
  test.each<[string, () => TestApp, string]>([
    ["/.well-known/change-password", () => served, "/ui/settings"],
    ["/.well-known/change-password", () => headless, "https://app.example.com/me?tab=password"],
    ["/favicon.ico", () => served, "/ui/icon.svg"],
    ["/favicon.ico", () => headless, "https://cdn.example.com/icon.png"],
  ])("%s leads to what is configured", async (path, app, location) => {
    const target = location.startsWith("/ui/settings") ? served.publicUrl + location : location;
    for (const method of ["GET", "HEAD"]) {
      const answer = await ask(app(), `${path}?to=//evil.example`, {}, method);
      expect([answer.status, answer.headers.location]).toEqual([302, target]);
    }
  });

  test("a server without a page to change the password says so, as the specification wants it", async () => {
    const bare = await startTestApp({
      config: { server: { ui: { enabled: false } } },
      databaseUrl: served.databaseUrl,
    });
    try {
      for (const path of ["/.well-known/change-password", "/favicon.ico"]) {
        expect(await ask(bare, path)).toEqual(typedError);
      }
    } finally {
      await bare.stop();
    }
  });
});

describe.skipIf(!chromiumInstalled)("in Chromium", () => {
  test.each(["light", "dark"] as const)(
    "pages that are not there can be read and left, in %s",
    async (colorScheme) => {
      const context = await (await openChromium()).newContext({
        colorScheme,
        viewport: { width: 320, height: 640 },
      });
      const page = await context.newPage();
      for (const [url, mark] of [
        [`${served.publicUrl}/ui/nothing`, "main a[href='/ui/']"],
        [`${served.publicUrl}/nothing`, "main a[href='/']"],
        [`${headless.publicUrl}/`, "main a[href^='https']"],
      ] as const) {
        await page.goto(url);
        await appears(page, mark);
        expect(await violationsOf(page), url).toEqual([]);
      }
      await page.goto(`${served.publicUrl}/nothing`);
      await page.click("main a");
      await page.waitForURL("**/ui/login*");
      await context.close();
    },
  );
});
