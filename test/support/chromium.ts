import { type Browser, chromium, type Page } from "playwright-core";
import { foreignClientsRequired, isInstalled } from "./foreign.ts";

/** Two packages of Debian with one engine. The one without windows is preferred: a page costs it a quarter of the CPU time. */
const programs = ["/usr/bin/chromium-headless-shell", "/usr/bin/chromium"];

const executablePath = await findChromium();

/** Whether there is a browser to test with. */
export const chromiumInstalled = executablePath !== undefined;

let started: Promise<Browser> | undefined;

/**
 * Debian's Chromium, without a screen and without its own errands on the network. All names below `.test` are loopback
 * to it. One for all files of a worker, which ends with it: tests close their contexts and leave the browser open.
 */
export function openChromium(): Promise<Browser> {
  started ??= chromium.launch({
    ...(executablePath === undefined ? {} : { executablePath }),
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--host-resolver-rules=MAP *.test 127.0.0.1",
    ],
  });
  return started;
}

/**
 * Waits until the first element of a selector is shown. `waitForSelector` does the same and hands the element back, for which
 * Playwright loads a third of a megabyte of script into each page.
 */
export function appears(page: Page, selector: string): Promise<void> {
  return page.locator(selector).first().waitFor();
}

async function findChromium(): Promise<string | undefined> {
  const { OSTIARY_TEST_CHROMIUM: named } = process.env;
  const candidates = named === undefined ? programs : [named];
  for (const program of candidates) {
    if (await isInstalled(program, ["--version"], { required: false })) return program;
  }
  if (foreignClientsRequired) throw new Error(`Chromium is needed; it is none of ${candidates.join(", ")}`);
  return undefined;
}
