import type { BrowserContextOptions, Page } from "playwright-core";
import { createPreview, startPreview } from "../../src/app-preview.ts";
import { loadConfig } from "../../src/config/load-config.ts";
import type { PreviewState } from "../../src/preview/preview-state.ts";
import { appears, openChromium } from "./chromium.ts";

const config = loadConfig({ environment: {}, flags: {} });

/** The states of the preview with nothing configured, and what draws them. */
export async function previewOfNothing() {
  return (await createPreview({ config, port: 0 })).preview;
}

/** The preview with nothing configured, served at any free port. */
export async function servePreviewOfNothing(): Promise<{ url: string; stop(): Promise<void> }> {
  const { port, stop } = await startPreview({ config, port: 0 });
  return { url: `http://localhost:${port}`, stop };
}

/** Longer than a page waits before it asks who is signed in: see ui/src/visitor.ts. */
const afterThePageMs = 1000;

/** One browser window, in which states are opened one after the other. */
export class PreviewWindow {
  readonly #url: string;
  readonly #underWay = new Set<object>();
  readonly page: Page;
  /** What the browser said of the pages, with the name of the state. */
  readonly complaints: string[] = [];
  #state = "";
  #hasUsualSettings = false;

  private constructor(url: string, page: Page) {
    this.#url = url;
    this.page = page;
    const done = (request: object) => this.#underWay.delete(request);
    page.on("request", (request) => this.#underWay.add(request));
    page.on("requestfinished", done);
    page.on("requestfailed", done);
    page.on("pageerror", ({ message }) => this.complaints.push(`${this.#state}: ${message}`));
    page.on("console", (message) => {
      // What Chromium recommends of forms comes as a remark of lower level.
      const isSerious = ["error", "warning"].includes(message.type()) || message.text().startsWith("[DOM]");
      if (isSerious) this.complaints.push(`${this.#state}: ${message.text()}`);
    });
  }

  static async open(url: string, options: BrowserContextOptions = {}): Promise<PreviewWindow> {
    const browser = await openChromium();
    const usual = { locale: "en-GB", reducedMotion: "reduce" } as const;
    const context = await browser.newContext({ ...usual, ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(10_000);
    await page.clock.install();
    return new PreviewWindow(url, page);
  }

  /**
   * Opens a state, and waits until all that it asks for is there and drawn. Within the pages that are loaded already, as a link does,
   * which takes a tenth of the time; but for a state with settings of its own, which are asked for once.
   */
  async show({ name, shows }: PreviewState): Promise<void> {
    const { page } = this;
    this.#state = name;
    const hasSettings = shows.kind === "flow" && (await shows.flow()).settings !== undefined;
    if (hasSettings || !this.#hasUsualSettings) await page.goto(`${this.#url}/preview/${name}`);
    else {
      // The cookie of the answer is kept for the page.
      const answer = await page.context().request.get(`${this.#url}/preview/${name}`, { maxRedirects: 0 });
      await page.evaluate(
        async ([nowhere, address]) => {
          for (const each of [nowhere, address]) {
            window.history.pushState(null, "", each);
            window.dispatchEvent(new PopStateEvent("popstate"));
            // Drawn in between, so that the page begins anew also where only the flow is another one.
            await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
          }
        },
        ["/ui/nowhere", answer.headers().location ?? ""] as const,
      );
    }
    this.#hasUsualSettings = !hasSettings;
    await appears(page, shows.kind === "flow" ? "main form" : "main h1");
    await drawn(page);
    // The header of a page asks who is signed in a little later, and then says so. The clock is right again after that.
    await page.clock.fastForward(afterThePageMs);
    await page.clock.setSystemTime(Date.now());
    do {
      await drawn(page);
    } while (this.#underWay.size > 0);
  }

  close(): Promise<void> {
    return this.page.context().close();
  }
}

function drawn(page: Page): Promise<void> {
  return page.evaluate(
    () =>
      new Promise<void>((resolve) => {
        requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(resolve)));
      }),
  );
}
