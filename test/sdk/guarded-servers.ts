import { createServer } from "node:http";
import { createServer as createHttp2Server, type ServerHttp2Session } from "node:http2";
import { type Client, Code, ConnectError, createClient } from "@connectrpc/connect";
import { connectNodeAdapter, createGrpcTransport } from "@connectrpc/connect-node";
import express from "express";
import { fastify } from "fastify";
import { Hono } from "hono";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.js";
import { Health, HealthCheckResponse_ServingStatus } from "../../gen/grpc/health/v1/health_pb.js";
import { metadataOf, remedyOf } from "../../sdk/typescript/src/index.ts";
import {
  type HonoVariables,
  type SessionGuard,
  type SignedIn,
  sessionOf,
} from "../../sdk/typescript/src/server.ts";
import { close, listen } from "./session-server.ts";

/** A server with one guarded route, made with one framework. */
export interface GuardedServer {
  /** What came back: the status, the JSON body, and the answer itself. */
  call(init?: RequestInit): Promise<{ status: number; body: Record<string, unknown>; response: Response }>;
  /** Who the route was called by, in order; nobody whom the guard turned away is here. */
  readonly callers: SignedIn[];
  stop(): Promise<void>;
}

type Start = (guard: SessionGuard) => Promise<GuardedServer>;

/** The guard on each framework; all of them answer POST and GET. */
export const frameworks: Readonly<Record<string, Start>> = {
  async fetch(guard) {
    const callers: SignedIn[] = [];
    const handler = guard.fetch((_request, signedIn) => {
      callers.push(signedIn);
      return Response.json({ ok: true });
    });
    const send = (init?: RequestInit) => handler(new Request("http://localhost:3000/", init));
    return { call: (init) => read(send(init)), callers, stop: async () => {} };
  },

  async hono(guard) {
    const callers: SignedIn[] = [];
    const app = new Hono<{ Variables: HonoVariables }>();
    app.use(guard.hono);
    app.all("/", (context) => {
      callers.push(context.get("ostiary"));
      return context.json({ ok: sessionOf(context) === context.get("ostiary") });
    });
    const send = async (init?: RequestInit) => app.fetch(new Request("http://localhost:3000/", init));
    return { call: (init) => read(send(init)), callers, stop: async () => {} };
  },

  async express(guard) {
    const callers: SignedIn[] = [];
    const app = express();
    app.use(guard.express);
    app.all("/", (request, response) => {
      callers.push(sessionOf(request));
      response.json({ ok: true });
    });
    return overHttp(createServer(app), callers);
  },

  async "node:http"(guard) {
    const callers: SignedIn[] = [];
    const server = createServer(
      guard.node((_request, response, signedIn) => {
        callers.push(signedIn);
        response.end('{"ok":true}');
      }),
    );
    return overHttp(server, callers);
  },

  async fastify(guard) {
    const callers: SignedIn[] = [];
    const app = fastify();
    app.addHook("onRequest", guard.fastify);
    app.all("/", (request) => {
      callers.push(sessionOf(request));
      return { ok: true };
    });
    await app.ready();
    return overHttp(app.server, callers);
  },

  async connect(guard) {
    const callers: SignedIn[] = [];
    return overHttp(createServer(healthService(guard, callers)), callers, "/grpc.health.v1.Health/Check");
  },

  async "Connect over gRPC"(guard) {
    const callers: SignedIn[] = [];
    const server = createHttp2Server(healthService(guard, callers));
    const sessions = new Set<ServerHttp2Session>();
    server.on("session", (session) => sessions.add(session));
    const transport = createGrpcTransport({ baseUrl: await listen(server) });
    return {
      callers,
      call: (init) => readGrpc(createClient(Health, transport), new Headers(init?.headers)),
      async stop() {
        for (const session of sessions) session.destroy();
        await new Promise((resolve) => server.close(resolve));
      },
    };
  },
};

/** A Connect service of one method behind the guard, on every protocol. */
function healthService(guard: SessionGuard, callers: SignedIn[]) {
  return connectNodeAdapter({
    interceptors: [guard.interceptor],
    routes: (router) =>
      router.service(Health, {
        check(_request, context) {
          callers.push(sessionOf(context));
          return { status: HealthCheckResponse_ServingStatus.SERVING };
        },
      }),
  });
}

/** What came back over gRPC, told as over HTTP: the status that a gateway makes of the code, and the details. */
async function readGrpc(client: Client<typeof Health>, headers: Headers) {
  headers.delete("content-type");
  const response = new Response();
  try {
    const { status } = await client.check({}, { headers });
    return { status: 200, body: { status } as Record<string, unknown>, response };
  } catch (caught) {
    const error = ConnectError.from(caught);
    // Not by reasonOf, which knows the contract's reasons alone; this one may be the guard's own.
    const reason = error.findDetails(ErrorInfoSchema)[0]?.reason;
    const body = { reason, remedy: remedyOf(error), metadata: metadataOf(error) };
    return { status: statusOf[error.code] ?? 500, body: { ...body, message: error.rawMessage }, response };
  }
}

const statusOf: { readonly [code in Code]?: number } = {
  [Code.Unauthenticated]: 401,
  [Code.PermissionDenied]: 403,
  [Code.Unavailable]: 503,
};

async function overHttp(
  server: ReturnType<typeof createServer>,
  callers: SignedIn[],
  path = "/",
): Promise<GuardedServer> {
  const url = await listen(server);
  return { call: (init) => read(fetch(url + path, init)), callers, stop: () => close(server) };
}

async function read(sent: Promise<Response>) {
  const response = await sent;
  const body = (await response.json()) as Record<string, unknown>;
  return { status: response.status, body, response };
}
