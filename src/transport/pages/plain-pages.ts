import type { TenantSettings } from "../../domain/tenant/tenant.ts";
import type { Exchange, ResponseHeaders } from "../net/exchange.ts";
import { type InLanguages, linkTo, respondSmallPage } from "./small-page.ts";

/** `{name}` is the name of the service. */
interface Words {
  readonly home: string;
  readonly homeText: string;
  readonly signIn: string;
  readonly notFound: string;
  readonly notFoundText: string;
  readonly start: string;
}

const words: InLanguages<Words> = {
  en: {
    home: "Sign-in server of {name}",
    homeText: "Apps use this server to sign you in. It has no pages of its own.",
    signIn: "Sign in",
    notFound: "Page not found",
    notFoundText: "There is no page at this address.",
    start: "Go to the start page",
  },
  de: {
    home: "Anmeldeserver von {name}",
    homeText: "Apps melden Sie über diesen Server an. Eigene Seiten hat er nicht.",
    signIn: "Anmelden",
    notFound: "Seite nicht gefunden",
    notFoundText: "Unter dieser Adresse gibt es keine Seite.",
    start: "Zur Startseite",
  },
};

/** Says what this server is, to a person who opens its address where it has no pages of its own. */
export function respondHome(exchange: Exchange, headers: ResponseHeaders, settings: TenantSettings): void {
  const { login } = settings.uiUrls;
  respondSmallPage(exchange, headers, settings, words, ({ home, homeText, signIn }) => ({
    status: 200,
    heading: home.replaceAll("{name}", () => settings.branding.name),
    content: `<p>${homeText}</p>${login === undefined ? "" : linkTo(login, signIn)}`,
  }));
}

/** Says that there is no page. It repeats nothing of its address. */
export function respondNotFound(
  exchange: Exchange,
  headers: ResponseHeaders,
  settings: TenantSettings,
): void {
  respondSmallPage(exchange, headers, settings, words, ({ notFound, notFoundText, start }) => ({
    status: 404,
    heading: notFound,
    content: `<p>${notFoundText}</p>${linkTo("/", start)}`,
  }));
}
