import type { BrandColors } from "../domain/tenant/branding.ts";
import { contrastOf } from "../domain/tenant/colors.ts";
import {
  brandColorsIn,
  type ColorPair,
  type Palette,
  pairsOf,
  paletteOf,
  remedyFor,
  type Scheme,
} from "../domain/tenant/palette.ts";
import { checkShown } from "./check-urls.ts";
import type { CompleteConfig } from "./complete-config.ts";
import { type Problem, problemIf } from "./problems.ts";

const prefix = "tenant_defaults.branding";

type Branding = CompleteConfig["tenantDefaults"]["branding"];

/** Checks the branding, which pages show: its URLs, its colours, and whether people can read what they make. */
export function checkBranding({ tenantDefaults: { branding } }: CompleteConfig): Problem[] {
  const addresses = {
    logo_url: branding.logoUrl,
    logo_dark_url: branding.logoDarkUrl,
    favicon_url: branding.faviconUrl,
    terms_url: branding.termsUrl,
    privacy_url: branding.privacyUrl,
    support_url: branding.supportUrl,
  };
  const files = {
    logo: [branding.logoFile, branding.logoUrl],
    logo_dark: [branding.logoDarkFile, branding.logoDarkUrl],
    favicon: [branding.faviconFile, branding.faviconUrl],
  };
  const colors = [
    ...colorKeysOf("colors", branding.colors),
    ...colorKeysOf("dark_colors", branding.darkColors),
  ]
    .filter(([, color]) => color !== "")
    .flatMap(([key, color]) => checkColor(key, color));
  return [
    ...Object.entries(addresses).flatMap(([name, text]) => checkShown(`${prefix}.${name}`, text)),
    ...Object.entries(files).flatMap(([name, [file, url]]) =>
      problemIf(file !== "" && url !== "", `${prefix}.${name}_file`, `cannot be set beside ${name}_url`),
    ),
    ...colors,
    // Colours that are none have no contrast.
    ...(colors.length > 0 ? [] : [...checkContrast(branding, "light"), ...checkContrast(branding, "dark")]),
  ];
}

/** A warning where pages have colours of the branding in light, and none in dark. */
export function checkDarkColors({ tenantDefaults: { branding } }: CompleteConfig): Problem[] {
  const { primary } = branding.colors;
  const isSet = Object.values(colorsOf(branding.darkColors)).some((color) => color !== "");
  if (primary === "" || isSet) return [];
  const palette = paletteOf({ ...noColors, primary }, "dark");
  const pair = pairsOf(palette).find(({ role }) => role === "primary");
  const remedy = pair && remedyFor(pair, palette);
  const example = remedy === undefined ? "" : `; for example primary: "${remedy}"`;
  return [
    {
      key: `${prefix}.colors.primary`,
      message: `is not used where browsers show dark pages, because dark_colors is not set${example}`,
    },
  ];
}

const noColors: BrandColors = { primary: "", onPrimary: "", background: "", text: "" };

const names: Readonly<Record<keyof BrandColors, string>> = {
  primary: "primary",
  onPrimary: "on_primary",
  background: "background",
  text: "text",
};

function colorKeysOf(section: string, colors: Branding["colors"]): readonly (readonly [string, string])[] {
  return Object.entries(colorsOf(colors)).map(([name, color]) => [
    `${prefix}.${section}.${names[name as keyof BrandColors]}`,
    color,
  ]);
}

function colorsOf({ primary, onPrimary, background, text }: Branding["colors"]): BrandColors {
  return { primary, onPrimary, background, text };
}

/** Security rule (SR-PAGES-3): pages put colours into style sheets, so nothing but a colour is allowed. */
function checkColor(key: string, color: string): Problem[] {
  const message = 'must be a colour such as "#1a56db": # and six hexadecimal digits, in quotes';
  return problemIf(!/^#[0-9a-f]{6}$/i.test(color), key, message);
}

/** Whether the pages can be read in a scheme, by the worst pair of each kind. */
function checkContrast(branding: Branding, scheme: Scheme): Problem[] {
  const { colors, darkColors } = branding;
  const counting = brandColorsIn({ colors: colorsOf(colors), darkColors: colorsOf(darkColors) }, scheme);
  if (Object.values(counting).every((color) => color === "")) return [];
  const palette = paletteOf(counting, scheme);
  const worst = new Map<string, ColorPair>();
  for (const pair of pairsOf(palette)) {
    const kind = `${pair.role} ${pair.ground}`;
    const known = worst.get(kind);
    if (contrastOf(pair.color, pair.on) >= pair.ratio) continue;
    if (known === undefined || contrastOf(pair.color, pair.on) < contrastOf(known.color, known.on)) {
      worst.set(kind, pair);
    }
  }
  // What cannot be read on the page cannot be read on its notices either: said once.
  if (worst.has("text page")) worst.delete("text notice");
  return [...worst.values()].map((pair) => toProblem(pair, palette, branding, scheme));
}

function toProblem(pair: ColorPair, palette: Palette, branding: Branding, scheme: Scheme): Problem {
  const { role, color, on, ratio, ground } = pair;
  const measured = Math.floor(contrastOf(color, on) * 100) / 100;
  const said = `${color} on ${on} has a contrast of ${measured} to 1, and WCAG 2.2 AA asks for ${ratio}`;
  const { key, isOwn } = keyOf(pair, branding, scheme);
  if (role === "background") {
    return {
      key,
      message: `the pages show errors and successes in red and green, which cannot be read on it: ${said}`,
    };
  }
  const remedy = remedyFor(pair, palette);
  const what = { onPrimary: "the text on primary", primary: "links on the page", text: "text" }[role];
  const where = ground === "notice" ? " of a notice" : "";
  const name = scheme === "dark" && !isOwn ? `dark_colors.${names[role]}` : names[role];
  const advice = remedy === undefined ? "choose other colours" : `set ${name} to "${remedy}", for example`;
  return { key, message: `${what}${where} cannot be read: ${said}; ${advice}` };
}

/** The key that the pair comes from: that of the colour itself, else that of what it stands on. */
function keyOf(
  { role, ground }: ColorPair,
  { colors, darkColors }: Branding,
  scheme: Scheme,
): { readonly key: string; readonly isOwn: boolean } {
  const roles: readonly (keyof BrandColors)[] = [
    role,
    ground === "primary" ? "primary" : "background",
    "text",
  ];
  for (const name of roles) {
    const isDark = scheme === "dark" && darkColors[name] !== "";
    if (isDark || colors[name] !== "") {
      const section = isDark ? "dark_colors" : "colors";
      return { key: `${prefix}.${section}.${names[name]}`, isOwn: isDark || scheme === "light" };
    }
  }
  return { key: prefix, isOwn: true };
}
