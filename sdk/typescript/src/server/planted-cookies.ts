// SPDX-License-Identifier: Apache-2.0
import { cookieValues, sessionCookieNames } from "./cookies.ts";
import type { RequestHead } from "./request-head.ts";

/** Proxies refuse answers whose headers are longer than 4 KiB; paths are taken up to 100 characters. */
const mostHeaders = 16;

/**
 * The Set-Cookie headers that remove session cookies from the paths below `/` that a request was made to, at its host and
 * at each parent domain of two labels or more. Ostiary sets its cookie on `/` alone, and removes there what cannot count.
 *
 * Security: a page of a sibling host can plant a cookie for a path that only the app answers on, and Ostiary would never
 * see it. Signing in again would then change nothing, for as long as the cookie lives.
 */
export function removePlantedCookies(head: RequestHead, cookieName: string): readonly string[] {
  const { domain: shared, plain } = sessionCookieNames(cookieName);
  const shown = cookieValues(head.header("cookie"), [shared, plain], 1);
  return [...shown.keys()]
    .flatMap((name) =>
      pathsTo(head.path).flatMap((path) =>
        domainsOf(head.host).map((domain) => {
          const scope = domain === undefined ? "" : `; Domain=${domain}`;
          return `${name}=; Path=${path}${scope}${name === shared ? "; Secure" : ""}; Max-Age=0`;
        }),
      ),
    )
    .slice(0, mostHeaders);
}

/** `/a/b` is reached by cookies of `/a`, `/a/` and `/a/b` (RFC 6265, section 5.1.4). */
function pathsTo(path: string): readonly string[] {
  const parts = path.split("/").slice(1);
  const folders = parts.slice(0, -1).map((_, index) => `/${parts.slice(0, index + 1).join("/")}`);
  const paths = [...folders.flatMap((folder) => [folder, `${folder}/`]), path];
  // A path with a semicolon or a blank in it would be read as attributes of the cookie, and no cookie can have it.
  return [...new Set(paths)].filter((at) => at !== "/" && /^\/[\x21-\x3a\x3c-\x7e]{0,100}$/.test(at));
}

/** Undefined is the host alone. Addresses and names of one label have no domain to share. */
function domainsOf(host: string): readonly (string | undefined)[] {
  const name = URL.canParse(`http://${host}`) ? new URL(`http://${host}`).hostname : "";
  const labels = name.split(".");
  if (labels.length < 2 || /^\d+$/.test(labels.at(-1) ?? "")) return [undefined];
  return [undefined, ...labels.slice(0, -1).map((_, index) => labels.slice(index).join("."))];
}
