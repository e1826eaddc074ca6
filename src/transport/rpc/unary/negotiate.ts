import { Code, type ConnectError } from "@connectrpc/connect";
import type { Exchange, ResponseHeaders } from "../../net/exchange.ts";
import { protocolError } from "../errors.ts";
import type { Route } from "../routes.ts";
import { codecOfQuery, connectGet, connectPost } from "./connect-wire.ts";
import { grpcWeb, grpcWebText } from "./grpc-web-wire.ts";
import { grpc, grpcUnnamed } from "./grpc-wire.ts";
import type { Wire } from "./wire.ts";

/** Why HTTP itself already refuses a request. */
export interface Refusal {
  readonly status: number;
  readonly headers: ResponseHeaders;
  readonly error: ConnectError;
}

const unaryWires: ReadonlyMap<string, Wire> = new Map([
  ["application/json", connectPost.json],
  ["application/proto", connectPost.proto],
  ["application/grpc", grpcUnnamed],
  ["application/grpc+proto", grpc.proto],
  ["application/grpc+json", grpc.json],
  ["application/grpc-web", grpcWeb.proto],
  ["application/grpc-web+proto", grpcWeb.proto],
  ["application/grpc-web+json", grpcWeb.json],
  ["application/grpc-web-text", grpcWebText.proto],
  ["application/grpc-web-text+proto", grpcWebText.proto],
  ["application/grpc-web-text+json", grpcWebText.json],
]);
const acceptPost = [...unaryWires.keys()].join(", ");

/** The protocol that a request to an unknown method is answered in; undefined: as Connect would. */
export function wireOf(contentType: string | undefined): Wire | undefined {
  if (contentType === undefined) return undefined;
  return unaryWires.get(contentType) ?? unaryWires.get(normalizeContentType(contentType));
}

/**
 * The protocol of a client that speaks gRPC or gRPC-Web, in whatever codec; undefined for all others, and for gRPC over HTTP/1.1, whose
 * answers end with trailers that nobody would read.
 */
export function grpcWireOf(exchange: Exchange): Wire | undefined {
  const type = /^application\/grpc(-web(?:-text)?)?(?:[+;\s]|$)/i.exec(exchange.header("content-type") ?? "");
  if (type === null) return undefined;
  const [, web] = type;
  if (web === undefined) return exchange.httpVersion === 2 ? grpc.proto : undefined;
  return web.toLowerCase() === "-web" ? grpcWeb.proto : grpcWebText.proto;
}

/** Finds the protocol and codec of a request to a unary method, or why it has none. */
export function negotiate(
  exchange: Exchange,
  route: Route,
): { readonly wire: Wire } | { readonly refusal: Refusal } {
  if (exchange.method === "POST") {
    const wire = wireOf(exchange.header("content-type"));
    if (wire === undefined) return { refusal: unknownContentType(exchange) };
    if (wire.protocol === "grpc" && exchange.httpVersion === 1) return { refusal: http2Needed() };
    return { wire };
  }
  if (exchange.method === "GET" && route.allowsGet) {
    const codec = codecOfQuery(exchange.query);
    return codec === undefined ? { refusal: unknownQueryEncoding() } : { wire: connectGet[codec] };
  }
  return { refusal: methodNotAllowed(route.allowsGet ? "GET, POST" : "POST") };
}

/** Refuses an HTTP method. */
export function methodNotAllowed(allow: string): Refusal {
  const message = `Use the HTTP method ${allow.replace(", ", " or ")}.`;
  return { status: 405, headers: { allow }, error: refused(message) };
}

/** Refuses a content type that no protocol has. */
export function unknownContentType(exchange: Exchange): Refusal {
  const type = exchange.header("content-type")?.slice(0, 64);
  const message =
    type === undefined ? "The request has no Content-Type." : `The Content-Type ${type} is not understood.`;
  const headers = { "accept-post": acceptPost };
  return { status: 415, headers, error: refused(`${message} Use one of ${acceptPost}.`) };
}

function unknownQueryEncoding(): Refusal {
  return {
    status: 415,
    headers: {},
    error: refused("A GET needs the query parameter encoding: json or proto."),
  };
}

/** Refuses gRPC over HTTP/1.1. */
export function http2Needed(): Refusal {
  const message =
    "gRPC needs HTTP/2, because HTTP/1.1 clients do not read trailers. Use gRPC-Web or Connect.";
  return { status: 505, headers: {}, error: refused(message) };
}

/** With the code that clients conclude from the status of HTTP where an answer has no body. */
function refused(message: string): ConnectError {
  return protocolError(Code.Unknown, "REQUEST_MALFORMED", message);
}

function normalizeContentType(contentType: string): string {
  const [, type = ""] = /^\s*([^;\s]+)\s*(?:;\s*charset\s*=\s*"?utf-8"?\s*)?$/i.exec(contentType) ?? [];
  return type.toLowerCase();
}
