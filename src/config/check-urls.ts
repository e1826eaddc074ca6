import { isAddress, isLoopbackHost } from "../domain/hosts.ts";
import type { CompleteConfig } from "./complete-config.ts";
import { type Problem, problemIf } from "./problems.ts";

/**
 * Whether addresses of pages and origins mean exactly one place, and whether what travels to them is encrypted.
 * Security rule (SR-CONFIG-1): nothing here is a pattern. Wildcards, user info, backslashes and control characters are how an
 * allow-list comes to allow an attacker's host.
 */
export function checkUrls({ tenantDefaults: settings }: CompleteConfig): Problem[] {
  const { login, registration, verification, recovery, settings: change } = settings.flows;
  const prefix = "tenant_defaults.";
  return [
    ...checkOrigin(`${prefix}public_url`, settings.publicUrl, "must have no path, query or fragment"),
    ...checkCookieName(`${prefix}session.cookie.name`, settings.session.cookie.name),
    ...checkCookieDomain(
      `${prefix}session.cookie.domain`,
      settings.session.cookie.domain,
      settings.publicUrl,
    ),
    ...settings.allowedOrigins.flatMap((origin, index) => {
      const key = `${prefix}allowed_origins[${index}]`;
      return checkOrigin(key, origin, "must be an origin such as https://app.example.com, without a path");
    }),
    ...settings.allowedReturnUrls.flatMap((url, index) =>
      checkReturnUrl(`${prefix}allowed_return_urls[${index}]`, url),
    ),
    ...settings.oidc.postLogoutRedirectUrls.flatMap((url, index) =>
      checkReturnUrl(`${prefix}oidc.post_logout_redirect_urls[${index}]`, url),
    ),
    ...settings.terms.flatMap(({ url }, index) => checkShown(`${prefix}terms[${index}].url`, url)),
    ...checkReturnUrl(`${prefix}default_return_url`, settings.defaultReturnUrl),
    ...checkOAuth2Server(`${prefix}oauth2_provider`, settings.oauth2Provider),
    ...Object.entries({ login, registration, verification, recovery, settings: change }).flatMap(
      ([flow, { uiUrl }]) => checkPage(`${prefix}flows.${flow}.ui_url`, uiUrl),
    ),
  ];
}

/** Checks the OAuth2 server: neither of its URLs is of use without the other. */
function checkOAuth2Server(
  key: string,
  { adminUrl, publicUrl }: CompleteConfig["tenantDefaults"]["oauth2Provider"],
): Problem[] {
  if (adminUrl === "") return problemIf(publicUrl !== "", `${key}.public_url`, "needs admin_url");
  const origin = "must be an origin such as https://oauth2.example.com, without a path";
  return [
    ...checkService(`${key}.admin_url`, adminUrl),
    ...problemIf(publicUrl === "", `${key}.admin_url`, "needs public_url"),
    ...(publicUrl === "" ? [] : checkOrigin(`${key}.public_url`, publicUrl, origin)),
  ];
}

/**
 * A URL, or a path of this host. Security rule (SR-PAGES-3): pages make links and pictures of these, so a script (`javascript:`) and a path
 * that leads to another host (`//…`) are refused.
 */
export function checkShown(key: string, text: string): Problem[] {
  if (text === "") return [];
  if (!text.startsWith("/") || text.startsWith("//")) return checkEndpoint(key, text);
  return withUrl(key, `https://app.example.com${text}`, () => []);
}

type Verdict =
  | { readonly kind: "url"; readonly url: URL }
  | { readonly kind: "wrong"; readonly message: string };

