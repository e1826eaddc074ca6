import type { CallOrigin } from "./event.ts";

/**
 * The device of a call in words for a message: browser and system, where they are known, and the IP address. The User-Agent header is
 * never quoted, so that nobody can have words of their own delivered by it.
 */
export function deviceName({
  userAgent = "",
  ipAddress = "",
}: Pick<CallOrigin, "userAgent" | "ipAddress">): string {
  const known = [browsers, systems].flatMap(
    (names) => names.find(([pattern]) => pattern.test(userAgent))?.[1] ?? [],
  );
  return [...known, ipAddress].filter((part) => part !== "").join(", ") || "?";
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
