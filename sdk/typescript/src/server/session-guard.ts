// SPDX-License-Identifier: Apache-2.0
import { type ContextValues, createContextKey, type Interceptor } from "@connectrpc/connect";
import type { GuardOptions, GuardView } from "./guard-options.ts";
import { answerRefusal, handOn, type NodeResponse, run } from "./node-answer.ts";
import { SessionRefusedError } from "./refusal.ts";
import { type FetchRequest, headOf, headOfFetch, headOfNode, type NodeRequest } from "./request-head.ts";
import { createCheck, type SignedIn } from "./session-checker.ts";

/** The part of Fastify's reply that a guard answers with. */
export interface FastifyReplyLike {
  code(status: number): unknown;
  headers(values: Record<string, string | string[]>): unknown;
  send(body: string): unknown;
}

/** The part of Hono's context that a guard uses. */
export interface HonoContextLike {
  readonly req: { readonly raw: FetchRequest & { readonly signal: AbortSignal } };
  set(key: "ostiary", value: never): void;
}

/** The variable that the Hono middleware sets: `new Hono<{ Variables: HonoVariables<"identity"> }>()`. */
export interface HonoVariables<View extends GuardView = GuardView> {
  readonly ostiary: SignedIn<View>;
}

/** What a guard has told who calls: a Connect handler's context, a Hono context, a request of Express or Fastify. */
export type SessionCarrier = { readonly values: ContextValues } | { get(key: "ostiary"): unknown } | object;

