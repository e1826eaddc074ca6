import { createHash } from "node:crypto";
import type { BrandFile, BrandFiles } from "../../domain/tenant/brand-files.ts";
import {
  brandColorsIn,
  ownPalettes,
  type Palette,
  paletteOf,
  type Scheme,
} from "../../domain/tenant/palette.ts";
import type { TenantSettings } from "../../domain/tenant/tenant.ts";
import { matchesEtag } from "../net/etag.ts";
import type { Exchange, HttpHandler, ResponseHeaders } from "../net/exchange.ts";
import { escapeHtml } from "./html.ts";

/** What the branding is read from. */
export interface BrandingSource {
  readonly settings: () => TenantSettings;
  /** Asked each time: the files are read again while the server runs. */
  readonly files: () => BrandFiles;
}

/** What the branding makes of the pages. */
export interface PageLook {
  /** The same object until something of the branding changes. */
  readonly version: object;
  /** A built page with the name of the service, its icon, its style sheets and the languages of its own texts. */
  dress(html: string): string;
  /** Where else than from this server pictures come from, for the content security policy. */
  readonly imageSources: readonly string[];
}

/** The operator's pictures, for any page. */
export function pictureRoutes({ files }: Pick<BrandingSource, "files">): ReadonlyMap<string, HttpHandler> {
  const pictures = {
    "/branding/logo": () => files().logo,
    "/branding/logo-dark": () => files().logoDark,
    "/branding/favicon": () => files().favicon,
  };
  const routes = new Map<string, HttpHandler>();
  for (const [path, find] of Object.entries(pictures)) {
    // What is configured may change its content, and is there until the next start.
    if (find() !== undefined)
      routes.set(path, (exchange, headers) => respondPicture(exchange, headers, find()));
  }
  return routes;
}

/** What the server's own pages load beside their files. */
export function lookRoutes({ settings, files }: BrandingSource): ReadonlyMap<string, HttpHandler> {
  return new Map<string, HttpHandler>([
    ["/ui/branding.css", (exchange, headers) => respondForPages(exchange, headers, colorSheet(settings()))],
    [
      "/ui/custom.css",
      (exchange, headers) => respondForPages(exchange, headers, files().style ?? emptySheet),
    ],
    [
      "/ui/texts.json",
      (exchange, headers) => {
        const language = new URLSearchParams(exchange.query).get("language") ?? "";
        respondForPages(exchange, headers, files().texts.get(language) ?? noTexts);
      },
    ],
  ]);
}

/** The look of the pages as it is now. */
export function currentLook(source: BrandingSource): PageLook {
  const [settings, current] = [source.settings(), source.files()];
  const known = looks.get(settings);
  if (known?.files === current) return known.look;
  const look = makeLook(settings, current);
  looks.set(settings, { files: current, look });
  return look;
}

const looks = new WeakMap<TenantSettings, { readonly files: BrandFiles; readonly look: PageLook }>();

function makeLook(settings: TenantSettings, { style, texts }: BrandFiles): PageLook {
  const { branding, publicUrl } = settings;
  const colors = colorSheet(settings);
  const links = [
    ...(colors.content.length > 0 ? [sheetLink("/ui/branding.css", colors)] : []),
    ...(style === undefined ? [] : [sheetLink("/ui/custom.css", style)]),
    ...(texts.size > 0 ? [textsMark(texts)] : []),
  ].join("");
  const icon = `<link rel="icon" href="${escapeHtml(branding.faviconUrl)}" />`;
  const pictures = [branding.logoUrl, branding.logoDarkUrl, branding.faviconUrl];
  return {
    version: {},
    dress: (html) =>
      html
        .replace(/<title>[^<]*<\/title>/, () => `<title>${escapeHtml(branding.name)}</title>`)
        .replace(/<link rel="icon"[^>]*>/, (built) => (branding.faviconUrl === "" ? built : icon))
        // After the style sheet of the pages, so that these count.
        .replace("</head>", () => `${links}</head>`),
    imageSources: [...new Set(pictures.filter((url) => url !== "").map((url) => sourceOf(url)))].filter(
      (source) => !source.startsWith(`${publicUrl}/`),
    ),
  };
}

