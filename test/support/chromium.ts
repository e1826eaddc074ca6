import { type Browser, chromium } from "playwright-core";
import { isInstalled } from "./foreign.ts";

const executablePath = process.env.OSTIARY_TEST_CHROMIUM ?? "/usr/bin/chromium";

/** Whether there is a browser to test with. */
export const chromiumInstalled = await isInstalled(executablePath, ["--version"]);

/**
 * Starts Debian's Chromium, without a screen and without its own errands on the network. All names below `.test` are
 * loopback to it.
 */
export function launchChromium(): Promise<Browser> {
  return chromium.launch({
    executablePath,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--host-resolver-rules=MAP *.test 127.0.0.1",
    ],
  });
}
