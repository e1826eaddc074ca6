// SPDX-License-Identifier: Apache-2.0
import { type ContextValues, createContextKey, type Interceptor } from "@connectrpc/connect";
import { SessionRefusedError } from "./refusal.ts";
import { type FetchRequest, headOf, headOfFetch, headOfNode, type NodeRequest } from "./request-head.ts";
import { createCheck, type GuardOptions, type GuardView, type SignedIn } from "./session-checker.ts";

/** The part of node:http's `ServerResponse` that a guard answers with. */
export interface NodeResponse {
  statusCode: number;
  readonly headersSent?: boolean;
  setHeader(name: string, value: string): unknown;
  end(body: string): unknown;
}

/** The part of Fastify's reply that a guard answers with. */
export interface FastifyReplyLike {
  code(status: number): unknown;
  headers(values: Record<string, string>): unknown;
  send(body: string): unknown;
}

/** The part of Hono's context that a guard uses. */
export interface HonoContextLike {
  readonly req: { readonly raw: FetchRequest & { readonly signal: AbortSignal } };
  set(key: "ostiary", value: never): void;
}

/** The variable that the Hono middleware sets: `new Hono<{ Variables: HonoVariables }>()`. */
export interface HonoVariables<View extends GuardView = "identity"> {
  readonly ostiary: SignedIn<View>;
}

/** One rule for who gets in, for every framework. Each form lets a request through only with a checked session. */
export interface SessionGuard<View extends GuardView = "identity"> {
  /** Says whose request it is. Throws a SessionRefusedError, which knows how to answer. */
  check(request: FetchRequest | NodeRequest): Promise<SignedIn<View>>;
  /** Connect services: an interceptor of the router. In a method, `sessionOf(context)` is who calls. */
  readonly interceptor: Interceptor;
  /** Servers that speak Fetch: wraps a handler, which gets who calls as its second argument. */
  fetch<Incoming extends Request, Rest extends readonly unknown[]>(
    handler: (request: Incoming, signedIn: SignedIn<View>, ...rest: Rest) => Response | Promise<Response>,
  ): (request: Incoming, ...rest: Rest) => Promise<Response>;
  /** Hono: middleware. In a handler, `c.get("ostiary")` is who calls. */
  readonly hono: (context: HonoContextLike, next: () => Promise<void>) => Promise<Response | undefined>;
  /** Express, and whatever else takes node:http's middleware. In a handler, `sessionOf(request)` is who calls. */
  readonly express: (
    request: NodeRequest & { ostiary?: unknown },
    response: NodeResponse,
    next: (error?: unknown) => void,
  ) => void;
  /** node:http: wraps a handler, which gets who calls as its third argument. */
  node<Incoming extends NodeRequest, Outgoing extends NodeResponse>(
    handler: (request: Incoming, response: Outgoing, signedIn: SignedIn<View>) => unknown,
  ): (request: Incoming, response: Outgoing) => Promise<void>;
  /** Fastify: an `onRequest` hook. In a handler, `sessionOf(request)` is who calls. */
  readonly fastify: (
    request: NodeRequest & { ostiary?: unknown },
    reply: FastifyReplyLike,
  ) => Promise<unknown>;
}

/** Where the Connect interceptor puts who calls; `sessionOf(context)` reads it. */
export const sessionKey = createContextKey<SignedIn<GuardView> | undefined>(undefined, {
  description: "who calls, as checked by the guard of @ostiary/sdk",
});

/**
 * Makes a guard: every request must have a bearer token or a session cookie whose session Ostiary vouches for, and
 * that meets the demands. Without it the answer is 401 with a JSON body that says why and what to do; if Ostiary
 * cannot be asked, it is 503, and nobody gets in.
 */
