import type { TenantSettings } from "../../domain/tenant/tenant.ts";
import type { Exchange, ResponseHeaders } from "../net/exchange.ts";
import { escapeHtml } from "./html.ts";
import { type InLanguages, respondSmallPage } from "./small-page.ts";

/** Where the page's button leads. */
export const clearCookiesPath = "/clear-cookies";

const maxReturnLength = 2_048;

/** `{back}` stands for the link in the last sentence. */
interface Words {
  readonly title: string;
  readonly heading: string;
  readonly why: string;
  readonly remedy: string;
  readonly button: string;
  readonly again: string;
  readonly back: string;
}

const words: InLanguages<Words> = {
  en: {
    title: "Too many cookies",
    heading: "Your browser is sending too many cookies",
    why: "Apps on this site have stored too many cookies in your browser, so we can't show this page.",
    remedy:
      "Delete the cookies for this site to continue. This signs you out of all apps on this site. You can sign in again right away.",
    button: "Delete the cookies for this site",
    again:
      "If this page comes back, delete the cookies for this site in your browser's settings, then {back}.",
    back: "try again",
  },
  de: {
    title: "Zu viele Cookies",
    heading: "Ihr Browser sendet zu viele Cookies",
    why: "Apps auf dieser Website haben zu viele Cookies in Ihrem Browser gespeichert. Deshalb können wir diese Seite nicht anzeigen.",
    remedy:
      "Löschen Sie die Cookies dieser Website, um fortzufahren. Sie werden dabei bei allen Apps dieser Website abgemeldet und können sich gleich wieder anmelden.",
    button: "Cookies dieser Website löschen",
    again:
      "Wenn diese Seite wieder erscheint, löschen Sie die Cookies dieser Website in den Einstellungen Ihres Browsers. Danach können Sie es {back}.",
    back: "noch einmal versuchen",
  },
};

/** Whether a person asked for a page, who would not know what to do with JSON. */
export function asksForPage(exchange: Exchange): boolean {
  const reads = exchange.method === "GET" || exchange.method === "HEAD";
  return reads && readsPages(exchange);
}

/** Whether a person reads the answer: a browser opens it as a page, perhaps by a form that a provider has posted. */
export function readsPages(exchange: Exchange): boolean {
  return (exchange.header("accept") ?? "").includes("text/html");
}

/**
 * Tells a person that their browser sends more than the server reads, which is nearly always the cookies of other
 * applications of the site, and offers what helps.
 */
export function respondTooManyCookies(
  exchange: Exchange,
  headers: ResponseHeaders,
  settings: TenantSettings,
): void {
  const target = `${exchange.path}${exchange.query === "" ? "" : `?${exchange.query}`}`;
  const back = isOwnPath(target) ? target : "/";
  const action = `${clearCookiesPath}?to=${encodeURIComponent(back)}`;
  // Without it the browser would name no origin when the form is sent.
  headers["referrer-policy"] = "same-origin";
  respondSmallPage(exchange, headers, settings, words, (said) => ({
    status: 431,
    title: said.title,
    heading: said.heading,
    hasForm: true,
    content: `<p>${said.why}</p>
<p>${said.remedy}</p>
<form method="post" action="${escapeHtml(action)}"><button>${said.button}</button></form>
<p>${said.again.replace("{back}", () => `<a href="${escapeHtml(back)}">${said.back}</a>`)}</p>`,
  }));
}

/**
 * Takes the button: deletes the cookies of the site, of all its applications, and goes back to the page.
 *
 * Security rule (SR-COOKIE-3): cookies are deleted only for the page's own button, and only if they are too large to be read. Otherwise a
 * foreign page could sign people out.
 */
export function respondToClearCookies(
  exchange: Exchange,
  headers: ResponseHeaders,
  oversized: boolean,
): void {
  if (oversized && exchange.method === "POST" && isFromOwnPage(exchange)) {
    headers["clear-site-data"] = '"cookies"';
  }
  const to = new URLSearchParams(exchange.query).get("to") ?? "/";
  headers.location = isOwnPath(to) ? to : "/";
  exchange.respond({ status: 303, headers });
}

function isFromOwnPage(exchange: Exchange): boolean {
  const site = exchange.header("sec-fetch-site");
  if (site !== undefined) return site === "same-origin";
  const origin = exchange.header("origin");
  return (
    origin !== undefined &&
    exchange.host !== undefined &&
    origin.replace(/^https?:\/\//, "") === exchange.host
  );
}

/** Security rule (SR-PAGES-2): the way back stays on this server: `//host` and `/\host` are other hosts to a browser. */
function isOwnPath(target: string): boolean {
  return target.length <= maxReturnLength && /^\/(?![/\\])[\x21-\x7e]*$/.test(target);
}
