import { createHash } from "node:crypto";
import { brandColorsIn, paletteOf } from "../../domain/tenant/palette.ts";
import type { TenantSettings } from "../../domain/tenant/tenant.ts";
import type { Exchange, ResponseHeaders } from "../net/exchange.ts";
import { escapeHtml } from "./html.ts";

/** A text in each language that the small pages have. */
export type InLanguages<Text> = Readonly<Record<"en" | "de", Text>>;

/** What a small page shows. */
export interface SmallPage {
  readonly status: number;
  readonly heading: string;
  /** Below the heading: HTML, in which all that is not the server's own is escaped. */
  readonly content: string;
  /** The title beside the name of the service. Default: the heading. */
  readonly title?: string;
  /** Whether the page has a form, which leads to this server. Default: it has none. */
  readonly hasForm?: boolean;
}

const footerWords: InLanguages<{
  readonly terms: string;
  readonly privacy: string;
  readonly support: string;
}> = {
  en: { terms: "Terms", privacy: "Privacy", support: "Support" },
  de: { terms: "Nutzungsbedingungen", privacy: "Datenschutz", support: "Hilfe" },
};

/**
 * Answers a person with a page that needs no file: in their language, with the name, the colours and the links of the branding. No script runs in
 * it, nothing is loaded.
 */
export function respondSmallPage<Words>(
  exchange: Exchange,
  headers: ResponseHeaders,
  settings: TenantSettings,
  words: InLanguages<Words>,
  pageIn: (words: Words) => SmallPage,
): void {
  const language = languageOf(exchange.header("accept-language") ?? "");
  const style = styleOf(settings);
  const hash = createHash("sha256").update(style).digest("base64");
  const page = pageIn(words[language]);
  const forms = page.hasForm === true ? "'self'" : "'none'";
  headers["content-type"] = "text/html; charset=utf-8";
  headers["content-language"] = language;
  headers.vary = "Origin, Accept, Accept-Language";
  headers["content-security-policy"] =
    `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action ${forms}; frame-ancestors 'none'`;
  exchange.respond({ status: page.status, headers, body: htmlOf(language, style, page, settings) });
}

/** A link of a small page, which is seen as a line of its own. */
export function linkTo(url: string, text: string): string {
  return `<p>${anchor(url, text)}</p>`;
}

function anchor(url: string, text: string): string {
  return `<a href="${escapeHtml(url)}">${escapeHtml(text)}</a>`;
}

/** The first language of the header that the pages have, else English. Browsers send theirs in the order of preference. */
function languageOf(header: string): "en" | "de" {
  const tags = header.slice(0, 256).toLowerCase().split(",");
  const primary = tags.map((tag) => tag.trim().split(/[-;]/, 1)[0]);
  return primary.find((each) => each === "en" || each === "de") ?? "en";
}

/** Security rule (SR-PAGES-3): of the branding only colours get here, which the configuration has checked. */
function styleOf({ branding }: TenantSettings): string {
  const [light, dark] = (["light", "dark"] as const).map((scheme) => {
    const { paper, ink, accent, onAccent } = paletteOf(brandColorsIn(branding, scheme), scheme);
    return `--paper: ${paper}; --ink: ${ink}; --accent: ${accent}; --on-accent: ${onAccent};`;
  });
  return `
:root { color-scheme: light dark; ${light} background: var(--paper); color: var(--ink); }
@media (prefers-color-scheme: dark) { :root { ${dark} } }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 0 auto; padding: 1.5rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; }
a { color: var(--accent); }
p > a:only-child, footer a { display: inline-block; padding: .625rem 1rem .625rem 0; }
button { font: inherit; font-weight: 600; padding: .625rem 1rem; border: 1px solid var(--accent); border-radius: .375rem; background: var(--accent); color: var(--on-accent); }
a:focus-visible, button:focus-visible { outline: 3px solid; outline-offset: 2px; }
`;
}

function htmlOf(
  language: "en" | "de",
  style: string,
  { heading, title = heading, content }: SmallPage,
  { branding }: TenantSettings,
): string {
  const { name, termsUrl, privacyUrl, supportUrl, supportEmail } = branding;
  const words = footerWords[language];
  const support = supportUrl || (supportEmail === "" ? "" : `mailto:${supportEmail}`);
  const links = (
    [
      [termsUrl, words.terms],
      [privacyUrl, words.privacy],
      [support, words.support],
    ] as const
  ).filter(([url]) => url !== "");
  const footer = `<footer>${links.map(([url, said]) => anchor(url, said)).join("\n")}</footer>`;
  return `<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${escapeHtml(title.includes(name) ? title : `${title} · ${name}`)}</title>
<style>${style}</style>
</head>
<body>
<main>
<h1>${escapeHtml(heading)}</h1>
${content}
</main>
${links.length === 0 ? "" : footer}
</body>
</html>
`;
}