/**
 * An URL as a source of the content security policy, without its query, which that does not have.
 * Security rule (SR-PAGES-1): a semicolon or comma would begin another directive or policy.
 */
function sourceOf(text: string): string {
  const { origin, pathname } = new URL(text);
  return origin + pathname.replace(/[;,]/g, (sign) => (sign === ";" ? "%3B" : "%2C"));
}

function sheetLink(path: string, file: BrandFile): string {
  return `<link rel="stylesheet" href="${path}?v=${digestOf(file)}" />`;
}

/** The languages with texts of the operator's, and what each was made of, so that a browser keeps it until it changes. */
function textsMark(texts: BrandFiles["texts"]): string {
  const versions = [...texts].map(([language, file]) => `${language}=${digestOf(file)}`);
  return `<meta name="ostiary-texts" content="${versions.join(" ")}" />`;
}

/**
 * The colours of the branding, as custom properties in place of those of the pages. A style sheet of its own, because the policy of the pages
 * allows no style within them.
 */
function colorSheet(settings: TenantSettings): BrandFile {
  let sheet = colorSheets.get(settings);
  if (sheet === undefined) {
    const text = (["light", "dark"] as const).map((scheme) => rulesOf(settings, scheme)).join("");
    sheet = { content: Buffer.from(text), contentType: cssType };
    colorSheets.set(settings, sheet);
  }
  return sheet;
}

const cssType = "text/css; charset=utf-8";
const colorSheets = new WeakMap<TenantSettings, BrandFile>();
const emptySheet: BrandFile = { content: Buffer.of(), contentType: cssType };
const noTexts: BrandFile = { content: Buffer.from("{}"), contentType: "application/json" };

/** Security rule (SR-PAGES-3): only colours get here, which the configuration has checked. */
function rulesOf({ branding }: TenantSettings, scheme: Scheme): string {
  const palette = paletteOf(brandColorsIn(branding, scheme), scheme);
  const own = ownPalettes[scheme];
  const changed = (Object.keys(palette) as (keyof Palette)[]).filter((name) => palette[name] !== own[name]);
  if (changed.length === 0) return "";
  const rules = changed.map((name) => `--${propertyOf(name)}:${palette[name]};`).join("");
  const not = scheme === "light" ? "not " : "";
  return `@media ${not}(prefers-color-scheme: dark){:root{${rules}}}\n`;
}

function propertyOf(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/**
 * Security rule (SR-PAGES-5): a picture is served as what it is, and what runs in an SVG runs neither in a page nor when it is opened by itself: the
 * sandbox has no scripts and is of no origin.
 */
function respondPicture(exchange: Exchange, headers: ResponseHeaders, file: BrandFile | undefined): void {
  headers["content-security-policy"] = "default-src 'none'; style-src 'unsafe-inline'; sandbox";
  // For pages of any site: hand-written ones are elsewhere.
  headers["cross-origin-resource-policy"] = "cross-origin";
  respondFile(exchange, headers, file ?? emptySheet, "public, max-age=300");
}

function respondForPages(exchange: Exchange, headers: ResponseHeaders, file: BrandFile): void {
  headers["cross-origin-resource-policy"] = "same-origin";
  respondFile(exchange, headers, file, "no-cache");
}

/** Answers with a file; for ever, if it was asked for by what it is made of. */
function respondFile(
  exchange: Exchange,
  headers: ResponseHeaders,
  file: BrandFile,
  cacheControl: string,
): void {
  const digest = digestOf(file);
  const isVersion = new URLSearchParams(exchange.query).get("v") === digest;
  const etag = `"${digest}"`;
  headers["cache-control"] = isVersion ? "public, max-age=31536000, immutable" : cacheControl;
  headers.etag = etag;
  if (matchesEtag(exchange.header("if-none-match"), etag)) {
    exchange.respond({ status: 304, headers });
    return;
  }
  headers["content-type"] = file.contentType;
  exchange.respond({ status: 200, headers, body: file.content });
}

const digests = new WeakMap<BrandFile, string>();

function digestOf(file: BrandFile): string {
  let digest = digests.get(file);
  if (digest === undefined) {
    digest = createHash("sha256").update(file.content).digest("base64url").slice(0, 22);
    digests.set(file, digest);
  }
  return digest;
}
