import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import type { HttpHandler, Peer, Response } from "../transport/net/exchange.ts";
import { Http1Exchange } from "../transport/net/http1-exchange.ts";
import type { Preview } from "./preview.ts";
import { listPage, listPolicy } from "./preview-list.ts";
import { cookieOf, type previewServices, sendErrors } from "./preview-services.ts";

/** What is served. */
interface Served {
  readonly preview: Preview;
  readonly services: ReturnType<typeof previewServices>;
  /** The files of the pages by their paths. */
  readonly pages: ReadonlyMap<string, HttpHandler>;
}

/** A preview that is served. */
export interface RunningPreview {
  readonly port: number;
  stop(): Promise<void>;
}

/**
 * Serves the preview. `port`: 0 for any free one. `create` is given the one that it became. Rejects if the port is taken.
 *
 * Security rule (SR-PREVIEW-1): to this machine alone. A page that looks like the sign-in and takes every password is nothing to show to
 * others, so no setting opens it.
 */
export async function servePreview(
  port: number,
  create: (port: number) => Promise<Served>,
): Promise<RunningPreview> {
  const created = Promise.withResolvers<RequestListener>();
  const server = createServer(
    (request, response) => void created.promise.then((listener) => listener(request, response)),
  );
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  const bound = (server.address() as AddressInfo).port;
  created.resolve(listenerOf(await create(bound)));
  return {
    port: bound,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listenerOf({ preview, services, pages }: Served): RequestListener {
  return connectNodeAdapter({
    routes: services,
    interceptors: [sendErrors],
    fallback: (request, response) => {
      answer(
        new Http1Exchange(request as IncomingMessage, response as ServerResponse, context),
        preview,
        pages,
      );
    },
  });
}

const statePath = "/preview/";
const plainHeaders = { "cache-control": "no-store", "x-content-type-options": "nosniff" };

function answer(exchange: Http1Exchange, preview: Preview, pages: Served["pages"]): void {
  const page = pages.get(exchange.path);
  if (page === undefined) exchange.respond(responseTo(exchange, preview));
  else void page(exchange, { "x-content-type-options": "nosniff" });
}

function responseTo({ path }: Http1Exchange, preview: Preview): Response {
  if (path === "/") {
    const headers = { "content-type": "text/html; charset=utf-8", "content-security-policy": listPolicy };
    return { status: 200, headers: { ...plainHeaders, ...headers }, body: listPage(preview) };
  }
  const state = path.startsWith(statePath) ? preview.find(path.slice(statePath.length)) : undefined;
  if (state === undefined) {
    const headers = { ...plainHeaders, "content-type": "text/plain; charset=utf-8" };
    return { status: 404, headers, body: "There is no such page. All states are listed at /.\n" };
  }
  const headers = { location: preview.addressOf(state), "set-cookie": cookieOf(state) };
  return { status: 303, headers: { ...plainHeaders, ...headers } };
}

const peer: Peer = {
  ...{ address: "127.0.0.1", subject: "127.0.0.1", trustedProxy: false, encrypted: false },
  connection: { begin: () => {}, end: () => {}, onClose: () => () => {}, prove: () => {} },
  ...{ certificate: undefined, certificateProblem: undefined },
};
const context = {
  peer,
  limits: { requestTimeoutMs: 10_000 },
  expectsContinue: false,
  closing: () => false,
};
