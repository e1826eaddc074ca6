import { createHash } from "node:crypto";
import type { Exchange, ResponseHeaders } from "../net/exchange.ts";
import { escapeHtml } from "./html.ts";

const style = `
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 0 auto; padding: 1.5rem; }
h1 { font-size: 1.5rem; }
a:focus-visible { outline: 3px solid; outline-offset: 2px; }
`;
const styleHash = createHash("sha256").update(style).digest("base64");
const policy = `default-src 'none'; style-src 'sha256-${styleHash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

/** What to say of each reason, and the status of the page. */
const pages: Readonly<Record<string, readonly [status: number, sentence: string]>> = {
  FLOW_NOT_FOUND: [404, "This sign-in is not known here, or it was begun too long ago."],
  FLOW_CLIENT_MISMATCH: [
    403,
    "This sign-in was begun in another browser, so it cannot be finished in this one.",
  ],
  FLOW_COMPLETED: [409, "This sign-in was finished already."],
  FLOW_CHANGED: [409, "This sign-in has gone on in the meantime, maybe in another tab."],
  REQUEST_TOO_LARGE: [413, "The answer of the provider is larger than what is read here."],
  RATE_LIMITED: [429, "There were too many tries. Wait a while."],
  SERVER_OVERLOADED: [503, "The server has too much to do now. Wait a while."],
};
const other = [400, "This sign-in could not be finished."] as const;

/** Tells a person who came back from a provider why it does not go on, and leads them back to the beginning. */
export function respondProviderError(
  exchange: Exchange,
  headers: ResponseHeaders,
  { reason, startAgain }: { readonly reason: string; readonly startAgain: string | undefined },
): void {
  const [status, sentence] = pages[reason] ?? (reason === "INTERNAL" ? [500, other[1]] : other);
  headers["content-type"] = "text/html; charset=utf-8";
  headers["content-security-policy"] = policy;
  exchange.respond({ status, headers, body: page(sentence, startAgain) });
}

function page(sentence: string, startAgain: string | undefined): string {
  const link = startAgain && `<p><a href="${escapeHtml(startAgain)}">Sign in again</a></p>`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sign-in not finished</title>
<style>${style}</style>
</head>
<body>
<main>
<h1>You are not signed in</h1>
<p>${escapeHtml(sentence)} Nothing was changed.</p>
${link ?? ""}
</main>
</body>
</html>
`;
}
