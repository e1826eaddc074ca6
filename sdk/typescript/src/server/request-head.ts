// SPDX-License-Identifier: Apache-2.0

/** What guards read of a request, whatever framework it comes from. */
export interface RequestHead {
  readonly method: string;
  /** The host and port that the client named; the empty text if there is none. */
  readonly host: string;
  /** The path that was asked for, as far as the framework tells; the empty text if it does not. */
  readonly path: string;
  /** Whether the request came, or a proxy says that it came, over https. */
  readonly https: boolean;
  /** Whether anything says that a proxy has passed the request on. */
  readonly forwarded: boolean;
  /** The value of a header by its lower-case name. */
  header(name: string): string | undefined;
}

/** The part of a Fetch `Request` that is read here. */
export interface FetchRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
}

/** The part of node:http's `IncomingMessage`, and so of the requests of Express and Fastify, that is read here. */
export interface NodeRequest {
  readonly method?: string | undefined;
  readonly httpVersion?: string | undefined;
  readonly url?: string | undefined;
  /** Express: what `url` was before a router took its part off. */
  readonly originalUrl?: string | undefined;
  readonly headers: { readonly [name: string]: string | string[] | undefined };
  readonly socket?: { readonly encrypted?: boolean | undefined; readonly remoteAddress?: string | undefined };
}

/** The head of a Fetch request. */
export function headOfFetch({ method, url, headers }: FetchRequest): RequestHead {
  // Security rule (SR-SDK-7): only a whole URL names a host. A path that begins with "//" would have its caller choose it.
  const { host, protocol, pathname } = URL.canParse(url)
    ? new URL(url)
    : { host: "", protocol: "", pathname: "" };
  const header = (name: string) => headers.get(name) ?? undefined;
  return {
    method,
    // The header first: some frameworks make the URL from the address that they listen on.
    host: header("host") ?? host,
    path: pathname,
    https: protocol === "https:" || forwardedAsHttps(header),
    forwarded: forwardingHeaderOf(header) !== undefined,
    header,
  };
}

/** The head of a request of node:http or node:http2. */
export function headOfNode(request: NodeRequest): RequestHead {
  const { method, httpVersion, headers, socket } = request;
  const header = (name: string) => {
    const value = headers[name];
    return Array.isArray(value) ? value.join(name === "cookie" ? "; " : ", ") : value;
  };
  return {
    method: method ?? "",
    host: header(":authority") ?? header("host") ?? "",
    path: /^[^?#]*/.exec(request.originalUrl ?? request.url ?? "")?.[0] ?? "",
    https: socket?.encrypted === true || forwardedAsHttps(header),
    // No browser speaks HTTP/1.0, and nginx does unless told otherwise.
    forwarded: httpVersion === "1.0" || forwardingHeaderOf(header) !== undefined,
    header,
  };
}

/** The head of a request of either kind. */
export function headOf(request: FetchRequest | NodeRequest): RequestHead {
  return isFetch(request) ? headOfFetch(request) : headOfNode(request);
}

/** Whether a request is one of Fetch. */
export function isFetch(request: FetchRequest | NodeRequest): request is FetchRequest {
  return typeof request.headers.get === "function";
}

/** Believing anybody here is safe: https only ever makes the guards stricter. */
function forwardedAsHttps(header: RequestHead["header"]): boolean {
  return (
    /\bhttps\b/i.test(header("x-forwarded-proto") ?? "") ||
    /\bproto="?https\b/i.test(header("forwarded") ?? "")
  );
}

/** What proxies and content delivery networks add to a request. */
const forwardingHeaders = (
  "forwarded via x-forwarded x-forwarded-by x-forwarded-for x-forwarded-host x-forwarded-port " +
  "x-forwarded-prefix x-forwarded-proto x-forwarded-protocol x-forwarded-scheme x-forwarded-server " +
  "x-forwarded-ssl x-forwarded-uri x-original-host x-original-forwarded-for x-host x-real-ip " +
  "x-client-ip x-cluster-client-ip x-scheme x-url-scheme x-arr-ssl x-amzn-trace-id " +
  "x-envoy-external-address x-cloud-trace-context front-end-https true-client-ip cf-connecting-ip " +
  "cf-ray cf-visitor cdn-loop fastly-client-ip fly-client-ip"
).split(" ");

/** The name of a header that says that a proxy has passed the request on. Believing anybody here is safe as well. */
export function forwardingHeaderOf(header: RequestHead["header"]): string | undefined {
  return forwardingHeaders.find((name) => header(name) !== undefined);
}
