import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { contrastOf, nearestReadable } from "./colors.ts";
import { ownPalettes, pairsOf, paletteOf } from "./palette.ts";

const none = { primary: "", onPrimary: "", background: "", text: "" };

describe("contrast", () => {
  // https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio: black on white has the most there is; #767676 is the lightest grey that is text.
  test.each([
    ["#000000", "#ffffff", 21],
    ["#ffffff", "#ffffff", 1],
    ["#767676", "#ffffff", 4.54],
    ["#777777", "#ffffff", 4.47],
    ["#ff0000", "#ffffff", 3.99],
  ])("of %s and %s is %d", (first, second, expected) => {
    expect(contrastOf(first, second)).toBeCloseTo(expected, 1);
    expect(contrastOf(second, first)).toBe(contrastOf(first, second));
  });

  test("is reached by the nearest colour, and by none where there cannot be one", () => {
    const found = nearestReadable("#ffcc00", ["#ffffff"], 4.5) ?? "";
    expect(contrastOf(found, "#ffffff")).toBeGreaterThanOrEqual(4.5);
    expect(contrastOf(found, "#ffffff")).toBeLessThan(5);
    expect(nearestReadable("#1a56db", ["#ffffff"], 4.5)).toBe("#1a56db");
    expect(nearestReadable("#808080", ["#ffffff", "#000000"], 4.6)).toBeUndefined();
  });
});

describe("the colours of the pages", () => {
  test.each(["light", "dark"] as const)("are those of the style sheet, in %s", (scheme) => {
    const [, light = "", dark = ""] =
      /:root \{([^}]*)\}[\s\S]*?dark\) \{\s*:root \{([^}]*)\}/.exec(
        readFileSync("ui/src/style.css", "utf8"),
      ) ?? [];
    const sheet = scheme === "light" ? light : dark;
    for (const [name, color] of Object.entries(ownPalettes[scheme])) {
      const property = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
      expect(sheet).toContain(`--${property}: ${color};`);
    }
    expect(paletteOf(none, scheme)).toEqual(ownPalettes[scheme]);
  });

  test.each([
    ["light", none],
    ["dark", none],
    ["light", { ...none, primary: "#1a56db" }],
    ["dark", { ...none, primary: "#8cb4ff", onPrimary: "#0c1f27" }],
    ["light", { ...none, background: "#fff7e8", text: "#2a2118", primary: "#8a3b00" }],
    ["dark", { ...none, background: "#101418", text: "#f0f0f0", primary: "#ffb074", onPrimary: "#201000" }],
    // A brand that is dark on light screens as well.
    ["light", { ...none, background: "#15202b", text: "#f7f9f9", primary: "#6cc1ff", onPrimary: "#0b1620" }],
  ] as const)("can be read, in %s with %o", (scheme, colors) => {
    const palette = paletteOf(colors, scheme);
    for (const { color, on, ratio } of pairsOf(palette)) {
      expect(contrastOf(color, on)).toBeGreaterThanOrEqual(ratio);
    }
    // What follows from them is read as well.
    expect(contrastOf(palette.quiet, palette.soft)).toBeGreaterThanOrEqual(4.5);
    expect(contrastOf(palette.accentStrong, palette.card)).toBeGreaterThanOrEqual(4.5);
    expect(contrastOf(palette.onAccent, palette.accentStrong)).toBeGreaterThanOrEqual(4.5);
    expect(contrastOf(palette.edge, palette.card)).toBeGreaterThanOrEqual(3);
  });
});
