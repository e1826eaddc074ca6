import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { loadConfig } from "./load-config.ts";
import { ConfigError } from "./problems.ts";

const directory = mkdtempSync(join(tmpdir(), "ostiary-branding-"));
afterAll(() => rmSync(directory, { recursive: true }));

function load(branding: object) {
  writeFileSync(join(directory, "ostiary.yaml"), stringify({ tenant_defaults: { branding } }));
  return loadConfig({ file: "ostiary.yaml", workingDirectory: directory, environment: {}, flags: {} });
}

function problemsOf(branding: object): readonly string[] {
  try {
    load(branding);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

/** As it stands in the file: the branding begins in line 3. */
const at = (key: string, line: number) => `tenant_defaults.branding.${key} (ostiary.yaml:${line}): `;

describe("the colours of a brand", () => {
  test("are refused with key, line, the measured contrast and a colour that can be read, if links cannot be", () => {
    expect(problemsOf({ name: "Acme", colors: { primary: "#ffcc00", on_primary: "#000000" } })).toEqual([
      `${at("colors.primary", 5)}links on the page cannot be read: #ffcc00 on #f6f6f3 has a contrast of 1.39 to 1, ` +
        'and WCAG 2.2 AA asks for 4.5; set primary to "#856a00", for example',
    ]);
  });

  test.each<[string, object, string, RegExp]>([
    [
      "the text on the primary colour, by the primary colour if nothing else is set",
      { colors: { primary: "#757575" }, dark_colors: { primary: "#101418" } },
      at("dark_colors.primary", 6),
      /^the text on primary cannot be read: #0c1f27 on #101418 .*; set on_primary to "#[0-9a-f]{6}"/,
    ],
    [
      "the text on the primary colour",
      { colors: { primary: "#1a56db", on_primary: "#1a1a1a" } },
      at("colors.on_primary", 5),
      /^the text on primary cannot be read: #1a1a1a on #1a56db has a contrast of 2.8\d to 1, .* 4.5; set on_primary/,
    ],
    [
      "text on the background",
      { colors: { background: "#ffffff", text: "#999999" } },
      at("colors.text", 5),
      /^text cannot be read: #999999 on #ffffff has a contrast of 2.84 to 1.*; set text to/,
    ],
    [
      "a colour of light pages that dark ones take over",
      { colors: { primary: "#1a56db" }, dark_colors: { text: "#ffffff" } },
      at("colors.primary", 4),
      /^links on the page cannot be read: #1a56db on #1b1f23 .*; set dark_colors.primary to/,
    ],
    [
      "a background on which errors cannot be read",
      { colors: { background: "#7f9a80", text: "#000000", primary: "#000000" } },
      at("colors.background", 4),
      /^the pages show errors and successes in red and green, which cannot be read on it: #/,
    ],
  ])("are refused: %s", (_, branding, place, message) => {
    const problems = problemsOf(branding).filter((problem) => problem.startsWith(place));
    expect(problems.map((problem) => problem.slice(place.length))).toEqual(
      expect.arrayContaining([expect.stringMatching(message)]),
    );
  });

  test("that can be read are taken", () => {
    const colors = { primary: "#1a56db", on_primary: "#ffffff" };
    expect(problemsOf({ colors, dark_colors: { primary: "#8cb4ff", on_primary: "#0c1f27" } })).toEqual([]);
  });

  test("are missed in dark, with one that can be read there", () => {
    expect(load({ colors: { primary: "#1a56db" } }).warnings).toContainEqual(
      expect.stringMatching(
        /branding.colors.primary \(ostiary.yaml:4\): is not used where .* primary: "#\w{6}"$/,
      ),
    );
    expect(
      load({ colors: { primary: "#1a56db" }, dark_colors: { primary: "#8cb4ff" } }).warnings.join(),
    ).not.toContain("branding");
  });
});

test("a picture is a file or a URL", () => {
  expect(problemsOf({ logo_file: "logo.svg", logo_url: "/logo.svg" })).toContain(
    `${at("logo_file", 3)}cannot be set beside logo_url`,
  );
});
