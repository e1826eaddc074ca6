import { createHash } from "node:crypto";
import { brandColorsIn, paletteOf } from "../../domain/tenant/palette.ts";
import type { TenantSettings } from "../../domain/tenant/tenant.ts";
import type { Exchange, ResponseHeaders } from "../net/exchange.ts";
import { escapeHtml } from "./html.ts";

/** What a small page says, in one language. `{name}` is the name of the service. */
interface Words {
  readonly home: string;
  readonly homeText: string;
  readonly signIn: string;
  readonly notFound: string;
  readonly notFoundText: string;
  readonly start: string;
  readonly terms: string;
  readonly privacy: string;
  readonly support: string;
}

const english: Words = {
  home: "Sign-in server of {name}",
  homeText: "Apps use this server to sign you in. It has no pages of its own.",
  signIn: "Sign in",
  notFound: "Page not found",
  notFoundText: "There is no page at this address.",
  start: "Go to the start page",
  terms: "Terms",
  privacy: "Privacy",
  support: "Support",
};

const german: Words = {
  home: "Anmeldeserver von {name}",
  homeText: "Apps melden Sie über diesen Server an. Eigene Seiten hat er nicht.",
  signIn: "Anmelden",
  notFound: "Seite nicht gefunden",
  notFoundText: "Unter dieser Adresse gibt es keine Seite.",
  start: "Zur Startseite",
  terms: "Nutzungsbedingungen",
  privacy: "Datenschutz",
  support: "Hilfe",
};

const languages: Readonly<Record<string, Words>> = { en: english, de: german };

/** Says what this server is, to a person who opens its address where it has no pages of its own. */
export function respondHome(exchange: Exchange, headers: ResponseHeaders, settings: TenantSettings): void {
  const { login } = settings.uiUrls;
  respond(exchange, headers, settings, 200, (words) => ({
    title: words.home.replaceAll("{name}", () => settings.branding.name),
    text: words.homeText,
    link: login === undefined ? undefined : { url: login, text: words.signIn },
  }));
}

/** Says that there is no page. It repeats nothing of its address. */
export function respondNotFound(
  exchange: Exchange,
  headers: ResponseHeaders,
  settings: TenantSettings,
): void {
  respond(exchange, headers, settings, 404, (words) => ({
    title: words.notFound,
    text: words.notFoundText,
    link: { url: "/", text: words.start },
  }));
}

interface Content {
  readonly title: string;
  readonly text: string;
  readonly link: { readonly url: string; readonly text: string } | undefined;
}

function respond(
  exchange: Exchange,
  headers: ResponseHeaders,
  settings: TenantSettings,
  status: number,
  contentIn: (words: Words) => Content,
): void {
  const language = languageOf(exchange.header("accept-language") ?? "");
  const words = languages[language] ?? english;
  const style = styleOf(settings);
  const hash = createHash("sha256").update(style).digest("base64");
  headers["content-type"] = "text/html; charset=utf-8";
  headers["content-language"] = language;
  headers.vary = "Origin, Accept, Accept-Language";
  headers["content-security-policy"] =
    `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;
  exchange.respond({ status, headers, body: page(language, words, style, contentIn(words), settings) });
}

/** The first language of the header that the page has, else English. Browsers send theirs in the order of preference. */
function languageOf(header: string): string {
  const tags = header.slice(0, 256).toLowerCase().split(",");
  const primary = tags.map((tag) => tag.trim().split(/[-;]/, 1)[0] ?? "");
  return primary.find((each) => Object.hasOwn(languages, each)) ?? "en";
}

/** Security rule (SR-PAGES-3): of the branding only colours get here, which the configuration has checked. */
function styleOf({ branding }: TenantSettings): string {
  const [light, dark] = (["light", "dark"] as const).map((scheme) => {
    const { paper, ink, accent } = paletteOf(brandColorsIn(branding, scheme), scheme);
    return `--paper: ${paper}; --ink: ${ink}; --accent: ${accent};`;
  });
  return `
:root { color-scheme: light dark; ${light} background: var(--paper); color: var(--ink); }
@media (prefers-color-scheme: dark) { :root { ${dark} } }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 0 auto; padding: 1.5rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; }
a { display: inline-block; padding: .625rem 1rem .625rem 0; color: var(--accent); }
a:focus-visible { outline: 3px solid; outline-offset: 2px; }
`;
}

function page(
  language: string,
  words: Words,
  style: string,
  { title, text, link }: Content,
  { branding }: TenantSettings,
): string {
  const { termsUrl, privacyUrl, supportUrl, supportEmail } = branding;
  const support = supportUrl || (supportEmail === "" ? "" : `mailto:${supportEmail}`);
  const links = [
    [termsUrl, words.terms],
    [privacyUrl, words.privacy],
    [support, words.support],
  ].filter(([url]) => url !== "");
  const anchor = (url = "", said = "") => `<a href="${escapeHtml(url)}">${said}</a>`;
  const footer = `<footer>${links.map(([url, said]) => anchor(url, said)).join("\n")}</footer>`;
  return `<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${escapeHtml(title.includes(branding.name) ? title : `${title} · ${branding.name}`)}</title>
<style>${style}</style>
</head>
<body>
<main>
<h1>${escapeHtml(title)}</h1>
<p>${text}</p>
${link === undefined ? "" : `<p>${anchor(link.url, link.text)}</p>`}
</main>
${links.length === 0 ? "" : footer}
</body>
</html>
`;
}