export function requireSession<View extends GuardView = "identity">(
  options: GuardOptions<View>,
): SessionGuard<View> {
  const check = createCheck(options);
  return {
    check: (request) => check(headOf(request)),
    interceptor: (next) => async (request) => {
      const head = headOfFetch({ method: request.requestMethod, url: request.url, headers: request.header });
      const signedIn = await check(head, request.signal).catch((error: unknown) => {
        throw error instanceof SessionRefusedError ? error.toConnectError() : error;
      });
      request.contextValues.set(sessionKey, signedIn);
      return next(request);
    },
    fetch:
      (handler) =>
      async (request, ...rest) => {
        const signedIn = await outcomeOf(check(headOfFetch(request), request.signal));
        return signedIn instanceof SessionRefusedError
          ? signedIn.toResponse()
          : handler(request, signedIn, ...rest);
      },
    hono: async (context, next) => {
      const { raw } = context.req;
      const signedIn = await outcomeOf(check(headOfFetch(raw), raw.signal));
      if (signedIn instanceof SessionRefusedError) return signedIn.toResponse();
      // Hono types `set` by the variables that the application declares; HonoVariables is that declaration.
      context.set("ostiary", signedIn as never);
      await next();
      return undefined;
    },
    express: (request, response, next) => {
      outcomeOf(check(headOfNode(request))).then((signedIn) => {
        if (signedIn instanceof SessionRefusedError) return answer(response, signedIn);
        request.ostiary = signedIn;
        next();
      }, next);
    },
    node: (handler) => async (request, response) => {
      const signedIn = await outcomeOf(check(headOfNode(request)));
      if (signedIn instanceof SessionRefusedError) answer(response, signedIn);
      else await handler(request, response, signedIn);
    },
    fastify: async (request, reply) => {
      const signedIn = await outcomeOf(check(headOfNode(request)));
      if (!(signedIn instanceof SessionRefusedError)) {
        request.ostiary = signedIn;
        return undefined;
      }
      reply.code(signedIn.status);
      reply.headers(signedIn.toHeaders());
      reply.send(JSON.stringify(signedIn.toBody()));
      // Returning the reply tells Fastify that it is answered.
      return reply;
    },
  };
}

/**
 * Who calls, as a guard has checked it: of a Connect handler's context, of a Hono context, of a request of Express or
 * Fastify. Throws if no guard ran: a route that was left unguarded by mistake fails, it does not serve everyone.
 * The type argument is the view that the guard was made with.
 */
export function sessionOf<View extends GuardView = "identity">(
  carrier: { readonly values: ContextValues } | { get(key: "ostiary"): unknown } | object,
): SignedIn<View> {
  const found = findSignedIn(carrier);
  if (found === undefined) throw new Error("no session guard of @ostiary/sdk ran before this handler");
  return found as SignedIn<View>;
}

function findSignedIn(carrier: object): unknown {
  if ("ostiary" in carrier) return carrier.ostiary;
  if ("values" in carrier && isContextValues(carrier.values)) return carrier.values.get(sessionKey);
  if ("set" in carrier && "get" in carrier && typeof carrier.get === "function")
    return carrier.get("ostiary");
  return undefined;
}

function isContextValues(values: unknown): values is ContextValues {
  return typeof values === "object" && values !== null && "get" in values && typeof values.get === "function";
}

/** Refusals are outcomes here; what the check never throws goes on as the error that it is. */
async function outcomeOf<Checked>(checking: Promise<Checked>): Promise<Checked | SessionRefusedError> {
  try {
    return await checking;
  } catch (error) {
    if (error instanceof SessionRefusedError) return error;
    throw error;
  }
}

function answer(response: NodeResponse, refusal: SessionRefusedError): void {
  // Somebody else, such as a time-out of the app's own, has answered meanwhile. Setting headers would throw where nobody
  // catches it, and end the process.
  if (response.headersSent === true) return;
  response.statusCode = refusal.status;
  for (const [name, value] of Object.entries(refusal.toHeaders())) response.setHeader(name, value);
  response.end(JSON.stringify(refusal.toBody()));
}
