import type { BrandColors, Branding } from "./branding.ts";
import { contrastOf, edgeContrast, mix, nearestReadable, textContrast } from "./colors.ts";

/** How a browser shows pages: on light or on dark. */
export type Scheme = "light" | "dark";

/** The colours of the server's own pages, by the names of their custom properties. */
export interface Palette {
  readonly paper: string;
  readonly card: string;
  readonly ink: string;
  readonly quiet: string;
  readonly edge: string;
  readonly line: string;
  readonly accent: string;
  readonly accentStrong: string;
  readonly onAccent: string;
  readonly soft: string;
  readonly danger: string;
  readonly dangerSoft: string;
  readonly success: string;
  readonly successSoft: string;
}

/** The colours of the pages without any branding: those of ui/src/style.css, which src/domain/tenant/palette.test.ts compares. */
export const ownPalettes: Readonly<Record<Scheme, Palette>> = {
  light: {
    ...{ paper: "#f6f6f3", card: "#ffffff", ink: "#1b1f23", quiet: "#565d64", edge: "#7c848b" },
    ...{ line: "#e1e2df", accent: "#1f5c70", accentStrong: "#164656", onAccent: "#ffffff", soft: "#eef3f4" },
    ...{ danger: "#a3211b", dangerSoft: "#fcf0ee", success: "#1c6537", successSoft: "#eef6f0" },
  },
  dark: {
    ...{ paper: "#131619", card: "#1b1f23", ink: "#eceae6", quiet: "#a9b0b7", edge: "#7f8890" },
    ...{ line: "#2d3338", accent: "#8cc7da", accentStrong: "#b0dbe9", onAccent: "#0c1f27", soft: "#232a2f" },
    ...{ danger: "#ff9f96", dangerSoft: "#33211f", success: "#92d7a8", successSoft: "#1d2b22" },
  },
};

/** The colours that count in a scheme, empty where none is configured. In dark, those that are not set are as in light. */
export function brandColorsIn(
  { colors, darkColors }: Pick<Branding, "colors" | "darkColors">,
  scheme: Scheme,
): BrandColors {
  const isUnset = Object.values(darkColors).every((color) => color === "");
  if (scheme === "light") return colors;
  if (isUnset) return darkColors;
  return {
    primary: darkColors.primary || colors.primary,
    onPrimary: darkColors.onPrimary || colors.onPrimary,
    background: darkColors.background || colors.background,
    text: darkColors.text || colors.text,
  };
}

/** The colours of the pages with those of the branding, and with what follows from them. */
export function paletteOf(colors: BrandColors, scheme: Scheme): Palette {
  const surfaces = withSurfaces(colors, scheme);
  if (colors.primary === "" && colors.onPrimary === "") return surfaces;
  const accent = colors.primary || surfaces.accent;
  const onAccent = colors.onPrimary || surfaces.onAccent;
  return { ...surfaces, accent, onAccent, accentStrong: strongerThan(accent, onAccent, surfaces, scheme) };
}

/** Two colours that stand on each other, and how much they must differ. */
export interface ColorPair {
  /** Which of the branding's colours it is about. */
  readonly role: keyof BrandColors;
  readonly color: string;
  /** What it stands on. */
  readonly on: string;
  readonly ground: "primary" | "page" | "notice";
  readonly ratio: number;
}

/** The pairs of a palette that people must be able to tell apart. */
export function pairsOf(palette: Palette): readonly ColorPair[] {
  const { paper, card, soft, accent, onAccent, ink, danger, success, dangerSoft, successSoft } = palette;
  const text = { role: "text", color: ink, ratio: textContrast } as const;
  const pages = [...new Set([paper, card])];
  return [
    { role: "onPrimary", color: onAccent, on: accent, ground: "primary", ratio: textContrast },
    ...pages.flatMap((on): ColorPair[] => [
      { role: "primary", color: accent, on, ground: "page", ratio: textContrast },
      { ...text, on, ground: "page" },
    ]),
    ...[soft, dangerSoft, successSoft].map((on): ColorPair => ({ ...text, on, ground: "notice" })),
    ...[danger, success].map(
      (color): ColorPair => ({ role: "background", color, on: card, ground: "notice", ratio: textContrast }),
    ),
  ];
}

function withSurfaces({ background, text }: BrandColors, scheme: Scheme): Palette {
  const own = ownPalettes[scheme];
  const ink = text || own.ink;
  if (background === "") return { ...own, ink };
  const towards = (share: number) => mix(background, ink, share);
  const other = ownPalettes[scheme === "light" ? "dark" : "light"];
  const status = (name: "danger" | "success") =>
    contrastOf(own[name], background) >= textContrast ? own[name] : other[name];
  const [danger, success] = [status("danger"), status("success")];
  return {
    ...own,
    ...{ paper: background, card: background, ink, soft: towards(0.06), line: towards(0.14) },
    quiet: firstReadable(background, ink, textContrast),
    edge: firstReadable(background, ink, edgeContrast),
    ...{ danger, dangerSoft: mix(background, danger, 0.08) },
    ...{ success, successSoft: mix(background, success, 0.08) },
  };
}

/** The colour of a pointer's button or link: stronger than the primary one, where what stands on it and around it allows that. */
function strongerThan(accent: string, onAccent: string, { card }: Palette, scheme: Scheme): string {
  const ends = scheme === "light" ? ["#000000", "#ffffff"] : ["#ffffff", "#000000"];
  const stronger = ends.map((end) => mix(accent, end, 0.22));
  const isReadable = (color: string) =>
    [onAccent, card].every((other) => contrastOf(color, other) >= textContrast);
  return stronger.find(isReadable) ?? accent;
}

/** The colour on the way to the text's that is nearest to the background and readable on it. */
function firstReadable(background: string, ink: string, ratio: number): string {
  // A little more than is asked for, since it also stands on notices.
  for (let share = 0.4; share < 1; share += 0.05) {
    const color = mix(background, ink, share);
    if (contrastOf(color, background) >= ratio * 1.1) return color;
  }
  return ink;
}

/** A readable colour near one that is not; undefined if there is none. */
export function remedyFor(
  { color, ratio, ground }: ColorPair,
  { accent, paper, card }: Palette,
): string | undefined {
  if (ground !== "primary") return nearestReadable(color, [paper, card], ratio);
  return ["#ffffff", "#000000"].find((each) => contrastOf(each, accent) >= ratio);
}
