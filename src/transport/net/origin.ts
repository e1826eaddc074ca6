import { domainError } from "../../domain/errors.ts";

/** The headers by which a browser says where a request comes from. */
export interface OriginHeaders {
  header(name: string): string | undefined;
}

/**
 * Throws ORIGIN_NOT_ALLOWED if the request comes from a web page that is not allowed to make it.
 *
 * Security rules (SR-ORIGIN-1): what a cookie authenticates must come from an allowed origin. `Origin: null` (a sandboxed frame,
 * a redirect) is nobody's origin and never allowed. Without Origin, Fetch Metadata must not say that another site
 * made the request: `same-site` is refused as well, because a sibling host is not the application. If neither is
 * there, no browser of today made the request: a server-rendered app forwards its user's cookies, and cookie and
 * form token decide.
 */
export function assertOriginAllowed(request: OriginHeaders, allowed: ReadonlySet<string>): void {
  const origin = request.header("origin");
  if (origin !== undefined) {
    if (origin === "null" || !allowed.has(origin)) throw domainError("ORIGIN_NOT_ALLOWED", { origin });
    return;
  }
  const site = request.header("sec-fetch-site");
  if (site !== undefined && site !== "same-origin" && site !== "none") {
    throw domainError(
      "ORIGIN_NOT_ALLOWED",
      { origin: "" },
      {
        message: `The request comes from another site (Sec-Fetch-Site: ${site.slice(0, 32)}) and names no origin.`,
      },
    );
  }
}

/**
 * Throws FLOW_CLIENT_MISMATCH if a web page makes the request, unless its origin is one by which the web view of a native app
 * calls itself.
 *
 * Security rules (SR-FLOW-2): a page sends `Origin` with whatever it posts, and cannot leave it out; `null` is nobody's. Without it,
 * `Sec-Fetch-Site` names a page as well, which an extension may have robbed of its origin: only `none` is no page's.
 * `Sec-Fetch-Mode` says nothing: the fetch of Node.js sends it, too.
 */
export function assertNotFromPage(request: OriginHeaders, native: ReadonlySet<string>): void {
  const origin = request.header("origin");
  const site = request.header("sec-fetch-site");
  const isPage = origin === undefined ? site !== undefined && site !== "none" : !native.has(origin);
  if (!isPage) return;
  const page = origin === undefined ? "a web page" : `a web page of ${origin.slice(0, 256)}`;
  throw domainError(
    "FLOW_CLIENT_MISMATCH",
    { missing: "the origin in server.native_origins" },
    { message: `A native flow was used by ${page}; pages use browser flows.` },
  );
}
