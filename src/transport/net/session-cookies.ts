import type { Tenant } from "../../domain/tenant/tenant.ts";
import { clearSessionCookie, cookieValues, sessionCookieName, withoutCookies } from "./cookies.ts";
import { isHttps } from "./headers.ts";

/** The distinct values of session cookies that a request shows, by the cookie's name; `most` and one more of each. */
export type ShownValues = ReadonlyMap<string, readonly string[]>;

/** The session cookies of a request, under each name that this server may have used. */
export function shownSessionCookies(
  header: string | undefined,
  tenant: Tenant,
  most: number,
): { readonly own: readonly string[]; readonly former: ShownValues } {
  const ownName = sessionCookieName(tenant);
  const all = cookieValues(header, namesOf(tenant), most + 1);
  const former = new Map([...all].filter(([name]) => name !== ownName));
  return { own: all.get(ownName) ?? [], former };
}

/**
 * The Set-Cookie headers that remove a session cookie, which a request to `path` has shown, from every place where such
 * a request finds one: at the host of `public_url` alone, at it and each of its parent domains of two labels or more, on
 * `/` and on the paths down to that of the request. What this server set lies on `/`; on longer paths lies what was
 * planted. `keepOwn` leaves out the place that this server sets its cookie at.
 *
 * A browser replaces a cookie only by one of the same name, domain and path (RFC 6265, section 5.3, step 11), and tells
 * neither domain nor path. So each is named; other paths are left out, because what lies there never reached this request,
 * and because proxies refuse answers whose headers are longer than 4 KiB.
 */
export function removeSessionCookie(
  tenant: Tenant,
  name: string,
  path: string,
  keepOwn: "keep_own" | "remove_own",
): string[] {
  const isOwn = name === sessionCookieName(tenant);
  const own = isOwn && keepOwn === "remove_own" ? [clearSessionCookie(tenant)] : [];
  if (name.startsWith("__Host-")) {
    return isOwn ? own : [`${name}=; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=0`];
  }
  const secure = isHttps(tenant) ? "; Secure" : "";
  const { domain: ownDomain } = tenant.settings.session.cookie;
  const others = domainsOf(tenant).flatMap((domain) =>
    pathsTo(path)
      .filter((at) => !(isOwn && at === "/" && domain === ownDomain))
      .map(
        (at) => `${name}=; Path=${at}${domain === undefined ? "" : `; Domain=${domain}`}${secure}; Max-Age=0`,
      ),
  );
  return [...own, ...others];
}

/** A Cookie header without the session's, under each name that this server may have used. */
export function withoutSessionCookie(header: string, tenant: Tenant): string {
  return withoutCookies(header, namesOf(tenant));
}

/** The names, that in use first. Over http no browser takes those with a prefix. */
function namesOf(tenant: Tenant): readonly string[] {
  const { name } = tenant.settings.session.cookie;
  return isHttps(tenant) ? [`__Host-${name}`, `__Secure-${name}`, name] : [name];
}

/** Undefined is the host alone. Addresses and names of one label have no domain to share. */
function domainsOf(tenant: Tenant): readonly (string | undefined)[] {
  const labels = new URL(tenant.settings.publicUrl).hostname.split(".");
  const isAddress = labels.length < 2 || /^\d+$/.test(labels.at(-1) ?? "");
  if (isAddress) return [undefined];
  return [undefined, ...labels.slice(0, -1).map((_, index) => labels.slice(index).join("."))];
}

/** `/a/b` is reached by cookies of `/`, `/a`, `/a/` and `/a/b` (RFC 6265, section 5.1.4). */
function pathsTo(path: string): readonly string[] {
  const parts = path.split("/").slice(1);
  const folders = parts.slice(0, -1).flatMap((_, index) => {
    const folder = `/${parts.slice(0, index + 1).join("/")}`;
    return [folder, `${folder}/`];
  });
  return [...new Set(["/", ...folders, path])];
}
