import { createHash } from "node:crypto";
import type { Exchange, ResponseHeaders } from "../net/exchange.ts";
import { escapeHtml } from "./html.ts";

const style = `
:root { color-scheme: light dark; background: Canvas; color: CanvasText; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 0 auto; padding: 1.5rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; }
a { display: inline-block; padding: .625rem 0; }
a:focus-visible { outline: 3px solid; outline-offset: 2px; }
`;
const styleHash = createHash("sha256").update(style).digest("base64");
const policy = `default-src 'none'; style-src 'sha256-${styleHash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

/** What the page says, in one language. */
interface Words {
  readonly title: string;
  readonly heading: string;
  /** By the reason of the refusal; `other` for those that are not here. */
  readonly sentences: Readonly<Record<string, string>> & { readonly other: string };
  readonly unchanged: string;
  readonly again: string;
}

const english: Words = {
  title: "Sign-in not finished",
  heading: "The sign-in was not finished",
  sentences: {
    FLOW_NOT_FOUND: "We don't know this sign-in, or it was started too long ago.",
    FLOW_CLIENT_MISMATCH:
      "This sign-in was started in another browser, or this browser blocks cookies, so it can't be finished here.",
    FLOW_COMPLETED: "This sign-in has already been finished.",
    FLOW_CHANGED: "This sign-in has moved on in the meantime, perhaps in another tab.",
    REQUEST_TOO_LARGE: "The answer from the provider is too large.",
    RATE_LIMITED: "Too many attempts. Wait a while before you try again.",
    SERVER_OVERLOADED: "We're a bit busy right now. Wait a while before you try again.",
    other: "Something didn't work.",
  },
  unchanged: "Nothing was changed.",
  again: "Start again",
};

const german: Words = {
  title: "Anmeldung nicht abgeschlossen",
  heading: "Die Anmeldung wurde nicht abgeschlossen",
  sentences: {
    FLOW_NOT_FOUND: "Diese Anmeldung kennen wir nicht, oder sie wurde vor zu langer Zeit begonnen.",
    FLOW_CLIENT_MISMATCH:
      "Diese Anmeldung wurde in einem anderen Browser begonnen, oder dieser Browser blockiert Cookies. Hier kann sie nicht abgeschlossen werden.",
    FLOW_COMPLETED: "Diese Anmeldung wurde schon abgeschlossen.",
    FLOW_CHANGED: "Diese Anmeldung ist inzwischen weitergegangen, vielleicht in einem anderen Tab.",
    REQUEST_TOO_LARGE: "Die Antwort des Anbieters ist zu groß.",
    RATE_LIMITED: "Zu viele Versuche. Warten Sie eine Weile, bevor Sie es noch einmal versuchen.",
    SERVER_OVERLOADED:
      "Der Server ist gerade überlastet. Warten Sie eine Weile, bevor Sie es noch einmal versuchen.",
    other: "Etwas hat nicht geklappt.",
  },
  unchanged: "Es wurde nichts geändert.",
  again: "Von vorn beginnen",
};

const languages: Readonly<Record<string, Words>> = { en: english, de: german };

const statuses: Readonly<Record<string, number>> = {
  FLOW_NOT_FOUND: 404,
  FLOW_CLIENT_MISMATCH: 403,
  FLOW_COMPLETED: 409,
  FLOW_CHANGED: 409,
  REQUEST_TOO_LARGE: 413,
  RATE_LIMITED: 429,
  SERVER_OVERLOADED: 503,
  INTERNAL: 500,
};

/**
 * Tells a person who came back from a provider why it does not go on, and leads them back to the beginning.
 *
 * Security rule (SR-SOCIAL-11): the page repeats nothing of its address, which has a code and `state`. It loads nothing, no link of it tells
 * the address to anybody, and no cache keeps it: `headers` has that already.
 */
export function respondProviderError(
  exchange: Exchange,
  headers: ResponseHeaders,
  { reason, startAgain }: { readonly reason: string; readonly startAgain: string | undefined },
): void {
  const language = languageOf(exchange.header("accept-language") ?? "");
  const status = statuses[reason] ?? 400;
  headers["content-type"] = "text/html; charset=utf-8";
  headers["content-security-policy"] = policy;
  headers["content-language"] = language;
  exchange.respond({
    status,
    headers,
    body: page(language, languages[language] ?? english, reason, startAgain),
  });
}

/** The first language of the header that the page has, else English. Browsers send theirs in the order of preference. */
function languageOf(header: string): string {
  const tags = header.slice(0, 256).toLowerCase().split(",");
  const primary = tags.map((tag) => tag.trim().split(/[-;]/, 1)[0] ?? "");
  return primary.find((each) => Object.hasOwn(languages, each)) ?? "en";
}

function page(language: string, words: Words, reason: string, startAgain: string | undefined): string {
  const { sentences, unchanged, again } = words;
  const sentence = (Object.hasOwn(sentences, reason) && sentences[reason]) || sentences.other;
  const link = startAgain ? `<p><a href="${escapeHtml(startAgain)}">${again}</a></p>` : "";
  return `<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${words.title}</title>
<style>${style}</style>
</head>
<body>
<main>
<h1>${words.heading}</h1>
<p>${escapeHtml(sentence)} ${unchanged}</p>
${link}
</main>
</body>
</html>
`;
}
