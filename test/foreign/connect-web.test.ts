import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { build } from "vite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freshEmail } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { chromiumInstalled, openChromium } from "../support/chromium.ts";

/** The page's script, bundled as an application would bundle it. */
async function bundlePage(): Promise<string> {
  const result = await build({
    configFile: false,
    logLevel: "silent",
    build: {
      write: false,
      minify: false,
      lib: { entry: "test/foreign/clients/page.ts", formats: ["iife"], name: "page" },
    },
  });
  const [output] = Array.isArray(result) ? result : [result];
  if (output === undefined || !("output" in output)) throw new Error("the page could not be bundled");
  return output.output[0].code;
}

describe.skipIf(!chromiumInstalled)("connect-web in Chromium", () => {
  let app: TestApp;
  let pageUrl: string;
  let close: () => void;

  beforeAll(async () => {
    const script = await bundlePage();
    const server = createServer((_request, response) => {
      response.setHeader("content-type", "text/html");
      response.end(`<!doctype html><title>journey</title><script>${script}</script>`);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    close = () => server.close();
    const { port } = server.address() as AddressInfo;
    pageUrl = `http://127.0.0.1:${port}/`;
    app = await startTestApp({ config: { tenant_defaults: { allowed_origins: [new URL(pageUrl).origin] } } });
  });

  afterAll(async () => {
    close();
    await app.stop();
  });

  test("registers with cookies from an allowed origin, and a page of another origin gets nothing", async () => {
    const context = await (await openChromium()).newContext();
    try {
      const page = await context.newPage();
      await page.goto(pageUrl);
      const result = await page.evaluate(
        ([url, email]) =>
          (
            window as unknown as { page: { journey: (url: string, email: string) => Promise<object> } }
          ).page.journey(url, email),
        [app.localUrl, freshEmail()] as const,
      );
      expect(result).toEqual({
        registered: "completed",
        current: true,
        script: "",
        ended: "SESSION_CREDENTIAL_MISSING",
      });

      const foreign = await context.newPage();
      // The same page at another origin: localhost is not 127.0.0.1.
      await foreign.goto(pageUrl.replace("127.0.0.1", "localhost"));
      const refused = await foreign.evaluate(
        (url) => (window as unknown as { page: { peek: (url: string) => Promise<string> } }).page.peek(url),
        app.localUrl,
      );
      expect(refused).toBe("refused by the browser");
    } finally {
      await context.close();
    }
  });
});
