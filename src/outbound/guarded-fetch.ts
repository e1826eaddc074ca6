import type { Response as UndiciResponse } from "undici";
import { OutgoingHttpError } from "../domain/outgoing-http.ts";
import type { OutgoingHttp, OutgoingRequest } from "../domain/ports.ts";
import { createDestinations, type DestinationOptions, portOf } from "./destinations.ts";
import type { GuardedAgentOptions } from "./guarded-agent.ts";

/** Options of the guarded fetch. */
export interface GuardedFetchOptions
  extends DestinationOptions,
    Pick<GuardedAgentOptions, "lookup" | "isAddressAllowed"> {}

/** A guarded fetch, with the connections that it keeps open. */
export interface GuardedFetch extends OutgoingHttp {
  /** Ends all connections, also those in use. */
  close(): Promise<void>;
}

const defaultTimeoutMs = 10_000;
const defaultMaxResponseBytes = 1024 * 1024;
const maxRedirects = 3;
const redirectStatuses: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** Makes the fetch that everything outgoing uses. It keeps no cookies. Responses have no `url`. */
export function createGuardedFetch(options: GuardedFetchOptions): GuardedFetch {
  const destinations = createDestinations(options);
  const { lookup, isAddressAllowed } = options;
  let opened: Promise<Awaited<ReturnType<typeof load>>> | undefined;

  // At the first call: the library takes 0.1 s and some memory, and many servers never call anybody.
  const load = async () => {
    const { createGuardedAgent, fetch } = await import("./guarded-agent.ts");
    return { fetch, dispatcher: createGuardedAgent({ destinations, lookup, isAddressAllowed }) };
  };

  /** One hop of a request; the redirects are ours to follow, since each is checked like the first URL. */
  const ask = async (url: URL, request: OutgoingRequest, signal: AbortSignal) => {
    opened ??= load();
    const { fetch, dispatcher } = await opened;
    return fetch(url, {
      method: request.method ?? "GET",
      headers: { ...request.headers, "user-agent": "Ostiary" },
      body: request.body ?? null,
      redirect: "manual",
      dispatcher,
      signal,
    });
  };

  const follow = async (start: URL, request: OutgoingRequest, signal: AbortSignal) => {
    let url = start;
    let headers = request.headers ?? {};
    for (let redirects = 0; ; redirects++) {
      destinations.assertAllowed(url);
      const response = await ask(url, { ...request, headers }, signal);
      const location = isFollowed(request, response) ? response.headers.get("location") : null;
      if (location === null) return { url, response };
      await response.body?.cancel();
      if (redirects === maxRedirects) throw redirectRefused(start, `more than ${maxRedirects} redirects`);
      const next = redirectTarget(start, url, location);
      // Security rule (SR-OUTBOUND-2): the headers of the caller, credentials among them, are for the first origin only.
      if (next.origin !== url.origin) headers = plainHeadersOf(headers);
      url = next;
    }
  };

  const redirectTarget = (start: URL, from: URL, location: string): URL => {
    const next = URL.parse(location, from);
    if (next === null) throw redirectRefused(start, "to what is no URL");
    if (from.protocol === "https:" && next.protocol === "http:") {
      throw redirectRefused(start, "from https to http");
    }
    // Security rule (SR-OUTBOUND-2): what the operator opened is opened to direct calls. Another server must not lead there.
    if (next.origin !== from.origin && destinations.isExempt(next.hostname, portOf(next))) {
      throw redirectRefused(start, "to a host of server.outbound.allowed_private_hosts");
    }
    return next;
  };

  return {
    async fetch(target, request = {}) {
      const start = URL.parse(target.toString());
      if (start === null) throw new OutgoingHttpError("url_refused", "what was to be called is no URL");
      const limits = startLimits(start, request);
      try {
        const { url, response } = await follow(start, request, limits.signal);
        return bounded(url, response, request.maxResponseBytes ?? defaultMaxResponseBytes, limits);
      } catch (error) {
        limits.end();
        throw toOutgoingError(start, error, request.signal);
      }
    },
    close: async () => (await opened)?.dispatcher.destroy(),
  };
}

interface Limits {
  /** The caller's own signal. */
  readonly given: AbortSignal | undefined;
  /** Fires when the time is over or the caller gives up. */
  readonly signal: AbortSignal;
  /** To be called when the answer is read or given up. */
  end(): void;
}

function startLimits(url: URL, request: OutgoingRequest): Limits {
  const timeoutMs = request.timeoutMs ?? defaultTimeoutMs;
  const deadline = new AbortController();
  const timer = setTimeout(() => {
    deadline.abort(new OutgoingHttpError("timed_out", `${url.host} did not answer within ${timeoutMs} ms`));
  }, timeoutMs);
  // A request under way keeps no process from ending.
  timer.unref();
  const signals = request.signal === undefined ? [deadline.signal] : [deadline.signal, request.signal];
  return { given: request.signal, signal: AbortSignal.any(signals), end: () => clearTimeout(timer) };
}

/** The answer with a body that breaks off when it becomes too large or takes too long. */
function bounded(url: URL, response: UndiciResponse, maxBytes: number, limits: Limits): Response {
  const { status, statusText, body } = response;
  const headers = [...response.headers];
  if (body === null) {
    limits.end();
    return new Response(null, { status, statusText, headers });
  }
  const reader = body.getReader();
  let size = 0;
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          size += value?.byteLength ?? 0;
          if (size > maxBytes) {
            throw new OutgoingHttpError("too_large", `${url.host} answered with more than ${maxBytes} bytes`);
          }
          if (!done) return controller.enqueue(value);
          limits.end();
          controller.close();
        } catch (error) {
          limits.end();
          // What is left of it is not wanted, and the reader may be broken already.
          reader.cancel().catch(() => {});
          throw toOutgoingError(url, error, limits.given);
        }
      },
      async cancel() {
        limits.end();
        await reader.cancel();
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(stream, { status, statusText, headers });
}

function isFollowed(
  { method = "GET", followsRedirects = true }: OutgoingRequest,
  { status }: UndiciResponse,
): boolean {
  return followsRedirects && redirectStatuses.has(status) && (method === "GET" || method === "HEAD");
}

/** The headers that tell nothing about the caller, so that a second origin may get them. */
function plainHeadersOf(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name.toLowerCase() === "accept"));
}

function redirectRefused(start: URL, what: string): OutgoingHttpError {
  return new OutgoingHttpError("redirect_refused", `${start.host} redirected ${what}`);
}

/** Our own errors as they are; of the library's only the cause, whose text names no path. */
function toOutgoingError(url: URL, error: unknown, given: AbortSignal | undefined): unknown {
  if (error instanceof OutgoingHttpError) return error;
  if (given?.aborted) return given.reason;
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  if (cause instanceof OutgoingHttpError) return cause;
  return new OutgoingHttpError("unreachable", `${url.host} cannot be reached`, cause);
}
