import type { TenantSettings } from "../../domain/tenant/tenant.ts";
import type { Exchange, ResponseHeaders } from "../net/exchange.ts";
import { escapeHtml } from "./html.ts";
import { type InLanguages, linkTo, respondSmallPage } from "./small-page.ts";

/** What the page says, in one language. */
interface Words {
  readonly title: string;
  readonly heading: string;
  /** By the reason of the refusal; `other` for those that are not here. */
  readonly sentences: Readonly<Record<string, string>> & { readonly other: string };
  readonly unchanged: string;
  readonly again: string;
}

const words: InLanguages<Words> = {
  en: {
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
  },
  de: {
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
  },
};

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
  settings: TenantSettings,
  { reason, startAgain }: { readonly reason: string; readonly startAgain: string | undefined },
): void {
  respondSmallPage(exchange, headers, settings, words, ({ title, heading, sentences, unchanged, again }) => {
    const sentence = (Object.hasOwn(sentences, reason) && sentences[reason]) || sentences.other;
    const link = startAgain ? linkTo(startAgain, again) : "";
    return {
      status: statuses[reason] ?? 400,
      title,
      heading,
      content: `<p>${escapeHtml(sentence)} ${unchanged}</p>${link}`,
    };
  });
}
