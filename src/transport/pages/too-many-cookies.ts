import { createHash } from "node:crypto";
import type { Exchange, ResponseHeaders } from "../net/exchange.ts";
import { escapeHtml } from "./html.ts";

/** Where the page's button leads. */
export const clearCookiesPath = "/clear-cookies";

const style = `
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 0 auto; padding: 1.5rem; }
h1 { font-size: 1.5rem; }
button { font: inherit; padding: .5rem 1rem; }
a:focus-visible, button:focus-visible { outline: 3px solid; outline-offset: 2px; }
`;
const styleHash = createHash("sha256").update(style).digest("base64");
const policy = `default-src 'none'; style-src 'sha256-${styleHash}'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'`;
const maxReturnLength = 2_048;

/** Whether a person asked for a page, who would not know what to do with JSON. */
export function asksForPage(exchange: Exchange): boolean {
  const reads = exchange.method === "GET" || exchange.method === "HEAD";
  return reads && (exchange.header("accept") ?? "").includes("text/html");
}

/**
 * Tells a person that their browser sends more than the server reads, which is nearly always the cookies of other
 * applications of the site, and offers what helps.
 */
export function respondTooManyCookies(exchange: Exchange, headers: ResponseHeaders): void {
  const target = `${exchange.path}${exchange.query === "" ? "" : `?${exchange.query}`}`;
  const back = isOwnPath(target) ? target : "/";
  const action = `${clearCookiesPath}?to=${encodeURIComponent(back)}`;
  headers["content-type"] = "text/html; charset=utf-8";
  headers["content-security-policy"] = policy;
  // Without it the browser would name no origin when the form is sent.
  headers["referrer-policy"] = "same-origin";
  exchange.respond({ status: 431, headers, body: page(back, action) });
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

function page(back: string, action: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Too many cookies</title>
<style>${style}</style>
</head>
<body>
<main>
<h1>Your browser is sending too many cookies</h1>
<p>Apps on this site have stored too many cookies in your browser, so we can't show this page.</p>
<p>Delete the cookies for this site to continue. This signs you out of all apps on this site. You can sign in again right
away.</p>
<form method="post" action="${escapeHtml(action)}"><button>Delete the cookies for this site</button></form>
<p>If this page comes back, delete the cookies for this site in your browser's settings, then
<a href="${escapeHtml(back)}">try again</a>.</p>
</main>
</body>
</html>
`;
}
