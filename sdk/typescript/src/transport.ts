// SPDX-License-Identifier: Apache-2.0
import type { DescMethod } from "@bufbuild/protobuf";
import type { Transport } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { boundedFetch } from "./bounded-fetch.ts";
import { checkReach } from "./check-reach.ts";

/** How to reach a listener of Ostiary. Either its address, or a transport of your own. */
export type Reach = ReachByAddress | ReachByTransport;

/** The Connect protocol over fetch, which Node, Deno, Bun, workers and browsers all have. */
export interface ReachByAddress {
  /** The address of the listener: `https://auth.example.com`. In a browser it may be a path: `/auth`. */
  readonly baseUrl: string;
  /** Replaces the global `fetch`. */
  readonly fetch?: typeof globalThis.fetch | undefined;
  /**
   * Whether cookies go along. Default: `include` on a web page whose client has no token, so that sessions by
   * cookie also work from a sibling host; otherwise whatever fetch does by itself.
   */
  readonly credentials?: "include" | "omit" | "same-origin" | undefined;
  /** How long a call may take, in milliseconds: 1 or more. Default: 30 seconds. */
  readonly timeoutMs?: number | undefined;
  readonly transport?: undefined;
}

/**
 * Any transport of Connect: `createGrpcTransport` of `@connectrpc/connect-node` for gRPC, one with your own
 * interceptors, or one to an in-process server in tests. Address, time-out and cookies are then its business.
 */
export interface ReachByTransport {
  readonly transport: Transport;
  readonly baseUrl?: undefined;
}

/** A secret that goes with each call, or where to get it; without one, nothing is sent. */
export type TokenSource = string | (() => string | undefined | Promise<string | undefined>);

const defaultTimeoutMs = 30_000;

/** What the callers of openTransport differ in. */
interface TransportRules {
  /** What goes with each call, if there is something. */
  readonly token?: TokenSource | undefined;
  readonly format?: "json" | "binary";
  /** Whether a path will do as the address. Default: no. */
  readonly paths?: boolean;
  /** The largest answer of a unary call over fetch. Default: 1 MiB. */
  readonly mostAnswerBytes?: number;
}

/** The transport that the options ask for. Throws a TypeError for options that lead nowhere. */
export function openTransport(
  reach: Reach,
  { token, format = "json", paths = false, mostAnswerBytes = 1024 * 1024 }: TransportRules = {},
): Transport {
  checkReach(reach, { paths });
  if (reach.transport !== undefined)
    return token === undefined ? reach.transport : withToken(reach.transport, token);
  const options = {
    baseUrl: reach.baseUrl,
    useBinaryFormat: format === "binary",
    defaultTimeoutMs: reach.timeoutMs ?? defaultTimeoutMs,
    fetch: boundedFetch(
      fetchWith(reach.fetch, reach.credentials ?? defaultCredentials(token)),
      mostAnswerBytes,
    ),
  };
  const byPost = createConnectTransport(options);
  const asOneself = token === undefined ? byPost : withToken(byPost, token);
  return sharedByGet(asOneself, createConnectTransport({ ...options, useHttpGet: true }));
}

/** The methods whose answer is the same for everybody, so that browsers and other caches may keep it. */
const sharedMethods: ReadonlySet<string> = new Set(["ostiary.flow.v1.FlowService.GetTenantProfile"]);

/** Calls these methods by GET, without the token, which would tell who asks and change nothing. */
function sharedByGet(asOneself: Transport, byGet: Transport): Transport {
  return {
    unary: (method, ...call) =>
      (sharedMethods.has(`${method.parent.typeName}.${method.name}`) ? byGet : asOneself).unary(
        method,
        ...call,
      ),
    stream: (...call) => asOneself.stream(...call),
  };
}

/** Calls through another transport with headers that are made for each call; if that throws, nothing is sent. */
export function withHeaders(
  transport: Transport,
  addTo: (headers: Headers, method: DescMethod) => void | Promise<void>,
): Transport {
  return {
    async unary(method, signal, timeoutMs, header, input, contextValues) {
      const headers = new Headers(header);
      await addTo(headers, method);
      return transport.unary(method, signal, timeoutMs, headers, input, contextValues);
    },
    async stream(method, signal, timeoutMs, header, input, contextValues) {
      const headers = new Headers(header);
      await addTo(headers, method);
      return transport.stream(method, signal, timeoutMs, headers, input, contextValues);
    },
  };
}

/** A token that the caller gives for one call, as a header, is left alone. */
function withToken(transport: Transport, source: TokenSource): Transport {
  return withHeaders(transport, async (headers) => {
    if (headers.has("authorization")) return;
    const token = typeof source === "string" ? source : await source();
    if (token !== undefined && token !== "") headers.set("authorization", `Bearer ${token}`);
  });
}

/**
 * Only on a web page: a client with a token is a native client, which no cookie moves, and some server runtimes
 * (Cloudflare Workers) throw when `credentials` is set at all.
 */
function defaultCredentials(token: TokenSource | undefined): ReachByAddress["credentials"] {
  if (!("document" in globalThis)) return undefined;
  return token === undefined ? "include" : "omit";
}

function fetchWith(
  custom: typeof globalThis.fetch | undefined,
  credentials: ReachByAddress["credentials"],
): typeof globalThis.fetch {
  // Looked up at the time of the call: tracing and test tools replace the global one after modules were loaded.
  return (input, init) =>
    (custom ?? globalThis.fetch)(input, credentials === undefined ? init : { ...init, credentials });
}
