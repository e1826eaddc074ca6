import type { Tenants } from "../../domain/tenant/tenant.ts";
import type { Exchange, HttpHandler, ResponseHeaders } from "../net/exchange.ts";
import { respondHome, respondNotFound } from "./plain-pages.ts";
import { notFoundPath } from "./static-files.ts";
import { asksForPage } from "./too-many-cookies.ts";

interface PlainPathOptions {
  readonly tenants: Tenants;
  /** The paths of the server, for those that end with a slash too many. */
  readonly routes: ReadonlyMap<string, HttpHandler>;
  /** The files of the self-service pages; undefined if they are not served. */
  readonly pages: ReadonlyMap<string, HttpHandler> | undefined;
}

/** Answers a person who opened a path that is no call and no page; false for a program, which gets the error. */
export type PlainPaths = (exchange: Exchange, headers: ResponseHeaders) => boolean;

/**
 * Leads a person on from the paths that people type or follow: `/`, one with a slash too many, and one that does not exist.
 *
 * Security rule (SR-PAGES-7): a browser is only led to a path that the server has, so that `//host/` leads to no other host, and no page repeats
 * its address.
 */
export function createPlainPaths({ tenants, routes, pages }: PlainPathOptions): PlainPaths {
  return (exchange, headers) => {
    if (!asksForPage(exchange)) return false;
    const { path } = exchange;
    if (path === "/" && pages !== undefined) {
      redirect(exchange, headers, "/ui/");
      return true;
    }
    const { settings } = tenants.byHost(exchange.host);
    const known = path.replace(/\/+$/, "");
    const missing = path.startsWith("/ui/") ? pages?.get(notFoundPath) : undefined;
    if (path === "/") respondHome(exchange, headers, settings);
    else if (known !== path && routes.has(known)) redirect(exchange, headers, withQuery(known, exchange));
    else if (missing !== undefined) void missing(exchange, headers);
    else respondNotFound(exchange, headers, settings);
    return true;
  };
}

/**
 * Paths that browsers ask for by themselves: the icon of old ones, and the page to change the password (W3C, "A Well-Known URL for Changing
 * Passwords"), which password managers open.
 */
export function wellKnownRoutes({
  tenants,
  pages,
}: Pick<PlainPathOptions, "tenants" | "pages">): ReadonlyMap<string, HttpHandler> {
  const routes = new Map<string, HttpHandler>();
  const add = (path: string, target: () => string | undefined) => {
    if (target() === undefined) return;
    // The port of the page may be known only now.
    routes.set(path, (exchange, headers) => redirect(exchange, headers, target() ?? "/", 302));
  };
  add("/.well-known/change-password", () => tenants.byHost(undefined).settings.uiUrls.settings);
  add("/favicon.ico", () => {
    const { branding, publicUrl } = tenants.byHost(undefined).settings;
    // The operator names this very path, and so serves it before the server.
    if (branding.faviconUrl === `${publicUrl}/favicon.ico`) return undefined;
    return branding.faviconUrl || (pages?.has("/ui/icon.svg") ? "/ui/icon.svg" : undefined);
  });
  return routes;
}

function withQuery(path: string, { query }: Exchange): string {
  return query === "" ? path : `${path}?${query}`;
}

function redirect(exchange: Exchange, headers: ResponseHeaders, location: string, status = 307): void {
  headers.location = location;
  exchange.respond({ status, headers });
}
