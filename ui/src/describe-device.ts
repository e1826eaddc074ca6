import { fillIn } from "@ostiary/sdk/form";
import type { SessionWords } from "./language/words.ts";

/** A browser and its system in words, as far as its User-Agent header tells. */
export function describeDevice(userAgent: string, words: SessionWords): string {
  const browser = nameOf(userAgent, browsers);
  const system = nameOf(userAgent, systems);
  if (browser !== undefined && system !== undefined) {
    return fillIn(words.browserOn, { browser, system }) ?? browser;
  }
  // A program calls itself by its first word: curl/8.5.0.
  const [program = ""] = userAgent.split(/[\s/]/);
  return browser ?? system ?? (program === "" ? words.unknownDevice : program);
}

type Names = readonly (readonly [pattern: RegExp, name: string])[];

// In this order: each browser also names those that it wants to be taken for.
const browsers: Names = [
  [/\bEdgA?\//, "Edge"],
  [/\bOPR\//, "Opera"],
  [/\bFirefox\/|\bFxiOS\//, "Firefox"],
  [/\bChrome\/|\bCriOS\/|\bHeadlessChrome\//, "Chrome"],
  [/\bSafari\//, "Safari"],
];

const systems: Names = [
  [/\biPhone\b|\biPad\b/, "iOS"],
  [/\bAndroid\b/, "Android"],
  [/\bWindows\b/, "Windows"],
  [/\bMac OS X\b/, "macOS"],
  [/\bCrOS\b/, "ChromeOS"],
  [/\bLinux\b/, "Linux"],
];

function nameOf(userAgent: string, names: Names): string | undefined {
  return names.find(([pattern]) => pattern.test(userAgent))?.[1];
}
