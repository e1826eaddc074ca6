import { createServer } from "node:http";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import express from "express";
import { fastify } from "fastify";
import { Hono } from "hono";
import { Health, HealthCheckResponse_ServingStatus } from "../../gen/grpc/health/v1/health_pb.js";
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
    const adapter = connectNodeAdapter({
      interceptors: [guard.interceptor],
      routes: (router) =>
        router.service(Health, {
          check(_request, context) {
            callers.push(sessionOf(context));
            return { status: HealthCheckResponse_ServingStatus.SERVING };
          },
        }),
    });
    return overHttp(createServer(adapter), callers, "/grpc.health.v1.Health/Check");
  },
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