/** One rule for who gets in, for every framework. Each form lets a request through only with a checked session. */
export interface SessionGuard<View extends GuardView = "identity"> {
  /** Says whose request it is. Rejects with a SessionRefusedError, which knows how to answer, and never throws at once. */
  check(request: FetchRequest | NodeRequest): Promise<SignedIn<View>>;
  /**
   * Who calls, as this guard has checked it: of a Connect handler's context, of a Hono context, of a request of Express or
   * Fastify. Throws if this guard was not the last one to check it.
   */
  sessionOf(carrier: SessionCarrier): SignedIn<View>;
  /** Connect services: an interceptor of the router. In a method, `guard.sessionOf(context)` is who calls. */
  readonly interceptor: Interceptor;
  /** Servers that speak Fetch: wraps a handler, which gets who calls as its second argument. */
  fetch<Incoming extends Request, Rest extends readonly unknown[]>(
    handler: (request: Incoming, signedIn: SignedIn<View>, ...rest: Rest) => Response | Promise<Response>,
  ): (request: Incoming, ...rest: Rest) => Promise<Response>;
  /** Hono: middleware. In a handler, `c.get("ostiary")` is who calls. */
  readonly hono: (context: HonoContextLike, next: () => Promise<void>) => Promise<Response | undefined>;
  /**
   * Express, and whatever else takes node:http's middleware. In a handler, `guard.sessionOf(request)` is who calls. What
   * `next` throws goes to `next(error)`.
   */
  readonly express: (
    request: NodeRequest & { ostiary?: unknown },
    response: NodeResponse,
    next: (error?: unknown) => void,
  ) => void;
  /**
   * node:http: wraps a handler, which gets who calls as its third argument. If it throws or rejects, the answer is 500, or
   * the connection ends where an answer has begun, and `onHandlerError` is told; the listener itself never rejects.
   */
  node<Incoming extends NodeRequest, Outgoing extends NodeResponse>(
    handler: (request: Incoming, response: Outgoing, signedIn: SignedIn<View>) => unknown,
  ): (request: Incoming, response: Outgoing) => Promise<void>;
  /** Fastify: an `onRequest` hook. In a handler, `guard.sessionOf(request)` is who calls. */
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
 * cannot be asked, it is 503, and nobody gets in. Throws a TypeError for options that cannot be meant.
 */
export function requireSession<View extends GuardView = "identity">(
  options: GuardOptions<View>,
): SessionGuard<View> {
  const check = createCheck(options);
  const made = new WeakSet<object>();
  const checked: typeof check = async (readHead, signal) => {
    return markAsChecked(await check(readHead, signal), made);
  };
  return {
    check: (request) => checked(() => headOf(request)),
    sessionOf: (carrier) => findSignedIn<View>(carrier, made),
    interceptor: (next) => async (request) => {
      const { requestMethod: method, url, header: headers } = request;
      const signedIn = await outcomeOf(checked(() => headOfFetch({ method, url, headers }), request.signal));
      if (signedIn instanceof SessionRefusedError) throw signedIn.toConnectError();
      request.contextValues.set(sessionKey, signedIn);
      return next(request);
    },
    fetch:
      (handler) =>
      async (request, ...rest) => {
        const signedIn = await outcomeOf(checked(() => headOfFetch(request), request.signal));
        return signedIn instanceof SessionRefusedError
          ? signedIn.toResponse()
          : handler(request, signedIn, ...rest);
      },
    hono: async (context, next) => {
      const { raw } = context.req;
      const signedIn = await outcomeOf(checked(() => headOfFetch(raw), raw.signal));
      if (signedIn instanceof SessionRefusedError) return signedIn.toResponse();
      // Hono types `set` by the variables that the application declares; HonoVariables is that declaration.
      context.set("ostiary", signedIn as never);
      await next();
      return undefined;
    },
    express: (request, response, next) => {
      void handOn(response, next, async () => {
        const signedIn = await outcomeOf(checked(() => headOfNode(request)));
        if (signedIn instanceof SessionRefusedError) return answerRefusal(response, signedIn);
        request.ostiary = signedIn;
        return next();
      });
    },
    node: (handler) => (request, response) =>
      run(response, options.onHandlerError, async () => {
        const signedIn = await outcomeOf(checked(() => headOfNode(request)));
        if (signedIn instanceof SessionRefusedError) return answerRefusal(response, signedIn);
        return handler(request, response, signedIn);
      }),
    fastify: async (request, reply) => {
      const signedIn = await outcomeOf(checked(() => headOfNode(request)));
      if (!(signedIn instanceof SessionRefusedError)) {
        request.ostiary = signedIn;
        return undefined;
      }
      reply.code(signedIn.status);
      reply.headers({
        ...signedIn.toHeaders(),
        ...(signedIn.setCookies.length > 0 && { "set-cookie": [...signedIn.setCookies] }),
      });
      reply.send(JSON.stringify(signedIn.toBody()));
      // Returning the reply tells Fastify that it is answered.
      return reply;
    },
  };
}

/** What guards of this package have made; nothing else counts, whatever it looks like. */
const madeByGuards = new WeakSet<object>();

/** Notes in `made`, the results of one guard, that this guard has made the object. */
export function markAsChecked<Checked extends object>(signedIn: Checked, made: WeakSet<object>): Checked {
  made.add(signedIn);
  madeByGuards.add(signedIn);
  return signedIn;
}

/**
 * Who calls, as a guard has checked it: of a Connect handler's context, of a Hono context, of a request of Express or
 * Fastify. Throws if no guard ran: a route that was left unguarded by mistake fails, it does not serve everyone.
 *
 * The type argument is the view that the guard was made with; without it the identity may be undefined. A guard's own
 * `sessionOf` needs none.
 */
export function sessionOf<View extends GuardView = GuardView>(carrier: SessionCarrier): SignedIn<View> {
  return findSignedIn<View>(carrier, madeByGuards);
}

/** Security rule (SR-SDK-5): who calls is only what a guard has made; a property or a header of the same name is nobody. */
export function findSignedIn<View extends GuardView>(
  carrier: unknown,
  made: WeakSet<object>,
): SignedIn<View> {
  if (typeof carrier === "object" && carrier !== null) {
    for (const found of whatIsCarried(carrier)) {
      if (typeof found === "object" && found !== null && made.has(found)) return found as SignedIn<View>;
    }
  }
  throw new Error("no session guard of @ostiary/sdk, or another one, ran before this handler");
}

function* whatIsCarried(carrier: object): Generator<unknown> {
  if ("ostiary" in carrier) yield carrier.ostiary;
  if ("values" in carrier && isContextValues(carrier.values)) yield carrier.values.get(sessionKey);
  if ("set" in carrier && "get" in carrier && typeof carrier.get === "function") yield carrier.get("ostiary");
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