/** Reads an address that means exactly one place, or says what is wrong with it. */
export function parseExact(text: string, example = "https://app.example.com"): Verdict {
  const wrong = (message: string): Verdict => ({ kind: "wrong", message });
  // Control, separator and invisible characters: browsers drop some of them before they look at the host.
  if (/[\p{C}\p{Z}]/u.test(text)) return wrong("must not contain blanks, control or invisible characters");
  if (text.includes("\\")) return wrong("must not contain a backslash");
  if (text.includes("*")) return wrong("is compared exactly: wildcards are not supported");
  if (text === "null") return wrong("must not be null: any sandboxed page has that origin");
  if (!URL.canParse(text)) return wrong(`must be an absolute URL such as ${example}`);
  if (/^[^:]+:\/\/[^/?#]*@/.test(text)) return wrong("must not contain a user name or password");
  return { kind: "url", url: new URL(text) };
}

/** Reads an address, and goes on with the URL. */
function withUrl(key: string, text: string, check: (url: URL) => Problem[]): Problem[] {
  const result = parseExact(text);
  return result.kind === "wrong" ? [{ key, message: result.message }] : check(result.url);
}

/** The same of a web address, which must be encrypted; `mistake` is what is wrong with its form. */
function checkWeb(key: string, text: string, mistake?: string, elsewhere = ""): Problem[] {
  return withUrl(key, text, (url) => {
    if (!isWeb(url))
      return [{ key, message: `must start with https:// (or http:// on this machine)${elsewhere}` }];
    return mistake === undefined ? checkEncrypted(key, url) : [{ key, message: mistake }];
  });
}

/** Nothing, which only an item of a list must not be. */
function checkEmpty(key: string): Problem[] {
  return problemIf(key.endsWith("]"), key, "must not be empty");
}

/** The origin of a web page. */
export function checkOrigin(key: string, text: string, message: string): Problem[] {
  if (text === "") return checkEmpty(key);
  // The one slash that a browser's address bar adds is no path.
  const isOrigin = /^[^/]+\/\/[^/?#]+\/?$/.test(text);
  const elsewhere = key.endsWith("]") ? "; the web view of an app belongs in server.native_origins" : "";
  return checkWeb(key, text, isOrigin ? undefined : message, elsewhere);
}

function checkPage(key: string, text: string): Problem[] {
  if (text === "") return [];
  return checkWeb(
    key,
    text,
    text.includes("#") ? "must have no fragment: the flow's id is added to it" : undefined,
  );
}

/** The URL of a service to which the server adds a path. */
export function checkService(key: string, text: string): Problem[] {
  const isWhole = /[?#]/.test(text);
  return checkWeb(key, text, isWhole ? "must have no query or fragment: a path is added to it" : undefined);
}

/** A complete URL, such as one that the server posts to. */
export function checkEndpoint(key: string, text: string): Problem[] {
  return checkWeb(key, text);
}

function checkReturnUrl(key: string, text: string): Problem[] {
  if (text === "") return checkEmpty(key);
  return withUrl(key, text, (url) => {
    if (isWeb(url)) {
      if (/^https?:\/\/[^/]/i.test(text)) return checkEncrypted(key, url);
      return [{ key, message: "must be an absolute URL such as https://app.example.com/welcome" }];
    }
    // RFC 8252, section 7.1: an app's own scheme is a domain name reversed, so it has a dot. That keeps javascript:,
    // data:, file: and their like out without a list of them.
    const message = "must start with https:// or an app's own scheme such as com.example.app:";
    return problemIf(!url.protocol.includes("."), key, message);
  });
}

/** Security rule (SR-CONFIG-1): outside this machine, sessions and codes only travel encrypted. */
function checkEncrypted(key: string, url: URL): Problem[] {
  const isPlain = url.protocol !== "https:" && !isLoopbackHost(url.hostname);
  return problemIf(isPlain, key, "must start with https:// unless its host is this machine", {
    insecure: true,
  });
}

/**
 * A part of the tokens that RFC 6265 takes: nothing that a proxy, a framework or a browser reads in another way. A name of
 * ours never begins with the underscores of a prefix, which the server itself adds.
 */
function checkCookieName(key: string, name: string): Problem[] {
  const message =
    "must be 1 to 64 letters, digits, hyphens and underscores, beginning with a letter; the server adds __Host- or __Secure- itself";
  return problemIf(!/^[A-Za-z][A-Za-z0-9_-]{0,63}$/.test(name), key, message);
}

/** RFC 6265, section 5.3: a browser drops a cookie whose domain does not cover the host that sets it. */
function checkCookieDomain(key: string, domain: string, publicUrl: string): Problem[] {
  if (domain === "") return [];
  if (!/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(domain) || isAddress(domain)) {
    return [{ key, message: "must be a domain in lower case such as example.com" }];
  }
  // Security rule (SR-COOKIE-5): a cookie of a whole top-level domain would go to strangers' hosts.
  if (!domain.includes(".")) return [{ key, message: "must not be a top-level domain" }];
  if (publicUrl === "" || !URL.canParse(publicUrl))
    return [{ key, message: "needs tenant_defaults.public_url" }];
  const host = new URL(publicUrl).hostname;
  if (host === domain || host.endsWith(`.${domain}`)) return [];
  return [
    { key, message: `must be ${host}, the host of tenant_defaults.public_url, or a parent domain of it` },
  ];
}

function isWeb(url: URL): boolean {
  return url.protocol === "https:" || url.protocol === "http:";
}
