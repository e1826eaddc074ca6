/** What a proxy says of a request that it asks about. */
export interface ForwardedRequest {
  readonly method: string;
  /** `http` or `https`. */
  readonly scheme: string;
  /** The Host header as the client sent it, with a port where there is one. */
  readonly host: string;
  /** The request target as the client sent it: path and query, not decoded. */
  readonly uri: string;
}

/** A request that means one thing to every program. */
export interface ForwardedTarget {
  /** In lower case, with the port where it is not the one of the scheme. */
  readonly host: string;
  /** Decoded, without the query. */
  readonly path: string;
  /** The whole address, as a browser writes it. */
  readonly url: string;
}

/** The longest request target that is looked at. */
const longestUri = 16 * 1024;

const ports: Readonly<Record<string, string>> = { http: ":80", https: ":443" };

/**
 * Reads what a proxy says, or says what is wrong with it.
 *
 * Security rule (SR-FORWARD-2): what proxies and applications read in different ways is not read at all. Otherwise a path that looks open
 * here is another one there: `/open/..%2fadmin`, `/open/..;/admin`, `//admin`.
 */
export function readTarget({ method, scheme, host, uri }: ForwardedRequest): ForwardedTarget | string {
  if (!/^[A-Z]{1,20}$/.test(method)) return "the method";
  const ownPort = ports[scheme];
  if (ownPort === undefined) return "the scheme";
  const named = readHost(host, ownPort);
  if (named === undefined) return "the host";
  if (uri.length > longestUri) return "the length of the path";
  const mark = uri.indexOf("?");
  const path = mark < 0 ? uri : uri.slice(0, mark);
  const decoded = readPath(path);
  if (decoded === undefined) return "the path";
  const address = `${scheme}://${named}${uri}`;
  // A query is for the application; one that no browser sends is no part of an address to come back to.
  const url = URL.canParse(address) ? new URL(address).href : `${scheme}://${named}/`;
  return { host: named, path: decoded, url };
}

function readHost(text: string, ownPort: string): string | undefined {
  const host = text.toLowerCase();
  const isName = /^(?!-)[\w-]+(?:\.[\w-]+)*(?::\d{1,5})?$/.test(host);
  const isIpv6 = /^\[[0-9a-f:.]+\](?::\d{1,5})?$/.test(host);
  if (host.length > 300 || !(isName || isIpv6)) return undefined;
  return host.endsWith(ownPort) ? host.slice(0, -ownPort.length) : host;
}

/** Printable ASCII without blanks, backslashes, semicolons, fragments, and what browsers always encode. */
const plainPath = /^\/[!$%&'()*+,\-./0-9:=@A-Z[\]^_a-z|~]*$/;

function readPath(path: string): string | undefined {
  if (!plainPath.test(path)) return undefined;
  let decoded: string;
  try {
    // Throws for escapes that are broken or not UTF-8.
    decoded = decodeURIComponent(path);
  } catch {
    return undefined;
  }
  // What is decoded twice means something else then.
  if (hidden.test(path) || /%[0-9a-f]{2}/i.test(decoded) || /\p{Cc}/u.test(decoded)) return undefined;
  const segments = decoded.slice(1).split("/");
  const isEmpty = segments.slice(0, -1).some((segment) => segment === "");
  return isEmpty || segments.some((segment) => segment === "." || segment === "..") ? undefined : decoded;
}

/** The slash, the backslash, the semicolon, the question mark and the number sign, encoded. */
const hidden = /%(?:2f|5c|3b|3f|23)/i;
